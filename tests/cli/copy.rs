//! `bellboard store copy`: a site moves from SQLite to PostgreSQL and back, whole or not at all.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::{
    io::{BufRead, BufReader},
    process::{Command, Stdio},
};

use serde_json::{Value, json};

use super::{
    KEY, SETTINGS,
    gateway::{Ended, Gateway, Site},
};
use crate::support::{Dice, postgres::Database, settings::PARCEL};

/// With no limit that a test would meet, and with a type that expires and collapses.
fn site() -> Site {
    let settings =
        SETTINGS.replace("seed: [1, 2]", "seed: [1, 2, 3, 4]").replace("[admin]}", "[admin, eraser]}");
    let site = Site::new(&format!(
        "rate_limits: {{per_key: {{per_second: 100000}}}}\ninbox: {{restore_time: 5m}}\nroles: {{eraser: [user.erase]}}\n{settings}"
    ));
    site.write("config/plugins/parcel/type.yaml", &PARCEL.replace("tenants: [acme]", "tenants: [default]"));
    site
}

fn serve(site: &Site, url: &str) -> Gateway {
    let words = ["serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--store", url];
    Gateway::start(site.command(&words))
}

fn bearer(site: &Site, user: u32) -> String {
    format!("Bearer {}", site.good(&["token", "--user", &user.to_string()]).trim())
}

fn send(gateway: &Gateway, body: &Value) -> i64 {
    static SENT: AtomicUsize = AtomicUsize::new(0);
    let again = format!("send-{}", SENT.fetch_add(1, Relaxed));
    let headers = [("X-API-KEY", KEY), ("Content-Type", "application/json"), ("Idempotency-Key", &again)];
    let reply = gateway.ask("POST", "/send", &headers, &body.to_string());
    assert_eq!(reply.status, 201, "{}", reply.body);
    reply.json()["notification"]["notification_id"].as_i64().expect("an id")
}

fn with_key(gateway: &Gateway, method: &str, path: &str, body: &str) -> String {
    let headers = [("X-API-KEY", KEY), ("Content-Type", "application/json")];
    let reply = gateway.ask(method, path, &headers, body);
    assert!((200..300).contains(&reply.status), "{method} {path}: {}", reply.body);
    reply.body
}

/// Every kind of state, by the API.
fn fill(site: &Site, gateway: &Gateway) {
    let custom = |user: u32, title: &str| json!({"user_id": user, "type": "custom", "title": title});
    let parcel =
        |metadata: Value| json!({"user_id": 2, "type": "parcel", "title": "t", "metadata": metadata});
    let of_one = [("Authorization", bearer(site, 1))];
    let of_one: Vec<_> = of_one.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let ids: Vec<_> = (0..8).map(|n| send(gateway, &custom(1, &format!("ünïcode ' {n}")))).collect();
    for (method, path) in [
        ("POST", format!("/{}/mark-read", ids[1])),
        ("DELETE", format!("/{}", ids[2])),
        ("DELETE", format!("/{}", ids[1])),
        ("POST", "/mark-all-read".to_owned()),
    ] {
        assert_eq!(gateway.ask(method, &path, &of_one, "").status, 200, "{path}");
    }
    send(gateway, &custom(1, "unread"));
    // One that is replaced, one that stays with its key, one that is due at some time.
    for number in [1, 1, 2] {
        send(gateway, &parcel(json!({"parcel": number, "until": "2099-12-31", "deep": {"x": 1.50}})));
    }
    let soon = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(5);
    send(gateway, &parcel(json!({"parcel": 3, "until": soon.to_string()})));
    // Erased; and erased, made anew and sent to.
    for user in [3, 4] {
        send(gateway, &custom(user, "gone"));
        with_key(gateway, "DELETE", &format!("/users/{user}"), "");
    }
    with_key(gateway, "PUT", "/users/4", r#"{"display_name": "Zoë", "locale": "de-CH"}"#);
    send(gateway, &custom(4, "after"));
    super::gateway::until("it has expired", || {
        let reply = gateway.ask("GET", "/unread-count", &[("Authorization", &bearer(site, 2))], "");
        (reply.json()["unread_count"] == 2).then_some(())
    });
    // The last id belongs to nothing that is there.
    let last = send(gateway, &custom(1, "the last"));
    assert_eq!(gateway.ask("DELETE", &format!("/{last}"), &of_one, "").status, 200);
}

/// What users and operators see.
fn seen(site: &Site, gateway: &Gateway) -> Vec<String> {
    let mut seen: Vec<_> = [1, 2, 4]
        .into_iter()
        .map(|user| gateway.ask("GET", "/?limit=100", &[("Authorization", &bearer(site, user))], "").body)
        .collect();
    for path in ["/users?limit=100", "/sent", "/audit?action=user.erased"] {
        seen.push(with_key(gateway, "GET", path, ""));
    }
    seen
}

/// The lines of tables and checksums.
fn sums(out: &str) -> Vec<&str> {
    out.lines().filter(|line| line.contains("sha256")).collect()
}

/// Changes a database on a server.
fn sql(database: &Database, statements: &str) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(database.sql(statements));
}

