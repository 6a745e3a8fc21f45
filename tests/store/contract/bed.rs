//! A database to test on, and short ways to use a store on it.

use std::sync::{Arc, Mutex};

use bellboard::cache::UnreadCache;
use bellboard::clock::Clock;
use bellboard::domain::{
    Change, Draft, Limits, NotificationId, Profile, Sealed, TenantId, Timestamp, UserId,
};
use bellboard::store::{CommitListener, NewNotification, Options, PageQuery, Store};

use crate::support::{Tool, pooler, postgres::Database};

/// A fresh database. It goes with the bed.
pub struct Bed {
    pub url: String,
    pub clock: Clock,
    pub heard: Arc<Heard>,
    home: Home,
}

/// Where the database is.
enum Home {
    Folder(#[expect(dead_code, reason = "it goes with the bed")] tempfile::TempDir),
    Server(Database),
}

/// Keeps what the writer told.
#[derive(Default)]
pub struct Heard(pub Mutex<Vec<Change>>);

impl CommitListener for Heard {
    fn committed(&self, changes: &[Change]) {
        self.0.lock().expect("sound").extend_from_slice(changes);
    }
}

/// Listens as the gateway does: the cache, then whoever else.
struct Both(Arc<UnreadCache>, Arc<Heard>);

impl CommitListener for Both {
    fn committed(&self, changes: &[Change]) {
        for change in changes {
            self.0.bump(&change.tenant, change.user);
        }
        self.1.committed(changes);
    }
}

/// Noon of some day.
pub const NOON: Timestamp = Timestamp(1_768_132_800_000_000);

impl Bed {
    pub fn sqlite() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        Self::of(format!("sqlite://{}", folder.path().join("test.db").display()), Home::Folder(folder))
    }

    pub fn postgres() -> Self {
        let database = Database::new();
        Self::of(database.url.clone(), Home::Server(database))
    }

    /// Through a pooler that lends out connections by the transaction.
    pub fn pooled() -> Self {
        let database = Database::new();
        Self::of(pooler::url(&database), Home::Server(database))
    }

    fn of(url: String, home: Home) -> Self {
        Self { url, clock: Clock::fixed(NOON), heard: Arc::default(), home }
    }

    /// The database, where it is on a server.
    pub fn database(&self) -> &Database {
        match &self.home {
            Home::Server(database) => database,
            Home::Folder(_) => panic!("it is in a file"),
        }
    }

    pub async fn open(&self) -> Store {
        self.open_with(Options::default()).await
    }

    pub async fn open_with(&self, options: Options) -> Store {
        let options = Options { clock: self.clock.clone(), ..options };
        Store::open(&self.url, options, self.heard.clone(), Arc::new(())).await.expect("opens")
    }

    /// A store that tells this cache of its commits too.
    pub async fn open_before(&self, cache: &Arc<UnreadCache>, options: Options) -> Store {
        let options = Options { clock: self.clock.clone(), ..options };
        let listener = Arc::new(Both(cache.clone(), self.heard.clone()));
        Store::open(&self.url, options, listener, Arc::new(())).await.expect("opens")
    }

    /// Another fresh database of the same engine.
    pub fn another(&self) -> Self {
        match self.home {
            Home::Folder(_) => Self::sqlite(),
            Home::Server(_) if self.url.contains('?') => Self::pooled(),
            Home::Server(_) => Self::postgres(),
        }
    }

    /// A tool from outside.
    pub async fn tool(&self) -> Tool {
        match &self.home {
            Home::Folder(_) => Tool::of(&self.url).await,
            Home::Server(database) => Tool::of(&database.url).await,
        }
    }

    /// Runs statements as a hand from outside would.
    pub async fn sql(&self, statements: &'static str) {
        self.tool().await.run(statements).await;
    }

    /// Changes heads as a hand from outside would.
    pub async fn set_heads(&self, set: &str, of: &str) {
        self.tool().await.set_heads(set, of).await;
    }

