//! A version lives with the schema of the next one: no request fails, and a restart there goes well.

mod load;

use std::{path::PathBuf, time::Duration};

use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tokio::task::block_in_place;

use self::load::Load;
use crate::{
    cli::gateway::Site,
    support::{Gateway, gateway::present, postgres::Database},
};

const SECRET: &str = "signing-secret-of-the-default-tenant-0001";
const KEY: &str = "upgrade-key-of-the-default-tenant-00001";
const SETTINGS: &str = r#"
rate_limits: {per_key: {per_second: 1000000}, per_user: {per_second: 1000000}}
tenants:
  default:
    users: open
    issuers: [{algorithm: HS256, secret: signing-secret-of-the-default-tenant-0001}]
api_keys:
  upgrade-key-of-the-default-tenant-00001: {roles: [admin]}
"#;

/// A migration of every kind that expands. Each is one transaction, but the last, which cannot be in one.
const NEXT: &[&str] = &[
    "ALTER TABLE directory ADD COLUMN next_a text",
    "ALTER TABLE directory ADD COLUMN next_b bigint NOT NULL DEFAULT 7",
    "ALTER TABLE notification ADD COLUMN next_a text",
    "ALTER TABLE notification ADD COLUMN next_b bigint NOT NULL DEFAULT 7",
    "ALTER TABLE inbox ADD COLUMN next_a text",
    "ALTER TABLE inbox ADD COLUMN next_b bigint NOT NULL DEFAULT 7",
    "ALTER TABLE change ADD COLUMN next_a text",
    "ALTER TABLE change ADD COLUMN next_b bigint NOT NULL DEFAULT 7",
    "ALTER TABLE lane ADD COLUMN next_a text",
    "ALTER TABLE idempotency ADD COLUMN next_a text",
    "ALTER TABLE audit ADD COLUMN next_b bigint NOT NULL DEFAULT 7",
    "CREATE TABLE next (tenant text NOT NULL, id bigint NOT NULL, PRIMARY KEY (tenant, id))",
    // A view is widened at its end, or goes and comes back.
    "CREATE OR REPLACE VIEW head AS
       SELECT tenant, id AS user_id, rev, unread, next_expiry, erased_upto, next_b
         FROM directory WHERE erased_at IS NULL",
    "DROP VIEW users; CREATE VIEW users AS
       SELECT next_a, id, tenant, unread AS unread_count FROM directory WHERE erased_at IS NULL",
    "ALTER TABLE change ADD CONSTRAINT next_kind CHECK (kind <> '') NOT VALID",
    "ALTER TABLE change VALIDATE CONSTRAINT next_kind",
    "INSERT INTO bellboard_migration (version, name)
       SELECT max(version) + 1, 'next' FROM bellboard_migration",
    "CREATE INDEX CONCURRENTLY next_inbox ON inbox (next_a) WHERE next_a IS NOT NULL",
];

