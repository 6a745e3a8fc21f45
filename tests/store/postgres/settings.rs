//! How it connects and begins: the URL, what a role or a database has by default, migrations by many at once.

use std::sync::Arc;

use bellboard::store::{Options, Store};
use sqlx::Connection;

use super::super::contract::bed::*;

#[tokio::test]
async fn a_transaction_means_the_same_whatever_the_database_has_by_default() {
    for bed in [Bed::postgres(), Bed::pooled()] {
        for setting in [
            "synchronous_commit TO off",
            "default_transaction_isolation TO 'serializable'",
            "default_transaction_read_only TO on",
            "idle_in_transaction_session_timeout TO 0",
            "statement_timeout TO 0",
            "lock_timeout TO 0",
        ] {
            bed.database().by_default(setting);
        }
        let store = bed.with_users().await;
        let mut owner = bed.database().tool().await;
        let writes = "SET default_transaction_read_only = off";
        sqlx::raw_sql(writes).execute(&mut owner).await.expect("set");
        let note = "CREATE TABLE noted (setting text);
             CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                INSERT INTO noted SELECT current_setting(name) FROM unnest(ARRAY['synchronous_commit',
                    'transaction_isolation', 'idle_in_transaction_session_timeout', 'statement_timeout',
                    'lock_timeout']) AS name;
                RETURN NEW; END $$;
             CREATE TRIGGER note BEFORE INSERT ON notification FOR EACH ROW EXECUTE FUNCTION note()";
        sqlx::raw_sql(note).execute(&mut owner).await.expect("made");
        send(&store, 1, "x").await;
        let noted: Vec<String> =
            sqlx::query_scalar("SELECT setting FROM noted").fetch_all(&mut owner).await.expect("runs");
        assert_eq!(noted, ["on", "read committed", "3s", "5s", "3s"]);
        let kept: String =
            sqlx::query_scalar("SHOW synchronous_commit").fetch_one(&mut owner).await.expect("runs");
        assert_eq!(kept, "off", "nobody else's setting");
        owner.close().await.expect("closes");
        store.close().await;
    }
}

#[tokio::test]
async fn many_nodes_migrate_at_once() {
    let applied = "SELECT count(*) FROM bellboard_migration";
    let alone = Bed::postgres();
    alone.open().await.close().await;
    let each_once = alone.tool().await.number(applied).await;
    for bed in [Bed::postgres(), Bed::pooled()] {
        let open = || {
            let options = Options { lanes: 1, readers: 1, ..Options::default() };
            Store::open(&bed.url, options, Arc::new(()), Arc::new(()))
        };
        let opened = futures_util::future::join_all((0..12).map(|_| open())).await;
        let stores: Vec<Store> = opened.into_iter().map(|opened| opened.expect("opens")).collect();
        assert_eq!(bed.tool().await.number(applied).await, each_once);
        for store in stores {
            store.probe().await.expect("works");
            store.close().await;
        }
    }
}

#[tokio::test]
async fn who_waits_for_a_migration_holds_up_no_index() {
    let bed = Bed::postgres();
    let mut other = bed.database().tool().await;
    let lock = "BEGIN; SELECT pg_advisory_xact_lock(7090192401128448370)";
    sqlx::raw_sql(lock).execute(&mut other).await.expect("locked");
    let has_opened = std::cell::Cell::new(false);
    let node = async {
        let store = bed.open().await;
        has_opened.set(true);
        store.close().await;
    };
    let index = async {
        let mut tool = bed.tool().await;
        tool.run("CREATE TABLE big (x integer)").await;
        let waits = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
                        AND application_name = 'bellboard'";
        while tool.number(waits).await == 0 {
            tokio::task::yield_now().await;
        }
        // It waits for every snapshot that is older, and so would wait for one who waits for the lock.
        tool.run("SET statement_timeout = '20s'").await;
        tool.run("CREATE INDEX CONCURRENTLY slow ON big (x)").await;
        assert!(!has_opened.get(), "it has not gone on without the lock");
        sqlx::raw_sql("ROLLBACK").execute(&mut other).await.expect("let go");
    };
    futures_util::future::join(node, index).await;
}

#[tokio::test]
async fn a_newer_schema_is_no_fault() {
    let bed = Bed::postgres();
    bed.with_users().await.close().await;
    bed.sql("INSERT INTO bellboard_migration (version, name) VALUES (99, 'later')").await;
    let store = bed.open().await;
    send(&store, 1, "x").await;
    store.close().await;
}

