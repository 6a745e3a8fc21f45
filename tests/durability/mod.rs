//! Durability, with the real program: what was answered is there after a crash, a power cut, a full disk, a
//! damaged file. `bash tests/reliability` runs all of it, at length, and writes `docs/reliability.md`.

mod client;
mod damage;
mod disk;
mod fold;
mod full;
mod kills;
mod ledger;
pub mod load;
mod power;
mod repeater;
mod worker;

use std::{fs, path::Path};

use sqlx::{Connection, SqliteConnection};

use crate::cli::gateway::Site;

const KEY: &str = "durable-key-00000000000000000000000000001";
const SECRET: &str = "signing-secret-of-the-durable-tenant-0001";

/// The users that the load works on: one for each worker, and one whom all of them send to. (Another is the one's who
/// repeats.)
const WORKERS: std::ops::RangeInclusive<i64> = 1..=8;
const HOT: i64 = 100;

pub const SETTINGS: &str = r#"
rate_limits: {per_key: {per_second: 1000000}, per_user: {per_second: 1000000}}
tenants:
  default:
    seed: [1, 2, 3, 4, 5, 6, 7, 8, 9, 100]
    issuers: [{algorithm: HS256, secret: signing-secret-of-the-durable-tenant-0001}]
api_keys:
  durable-key-00000000000000000000000000001: {roles: [admin]}
"#;

/// How often a test repeats itself: little in the everyday run, much for the report.
pub fn rounds(few: usize, many: usize) -> usize {
    if report_folder().is_some() { many } else { few }
}

/// Adds a row to the report: what was done to the gateway, and what came of it.
pub fn report(place: u32, done: &str, outcome: &str) {
    println!("{done}: {outcome}");
    if let Some(folder) = report_folder() {
        let row = format!("| {done} | {outcome} |\n");
        fs::write(Path::new(&folder).join(format!("{place:02}")), row).expect("the report's folder is there");
    }
}

fn report_folder() -> Option<std::ffi::OsString> {
    std::env::var_os("BELLBOARD_RELIABILITY")
}

/// The database of a site, for a tool from outside.
async fn outside(site: &Site) -> SqliteConnection {
    let url = format!("sqlite://{}", site.path("bellboard.db").display());
    SqliteConnection::connect(&url).await.expect("the database opens")
}
