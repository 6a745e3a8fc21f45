//! What was written comes to stand in the database itself, beside the writer, and reads are as right.

use std::fs;

use serde_json::json;
use sqlx::{Connection, SqliteConnection};
use tokio::task::block_in_place;

use super::{KEY, SECRET, SETTINGS};
use crate::{
    cli::gateway::{Site, until},
    support::Token,
};

/// How many notifications a copy of the database alone holds, without its log: none at all where it is not whole.
async fn without_log(site: &Site) -> Option<i64> {
    let copy = site.path("copy.db");
    fs::copy(site.path("bellboard.db"), &copy).ok()?;
    let mut copy = SqliteConnection::connect(&format!("sqlite://{}", copy.display())).await.ok()?;
    let count = sqlx::query_scalar("SELECT count(*) FROM inbox WHERE id < 9223372036854775807");
    count.fetch_one(&mut copy).await.ok()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_is_folded_once_nothing_is_written() {
    let site = Site::new(SETTINGS);
    let gateway = block_in_place(|| site.serve());
    let token = Token::of(SECRET, 1).sign();
    // Twice, as the log begins again behind what was folded.
    for round in 1..=2 {
        for n in 0..10 {
            let body =
                json!({"user_id": 1, "type": "custom", "title": format!("{round}/{n}"), "message": "m"});
            assert_eq!(block_in_place(|| gateway.send(KEY, &body)).status, 201);
        }
        let folded =
            || tokio::runtime::Handle::current().block_on(without_log(&site)).filter(|n| *n == 10 * round);
        block_in_place(|| until("the log is folded", folded));
        assert_eq!(block_in_place(|| gateway.inbox(&token)).len() as i64, 10 * round);
    }
    assert_eq!(block_in_place(|| gateway.stop()).code, Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_is_folded_while_there_is_always_something_to_write() {
    let site = Site::new(SETTINGS);
    let gateway = block_in_place(|| site.serve());
    let body = json!({"user_id": 1, "type": "custom", "title": "t", "message": "m"});
    let mut sent = 0;
    let folded = || {
        assert_eq!(gateway.send(KEY, &body).status, 201);
        sent += 1;
        tokio::runtime::Handle::current().block_on(without_log(&site)).filter(|n| *n > 0)
    };
    let folded = block_in_place(|| until("the log is folded", folded));
    let token = Token::of(SECRET, 1).sign();
    assert!(folded <= sent, "{folded} of {sent}");
    assert_eq!(block_in_place(|| gateway.inbox(&token)).len() as i64, sent.min(100));
    assert_eq!(block_in_place(|| gateway.stop()).code, Some(0));
}