#[tokio::test]
async fn what_is_wrong_with_a_url_is_told_without_its_password() {
    let cases = [
        ("mysql://u:se-cret@h/d", "sqlite://PATH"),
        ("postgres://u:se-cret@127.0.0.1:1/d", "127.0.0.1:1/d"),
        ("postgres://u:se-cret@h/d?sslmod=require", "did you mean sslmode?"),
        ("postgres://u:se-cret@h/d?sslmode=allow", "must have an sslmode of"),
        ("postgres://u:se-cret@h:port/d", "URL"),
        ("postgres://u@127.0.0.1:1/d?password=se-cret", "127.0.0.1:1/d"),
        ("postgres://u:se-cret?se-cret@h/d", "%3F"),
        ("postgres://u:se-cret@h1,h2/d?target_session_attrs=read-write", "several hosts"),
    ];
    for (url, says) in cases {
        let options =
            Options { connect_timeout: std::time::Duration::from_millis(500), ..Options::default() };
        let error = Store::open(url, options, Arc::new(()), Arc::new(())).await.err().expect("refused");
        for text in [error.to_string(), format!("{error:?}")] {
            assert!(!text.contains("se-cret"), "{url}: {text}");
        }
        assert!(error.to_string().contains(says), "{url}: {error}");
    }
}

#[tokio::test]
async fn a_role_that_may_not_create_tables_is_told_which_grant_it_needs() {
    let bed = Bed::postgres();
    let role = format!("guest_{}", bed.url.rsplit('/').next().expect("a name"));
    bed.database()
        .sql(&format!("REVOKE CREATE ON SCHEMA public FROM PUBLIC; CREATE ROLE {role} LOGIN"))
        .await;
    let url = bed.url.replace("//bell@", &format!("//{role}@"));
    let open = || Store::open(&url, Options::default(), Arc::new(()), Arc::new(()));
    let error = open().await.err().expect("refused").to_string();
    let grant = format!("GRANT CREATE ON SCHEMA public TO \"{role}\"");
    assert!(error.ends_with(&grant), "{error}");
    bed.database().sql(&grant).await;
    open().await.expect("opens").close().await;
    bed.database().sql(&format!("DROP OWNED BY {role}; DROP ROLE {role}")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn its_certificate_may_be_one_that_the_system_trusts() {
    let server = crate::support::postgres::Server::start(&["ssl=on"]);
    let url = server.url("postgres").replace("127.0.0.1", "localhost") + "?sslrootcert=system";
    let site = crate::cli::gateway::Site::new(&format!("store: {{url: '{url}'}}\n"));
    let fixture = |name: &str| format!("{}/tests/fixtures/tls/{name}", env!("CARGO_MANIFEST_DIR"));
    for (trusted, code) in [("ca.pem", 0), ("cert.pem", 1)] {
        let mut command = site.command(&["migrate"]);
        command.env("SSL_CERT_FILE", fixture(trusted)).env_remove("SSL_CERT_DIR");
        let ended = tokio::task::block_in_place(|| crate::cli::gateway::Ended::of(command));
        assert_eq!(ended.code, Some(code), "{trusted}: {}", ended.err);
    }
}

#[tokio::test]
async fn its_certificate_is_verified_where_the_url_says_so() {
    let server = crate::support::postgres::Server::start(&["ssl=on"]);
    let ca = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/tls/ca.pem");
    let other = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/tls/cert.pem");
    let encrypted = "SELECT count(*) FROM pg_stat_ssl s JOIN pg_stat_activity a USING (pid)
                      WHERE s.ssl AND a.application_name = 'bellboard'";
    let by_name = server.url("postgres").replace("127.0.0.1", "localhost");
    let by_number = server.url("postgres");
    let mut tool = crate::support::Tool::of(&by_number).await;
    for (url, opens) in [
        (format!("{by_name}?sslmode=verify-full&sslrootcert={ca}"), Some(true)),
        (format!("{by_name}?sslmode=require"), Some(true)),
        (format!("{by_number}?sslmode=verify-ca&sslrootcert={ca}"), Some(true)),
        (by_number.clone(), Some(true)),
        (format!("{by_number}?sslmode=disable"), Some(false)),
        (format!("{by_name}?sslmode=verify-full"), None),
        (format!("{by_name}?sslmode=verify-ca&sslrootcert={other}"), None),
    ] {
        let opened = Store::open(&url, Options::default(), Arc::new(()), Arc::new(())).await;
        match (opened, opens) {
            (Ok(store), Some(wanted)) => {
                store.probe().await.expect("works");
                assert_eq!(tool.number(encrypted).await > 0, wanted, "{url}");
                store.close().await;
            }
            (Err(_), None) => {}
            (Ok(_), None) => panic!("{url}: opened"),
            (Err(error), Some(_)) => panic!("{url}: {error}"),
        }
    }
}
