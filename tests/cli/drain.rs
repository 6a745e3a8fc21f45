//! Draining: a gateway that is told to stop says so, goes on for a while, and no request fails meanwhile.

use std::{
    io::{Read, Write},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use reqwest::Method;
use serde_json::json;
use tokio::task::block_in_place;

use super::{
    KEY, SETTINGS, client,
    gateway::{Gateway, Site, until},
};
use crate::support::{Api, api::ask};

fn site(drain_time: &str) -> Site {
    let quick = "rate_limits: {per_key: {per_second: 1000000}}";
    Site::new(&format!("server: {{drain_time: {drain_time}}}\n{quick}\n{SETTINGS}"))
}

fn is_stopping(gateway: &Gateway) -> bool {
    let reply = gateway.admin("/readyz");
    let stops = reply.json()["stopping"] == true;
    assert_eq!(
        (reply.status, &reply.json()["ready"]),
        if stops { (503, &json!(false)) } else { (200, &json!(true)) }
    );
    stops
}

#[test]
fn it_is_not_ready_and_goes_on_until_it_is_told_again() {
    let gateway = site("10m").serve();
    let get = b"GET /crm/notification/types HTTP/1.1\r\nHost: x\r\n\r\n";
    let mut kept = client::connect(&gateway.public).expect("a connection");
    kept.write_all(get).expect("asked");
    let mut some = [0; 4096];
    let answer = kept.read(&mut some).expect("an answer");
    let answer = String::from_utf8_lossy(&some[..answer]).to_lowercase();
    assert!(answer.starts_with("http/1.1 401") && !answer.contains("connection: close"), "{answer}");
    assert!(!is_stopping(&gateway));

    gateway.signal("TERM");
    until("stopping", || is_stopping(&gateway).then_some(()));
    // Connections are still taken, and what is asked on an old one is its last.
    assert_eq!(gateway.hello(KEY).status, 201);
    assert_eq!(gateway.admin("/healthz").status, 200);
    kept.write_all(get).expect("asked");
    let last = client::answer(&mut kept).expect("an answer, and the end");
    assert_eq!(last.status, 401);
    assert!(last.head.to_lowercase().contains("connection: close"), "{}", last.head);

    gateway.signal("INT");
    let ended = gateway.ended();
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    assert!(ended.err.contains("stopped; everything accepted was answered"), "{}", ended.err);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_that_ask_whether_it_is_ready_see_no_request_fail() {
    let sites = [(); 2].map(|()| site("2s"));
    let [stays, goes] = sites.each_ref().map(|site| block_in_place(|| site.serve()));
    let nodes = [&stays, &goes].map(|node| Api::new(format!("http://{}", node.public)).key(KEY));
    let ready = Arc::new(Mutex::new(nodes.to_vec()));
    let (enough, sent) = (Arc::<AtomicBool>::default(), Arc::<AtomicUsize>::default());
    let clients: Vec<_> = (0..4)
        .map(|_| {
            let (ready, enough, sent) = (Arc::clone(&ready), Arc::clone(&enough), Arc::clone(&sent));
            tokio::spawn(async move {
                for turn in 0.. {
                    if enough.load(Relaxed) {
                        break;
                    }
                    let node = {
                        let ready = ready.lock().unwrap_or_else(PoisonError::into_inner);
                        ready[turn % ready.len()].clone()
                    };
                    node.notify(1, "t").await;
                    sent.fetch_add(1, Relaxed);
                }
            })
        })
        .collect();
    let more = async |what: &str| {
        let then = sent.load(Relaxed) + 100;
        while sent.load(Relaxed) < then {
            assert!(clients.iter().all(|client| !client.is_finished()), "{what}: a request failed");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    more("both").await;
    goes.signal("TERM");
    // The load balancer's check.
    let admin = Api::new(format!("http://{}", goes.admin));
    while ask(admin.request_at(Method::GET, "/readyz")).await.status == 200 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    ready.lock().unwrap_or_else(PoisonError::into_inner).truncate(1);
    let ended = block_in_place(|| goes.ended());
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    more("one").await;
    enough.store(true, Relaxed);
    for client in clients {
        client.await.expect("no request failed");
    }
    block_in_place(|| stays.stop());
}