/// What the newer versions' migrator waits for a table, before it lets others go first.
const WAIT: &str = "SET lock_timeout = '750ms'";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_schema_that_the_next_version_expands_fails_no_request() {
    let database = Database::new();
    let node = Gateway::start_at(&database.url, SETTINGS);
    let load = Load::start(&[&node]);
    load.goes_on().await;

    // Someone reads a table for long, so the first one has to wait, and all who come later wait behind it.
    let mut reader = database.tool().await;
    run(&mut reader, "BEGIN; SELECT count(*) FROM directory").await.expect("reads");
    let mut migrator = database.tool().await;
    run(&mut migrator, WAIT).await.expect("set");
    for _ in 0..2 {
        run(&mut migrator, NEXT[0]).await.expect_err("the reader has the table");
        load.goes_on().await;
    }
    reader.close().await.expect("it ends");
    for statement in NEXT {
        run(&mut migrator, statement).await.unwrap_or_else(|e| panic!("{statement}: {e}"));
        load.goes_on().await;
    }
    load.ends().await;

    let node = block_in_place(|| node.stop_and_restart());
    let load = Load::start(&[&node]);
    load.goes_on().await;
    load.ends().await;
    block_in_place(|| node.stop());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_take_a_newer_schema_until_it_says_that_they_are_too_old() {
    let database = Database::new();
    let site = Site::new(SETTINGS);
    let migrate = ["migrate", "--store", &database.url];
    block_in_place(|| site.good(&migrate));
    database.sql("INSERT INTO bellboard_migration (version, name) VALUES (1001, 'next')").await;
    let said = block_in_place(|| site.good(&migrate));
    assert!(said.contains("the schema is that of version"), "{said}");
    block_in_place(|| site.good(&["check"]));

    // As the first migration that takes something away does.
    let oldest = "ALTER TABLE bellboard_migration ADD COLUMN IF NOT EXISTS oldest bigint;
        UPDATE bellboard_migration SET oldest";
    // This build, by one that it knows.
    database.sql(&format!("{oldest} = 2")).await;
    block_in_place(|| site.good(&migrate));
    database.sql(&format!("{oldest} = 1000")).await;
    for words in [migrate.to_vec(), [["serve"].as_slice(), &migrate[1..]].concat()] {
        let err = block_in_place(|| site.bad(&words));
        assert!(err.contains("was changed by a newer version") && err.contains("1000"), "{err}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_migration_that_cannot_have_a_table_waits_until_it_can() {
    let database = Database::new();
    let site = Site::new(SETTINGS);
    let migrate = ["migrate", "--store", &database.url];
    let table = "CREATE TABLE bellboard_migration (
        version bigint PRIMARY KEY, name text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())";
    database.sql(table).await;
    let mut holder = database.tool().await;
    run(&mut holder, "BEGIN; LOCK TABLE bellboard_migration IN SHARE MODE").await.expect("held");
    let waits = tokio::task::spawn_blocking({
        let words = migrate.map(str::to_owned);
        move || site.good(&words.each_ref().map(String::as_str))
    });
    let refused =
        "SELECT count(*) > 0 FROM pg_stat_database WHERE datname = current_database() AND xact_rollback > 1";
    let mut tool = database.tool().await;
    while !sqlx::query_scalar::<_, bool>(refused).fetch_one(&mut tool).await.expect("asked") {
        assert!(!waits.is_finished(), "it gave up");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    run(&mut holder, "ROLLBACK").await.expect("let go");
    waits.await.expect("it ends well");
    run(&mut tool, "SELECT count(*) FROM directory").await.expect("it is there");
}

/// The build given by `BELLBOARD_TEST_PREVIOUS`, as `bash tests/upgrade` does; without it the present one, which is
/// then its own successor.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_of_the_previous_version_are_replaced_one_by_one_with_no_failed_request() {
    let previous = std::env::var_os("BELLBOARD_TEST_PREVIOUS").map_or_else(present, PathBuf::from);
    let database = Database::new();
    let old = Gateway::start_build_at(&previous, &database.url, SETTINGS);
    let load = Load::start(&[&old]);
    load.goes_on().await;
    // The first node of this version migrates, while the old one works.
    let new = block_in_place(|| Gateway::start_at(&database.url, SETTINGS));
    load.goes_on().await;
    let both = Load::start(&[&old, &new]);
    both.goes_on().await;
    let told = [load.ends().await, both.ends().await];

    // The old one may come back, as after a fault of its machine, or when all is taken back.
    let here = Load::start(&[&new]);
    let old = block_in_place(|| old.stop_and_restart());
    let both = Load::start(&[&old, &new]);
    both.goes_on().await;
    here.goes_on().await;
    println!(
        "{previous:?}: {} requests, none failed",
        told[0] + told[1] + here.ends().await + both.ends().await
    );
    block_in_place(|| [old, new].map(Gateway::stop));
}

async fn run(connection: &mut PgConnection, statements: &str) -> sqlx::Result<()> {
    sqlx::raw_sql(AssertSqlSafe(statements.to_owned())).execute(connection).await.map(drop)
}

#[test]
fn a_database_in_a_file_that_a_newer_version_had_is_refused_with_what_to_do() {
    let site = Site::new(SETTINGS);
    let migrate = ["migrate", "--store", "sqlite://mine.db"];
    site.good(&migrate);
    let next = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
        VALUES (1001, 'next', true, x'00', 0)";
    let done = std::process::Command::new("sqlite3").arg(site.path("mine.db")).arg(next).status();
    assert!(done.is_ok_and(|status| status.success()));
    let err = site.bad(&migrate);
    assert!(err.contains("of a newer version") && err.contains("bellboard restore"), "{err}");
}