    /// A store with the tenant `default` and its users 1 to 3.
    pub async fn with_users(&self) -> Store {
        let store = self.open().await;
        for user in 1..=3 {
            store.put_user(&tenant(), user_id(user), Profile::default(), None).await.expect("stored");
        }
        store
    }

    /// So many notifications in an inbox of the tenant `default`, put there faster than by sending. No store
    /// may be open: it would give the same ids again.
    pub async fn fill(&self, user: i64, count: i64) {
        match self.tool().await {
            Tool::File(mut file) => {
                let fill = sqlx::query(FILL_FILE).bind(user).bind(count).bind(NOON.0);
                fill.execute(&mut file).await.map(drop)
            }
            Tool::Server(mut server) => {
                let fill = sqlx::query(FILL_SERVER).bind(user).bind(count).bind(NOON.0);
                fill.execute(&mut server).await.map(drop)
            }
        }
        .expect("filled");
    }

    /// All changes heard so far.
    pub fn changes(&self) -> Vec<Change> {
        self.heard.0.lock().expect("sound").clone()
    }
}

const FILL_FILE: &str = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?2)
    INSERT INTO arrival
    SELECT ifnull((SELECT max(id) FROM notification), 0) + i, 'default', ?1, 'custom', ?3, NULL,
           'key:test', 'r-1', NULL, '{\"title\":\"x\"}', rev + i, unread + i
      FROM n JOIN head ON tenant = 'default' AND user_id = ?1";

const FILL_SERVER: &str = "WITH
    new AS MATERIALIZED (SELECT nextval('notification_id') AS id, i FROM generate_series(1, $2::bigint) AS n (i)),
    said AS (
        INSERT INTO notification (id, tenant, user_id, type, created_at, sender, request_id, doc)
        SELECT id, 'default', $1, 'custom', $3, 'key:test', 'r-1', '{\"title\":\"x\"}' FROM new),
    moved AS (
        UPDATE directory SET rev = rev + $2, unread = unread + $2 WHERE tenant = 'default' AND id = $1
        RETURNING rev - $2 AS rev, unread - $2 AS unread)
    INSERT INTO inbox (tenant, user_id, id, rev, unread)
    SELECT 'default', $1, id, rev + i, unread + i FROM new CROSS JOIN moved";

pub fn tenant() -> TenantId {
    TenantId::default()
}

pub fn tenant_of(name: &str) -> TenantId {
    TenantId::new(name).expect("a name")
}

pub fn user_id(id: i64) -> UserId {
    UserId::new(id).expect("an id")
}

pub fn id(id: i64) -> NotificationId {
    NotificationId::new(id).expect("an id")
}

pub fn draft(user: i64, title: &str) -> Draft {
    Draft { user_id: user, kind: "custom".into(), title: title.into(), ..Draft::default() }
}

pub fn new(draft: Draft) -> NewNotification {
    NewNotification {
        sealed: Sealed::from_draft(draft, &Limits::default()).expect("a good draft").into(),
        sender: "key:test".into(),
        request_id: "r-1".into(),
        create_user: false,
        idempotency: None,
        whole: None,
    }
}

/// Sends to a user of the tenant `default`.
pub async fn send(store: &Store, user: i64, title: &str) -> NotificationId {
    send_draft(store, draft(user, title)).await
}

pub async fn send_draft(store: &Store, draft: Draft) -> NotificationId {
    store.send(&tenant(), new(draft)).await.expect("stored").id
}

/// The titles in an inbox of the tenant `default`, newest first.
pub async fn titles(store: &Store, user: i64, query: PageQuery) -> Vec<String> {
    let page = store.page(&tenant(), user_id(user), &query).await.expect("a page");
    page.notifications.iter().map(|n| title(n.content.as_json())).collect()
}

pub fn title(content: &str) -> String {
    let content: serde_json::Value = serde_json::from_str(content).expect("JSON");
    content["title"].as_str().expect("a title").to_owned()
}

pub async fn unread(store: &Store, user: i64) -> i64 {
    store.head(&tenant(), user_id(user)).await.expect("a head").unread
}

pub fn all() -> PageQuery {
    PageQuery { limit: 200, ..PageQuery::default() }
}
