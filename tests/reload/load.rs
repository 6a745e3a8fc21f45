//! Under load no request fails for a reload, and each sees one configuration from its start to its end.

use std::{
    fs,
    os::unix::fs::symlink,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
};

use super::{metric, reloads};
use crate::cli::{
    KEY, SETTINGS,
    gateway::{Site, until},
};

/// How many configurations follow the first.
const SWAPS: usize = 12;
const CLIENTS: usize = 3;
const BURST: usize = 900_000;

/// A volume whose settings and type both tell its number: the settings by a rate limit, the type by its message.
fn mount(site: &Site, number: usize) {
    let burst = BURST + number;
    let home = format!("config/..v{number}");
    let quota = format!("{{per_second: {BURST}, burst: {burst}}}");
    site.write(
        &format!("{home}/bellboard.yaml"),
        &format!("limits: {{title: 255}}\nrate_limits: {{per_key: {quota}}}\n{SETTINGS}"),
    );
    let parcel = format!(
        "description: A parcel.\nicon: box\nseverity: info\npipeline:\n  - safe_link\n  \
         - text_template: {{message: Parcel {number}}}\n"
    );
    site.write(&format!("{home}/plugins/parcel/type.yaml"), &parcel);
    swap(site, &format!("..v{number}"));
}

fn swap(site: &Site, to: &str) {
    let next = site.path("config/..data_tmp");
    symlink(to, &next).expect("linked");
    fs::rename(next, site.path("config/..data")).expect("renamed");
}

/// Ends the clients when it is dropped, by a failure too.
struct Ends<'a>(&'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// The number that a header or a body tells behind these words.
fn number(text: &str, behind: &str) -> usize {
    let rest = text.split_once(behind).unwrap_or_else(|| panic!("no {behind:?} in {text}")).1;
    rest.split(|c: char| !c.is_ascii_digit()).next().and_then(|n| n.parse().ok()).expect("a number")
}

#[test]
fn no_request_fails_and_none_sees_half_of_two_configurations() {
    let site = Site::empty();
    mount(&site, 0);
    for name in ["bellboard.yaml", "plugins"] {
        symlink(format!("..data/{name}"), site.path("config").join(name)).expect("linked");
    }
    let gateway = site.serve();
    let (done, answered, latest) = (AtomicBool::new(false), AtomicUsize::new(0), AtomicUsize::new(0));
    let failures = Mutex::new(Vec::new());
    thread::scope(|scope| {
        let _ends = Ends(&done);
        for _ in 0..CLIENTS {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    let body = serde_json::json!({"user_id": 1, "type": "parcel", "title": "Under load"});
                    let reply = gateway.send(KEY, &body);
                    if reply.status == 201 {
                        let settings =
                            number(&reply.head.to_lowercase(), "ratelimit-policy: \"key\";q=") - BURST;
                        let kind = number(&reply.body, "\"message\":\"Parcel ");
                        if settings != kind {
                            failures.lock().expect("no panic").push(format!("half {settings}, half {kind}"));
                        }
                        latest.fetch_max(kind, Ordering::Relaxed);
                    } else {
                        failures.lock().expect("no panic").push(format!("{} {}", reply.status, reply.body));
                    }
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        for number in 1..=SWAPS {
            // A bad one between the good ones.
            site.write("config/..bad/bellboard.yaml", "tenants: [");
            let refused = reloads(&gateway, "refused");
            swap(&site, "..bad");
            until("the bad one is refused", || (reloads(&gateway, "refused") > refused).then_some(()));
            mount(&site, number);
            until("the next one is in force", || (latest.load(Ordering::Relaxed) == number).then_some(()));
        }
    });
    let failures = failures.into_inner().expect("no panic");
    let answered = answered.into_inner();
    assert!(failures.is_empty(), "{} of {answered}: {failures:?}", failures.len());
    assert!(answered > SWAPS * CLIENTS, "only {answered} requests: that is no load");
    let expected = u32::try_from(SWAPS).expect("few");
    assert_eq!(metric(&gateway, "bellboard_snapshot_generation"), f64::from(expected + 1));
}
