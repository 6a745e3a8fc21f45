//! A database to test on, and short ways to use a store on it.

use std::sync::{Arc, Mutex};

use bellboard::cache::UnreadCache;
use bellboard::clock::Clock;
use bellboard::domain::{
    Change, Draft, Limits, NotificationId, Profile, Sealed, TenantId, Timestamp, UserId,
};
use bellboard::store::{CommitListener, NewNotification, Options, PageQuery, Store};
use sqlx::{Connection, SqliteConnection};

/// A fresh database. It goes with the bed.
pub struct Bed {
    pub url: String,
    pub clock: Clock,
    pub heard: Arc<Heard>,
    _folder: tempfile::TempDir,
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
        Self {
            url: format!("sqlite://{}", folder.path().join("test.db").display()),
            clock: Clock::fixed(NOON),
            heard: Arc::default(),
            _folder: folder,
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
        Self::sqlite()
    }

    /// A tool from outside.
    pub async fn tool(&self) -> SqliteConnection {
        SqliteConnection::connect(&self.url).await.expect("connects")
    }

    /// Runs a statement as a hand from outside would.
    pub async fn sql(&self, statement: &'static str) {
        sqlx::raw_sql(statement).execute(&mut self.tool().await).await.expect("runs");
    }

    /// Changes heads as a hand from outside would.
    pub async fn set_heads(&self, set: &str, of: &str) {
        let change = format!("UPDATE inbox SET {set} WHERE id = 9223372036854775807 AND {of}");
        sqlx::raw_sql(sqlx::AssertSqlSafe(change)).execute(&mut self.tool().await).await.expect("runs");
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
        sqlx::query(
            "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?2)
             INSERT INTO arrival
             SELECT ifnull((SELECT max(id) FROM notification), 0) + i, 'default', ?1, 'custom', ?3, NULL,
                    'key:test', 'r-1', NULL, '{\"title\":\"x\"}', rev + i, unread + i
               FROM n JOIN head ON tenant = 'default' AND user_id = ?1",
        )
        .bind(user)
        .bind(count)
        .bind(NOON.0)
        .execute(&mut self.tool().await)
        .await
        .expect("filled");
    }

    /// All changes heard so far.
    pub fn changes(&self) -> Vec<Change> {
        self.heard.0.lock().expect("sound").clone()
    }
}

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