fn sqlite3(site: &Site, file: &str, statements: &str) {
    let done = Command::new("sqlite3").arg(site.path(file)).arg(statements).output().expect("sqlite3 runs");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

/// Stores so many notifications in the inbox of user 1, as the writer would.
fn arrive(site: &Site, file: &str, many: u32) {
    sqlite3(
        site,
        file,
        &format!(
            "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {many})
             INSERT INTO arrival
             SELECT s.seq + i, 'default', 1, 'custom', 1700000000000000 + i, NULL, 'key:test', 'r' || i, NULL,
                    json_object('title', 'number ' || i), h.rev + i, h.unread + i
               FROM (SELECT coalesce(max(seq), 0) AS seq FROM sqlite_sequence) s,
                    (SELECT rev, unread FROM head WHERE tenant = 'default' AND user_id = 1) h, n"
        ),
    );
}

/// A store in a file of the site, with so many notifications.
fn filled(file: &str, many: u32) -> (Site, String) {
    let (site, url) = (site(), format!("sqlite://{file}"));
    serve(&site, &url).stop();
    arrive(&site, file, many);
    (site, url)
}

#[test]
fn a_site_of_every_kind_of_state_moves_there_and_back() {
    let (site, server) = (site(), Database::new());
    let gateway = serve(&site, "sqlite://a.db");
    fill(&site, &gateway);
    gateway.stop();
    let gateway = serve(&site, "sqlite://a.db");
    let before = seen(&site, &gateway);
    let last = send(&gateway, &json!({"user_id": 2, "type": "custom", "title": "one more"}));
    let of_two = [("Authorization", bearer(&site, 2))];
    let of_two: Vec<_> = of_two.iter().map(|(name, value)| (*name, value.as_str())).collect();
    assert_eq!(gateway.ask("DELETE", &format!("/{last}"), &of_two, "").status, 200);
    let after = seen(&site, &gateway);
    assert_eq!(before[..3], after[..3]);
    gateway.stop();

    let out = site.good(&["store", "copy", "sqlite://a.db", &server.url]);
    assert!(out.contains("is the same as sqlite://a.db, verified"), "{out}");
    let there = sums(&out);
    assert_eq!(there.len(), 9, "{out}");
    // What is to be purged may be gone by then.
    let mut others = there.iter().filter(|line| !line.starts_with("erasure"));
    assert!(others.all(|line| !line.contains(" 0 rows")), "every table holds something: {out}");
    let out = site.good(&["store", "copy", &server.url, "sqlite://b.db"]);
    assert_eq!(sums(&out), there);
    assert_eq!(sums(&site.good(&["store", "copy", "--verify", "sqlite://a.db", "sqlite://b.db"])), there);

    // What is then seen is the same on all three.
    for url in [&server.url, "sqlite://b.db", "sqlite://a.db"] {
        let gateway = serve(&site, url);
        assert_eq!(seen(&site, &gateway), after, "{url}");
        let id = send(&gateway, &json!({"user_id": 2, "type": "custom", "title": "the next"}));
        assert!(id > last, "{url}: {id} was given before");
        // What collapses goes on collapsing.
        send(&gateway, &json!({"user_id": 2, "type": "parcel", "title": "t", "metadata": {"parcel": 2}}));
        // What was deleted a moment ago comes back.
        assert_eq!(gateway.ask("POST", &format!("/{last}/restore"), &of_two, "").status, 200, "{url}");
        assert_eq!(gateway.ask("GET", "/unread-count", &of_two, "").json()["unread_count"], 4, "{url}");
        gateway.stop();
    }
}

#[test]
fn a_copy_that_is_killed_again_and_again_goes_on() {
    let (site, from) = filled("a.db", 30_000);
    let (server, mut dice) = (Database::new(), Dice::new(11));
    let mut kills = 0;
    for (from, to) in [(from.as_str(), server.url.as_str()), (server.url.as_str(), "sqlite://b.db")] {
        let mut is_complete = false;
        for _ in 0..4 {
            let mut child = site
                .command(&["store", "copy", from, to])
                .stdout(Stdio::null())
                .stderr(Stdio::piped())
                .spawn()
                .expect("starts");
            let told = BufReader::new(child.stderr.take().expect("piped")).lines();
            // Somewhere behind one of the first lines, of each run another.
            let lines = told.map_while(Result::ok).take(2 + dice.place(9)).count();
            std::thread::sleep(std::time::Duration::from_micros(dice.roll(20_000)));
            child.kill().expect("killed");
            is_complete = child.wait().expect("a child").success();
            assert!(lines > 0);
            // On a busy machine the copy may be complete before the signal reaches it.
            if is_complete {
                break;
            }
            kills += 1;
            // What is there by now is not served.
            let words = ["serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--store", to];
            let err = site.bad(&words);
            assert!(err.contains("an unfinished copy"), "{err}");
        }
        let again: &[&str] = if is_complete { &["store", "copy", "--verify"] } else { &["store", "copy"] };
        let out = site.good(&[again, &[from, to]].concat());
        assert!(out.contains("30000 rows") && out.contains("verified"), "{out}");
    }
    assert!(kills > 0, "no copy was killed on its way");
    let out = site.good(&["store", "copy", "--verify", "sqlite://a.db", "sqlite://b.db"]);
    assert!(out.contains("verified"), "{out}");
}

#[test]
fn a_source_that_was_written_to_in_between_is_not_mixed() {
    let (site, from) = filled("a.db", 3_000);
    let server = Database::new();
    let mark = "CREATE TABLE bellboard_copy (source text NOT NULL, state text NOT NULL);
                INSERT INTO bellboard_copy VALUES ('sqlite://other.db', '0123')";
    site.good(&["migrate", "--store", &server.url]);
    sql(&server, mark);
    let err = site.bad(&["store", "copy", &from, &server.url]);
    assert!(
        err.contains("an unfinished copy of sqlite://other.db") && err.contains("written to since"),
        "{err}"
    );

    // Rows that a copy did not bring are found at its end, and the copy is never served.
    sql(&server, "DROP TABLE bellboard_copy");
    site.good(&["store", "copy", &from, &server.url]);
    arrive(&site, "a.db", 1);
    let err = site.bad(&["store", "copy", "--verify", &from, &server.url]);
    assert!(err.contains("notification differs") && err.contains("3001"), "{err}");
}

#[test]
fn what_must_not_be_copied_is_refused() {
    let (site, from) = filled("a.db", 10);
    let server = Database::new();
    let copy = |words: &[&str]| site.bad(&[&["store", "copy"], words].concat());

    assert!(copy(&[&from, "sqlite://./a.db"]).contains("one store"));
    assert!(copy(&["sqlite://missing.db", "sqlite://b.db"]).contains("missing.db"));
    assert!(!site.path("b.db").exists(), "the target was not touched");
    assert!(copy(&["mysql://x", "sqlite://b.db"]).contains("sqlite://PATH"));
    let secret = "postgres://bell:se-cret@127.0.0.1:1/x";
    let err = copy(&[&from, secret]);
    assert!(err.contains("bell@127.0.0.1:1/x") && !err.contains("se-cret"), "{err}");
    sqlite3(&site, "other.db", "CREATE TABLE t (x)");
    assert!(copy(&["sqlite://other.db", "sqlite://b.db"]).contains("`bellboard migrate`"));

    // A gateway on either side.
    let gateway = serve(&site, &from);
    assert!(copy(&[&from, "sqlite://b.db"]).contains("a.db.lock"));
    gateway.stop();
    let gateway = serve(&site, &server.url);
    let err = copy(&[&from, &server.url]);
    assert!(err.contains("in use") && err.contains("stop every gateway"), "{err}");
    let err = copy(&[&server.url, "sqlite://b.db"]);
    assert!(err.contains("in use"), "{err}");
    gateway.stop();

    // That gateway has made users there.
    let err = copy(&[&from, &server.url]);
    assert!(err.contains("is not empty"), "{err}");
    let mut help = site.command(&["store", "copy", "--help"]);
    help.env("BELLBOARD_COPY_FROM", secret);
    assert!(!Ended::of(help).out.contains("se-cret"));
    // By the environment, as a command line can be read by others.
    let mut quiet = site.command(&["store", "copy"]);
    quiet.env("BELLBOARD_COPY_FROM", &from).env("BELLBOARD_COPY_TO", "sqlite://c.db");
    let ended = Ended::of(quiet);
    assert_eq!(ended.code, Some(0), "{}", ended.err);
}

#[test]
fn a_tampered_row_is_found() {
    let (site, from) = filled("a.db", 1_200);
    let server = Database::new();
    site.good(&["store", "copy", &from, &server.url]);
    let verify = || site.bad(&["store", "copy", "--verify", &from, &server.url]);
    for (tamper, mend, told) in [
        (
            "UPDATE notification SET doc = doc || ' ' WHERE id = 700",
            "UPDATE notification SET doc = rtrim(doc) WHERE id = 700",
            "notification differs, at first in the row of 700",
        ),
        (
            "UPDATE inbox SET read_at = 1 WHERE id = 1200",
            "UPDATE inbox SET read_at = NULL WHERE id = 1200",
            "inbox differs, at first in the row of default 1 1200",
        ),
        (
            "UPDATE directory SET unread = unread + 1 WHERE id = 2",
            "UPDATE directory SET unread = unread - 1 WHERE id = 2",
            "directory differs, at first in the row of default 2",
        ),
        (
            "SELECT setval('notification_id', 7)",
            "SELECT setval('notification_id', 1200)",
            "ids would be given again",
        ),
    ] {
        sql(&server, tamper);
        let err = verify();
        assert!(err.contains(told), "{tamper}: {err}");
        sql(&server, mend);
    }
    let out = site.good(&["store", "copy", "--verify", &from, &server.url]);
    assert!(out.contains("verified"), "{out}");

    // Wrong on both sides alike: the counts do not match the inboxes.
    sqlite3(
        &site,
        "a.db",
        "UPDATE inbox SET unread = unread + 1 WHERE user_id = 1 AND id = 9223372036854775807",
    );
    sql(&server, "UPDATE directory SET unread = unread + 1 WHERE id = 1");
    let err = verify();
    assert!(err.contains("differ from their inboxes") && err.contains("user 1"), "{err}");
}
