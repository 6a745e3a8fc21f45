-- Times are integer microseconds since 1970. The tenant is the first column of every key that
-- serves a tenant. Nothing but a transaction of the gateway's writer may change these tables.

-- One row a user. An erased user's row stays: should they come back, their inbox goes on behind revision
-- `erased_rev`, and what came up to `erased_upto` is hidden for ever.
CREATE TABLE directory (
    tenant       TEXT    NOT NULL,
    id           INTEGER NOT NULL,
    erased_at    INTEGER,
    erased_rev   INTEGER NOT NULL DEFAULT 0,
    erased_upto  INTEGER NOT NULL DEFAULT 0,
    created_at   INTEGER NOT NULL,
    updated_at   INTEGER NOT NULL,
    display_name TEXT,
    locale       TEXT,
    time_zone    TEXT,
    PRIMARY KEY (tenant, id)
) WITHOUT ROWID;

-- What was said, append-only: only erasing a user rewrites it. AUTOINCREMENT, so that an id is
-- not used again even after the newest row is purged.
CREATE TABLE notification (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant          TEXT    NOT NULL,
    user_id         INTEGER NOT NULL,
    type            TEXT    NOT NULL,
    created_at      INTEGER NOT NULL,
    expires_at      INTEGER,
    sender          TEXT    NOT NULL,
    request_id      TEXT    NOT NULL,
    related_user_id INTEGER,
    doc             TEXT    NOT NULL
);

CREATE INDEX notification_related ON notification (tenant, related_user_id)
    WHERE related_user_id IS NOT NULL;

-- What users sent, few beside what keys send: erasing a user finds it.
CREATE INDEX notification_sender ON notification (tenant, sender) WHERE substr(sender, 1, 5) = 'user:';

-- The narrow state that changes: a row for each notification that an inbox holds, and behind them, under the
-- greatest id there is, the inbox's head. There it is on the page that an arrival writes anyway, and the newest
-- rows are read from. `rev` and `unread` are the head's now, and in a notification's row those right after it
-- arrived. The last two columns are the head's alone.
CREATE TABLE inbox (
    tenant      TEXT    NOT NULL,
    user_id     INTEGER NOT NULL,
    id          INTEGER NOT NULL,
    rev         INTEGER NOT NULL,
    unread      INTEGER NOT NULL CHECK (unread >= 0),
    read_at     INTEGER,
    expires_at  INTEGER,
    next_expiry INTEGER,
    erased_upto INTEGER,
    PRIMARY KEY (tenant, user_id, id)
) WITHOUT ROWID;

CREATE INDEX inbox_expiry ON inbox (tenant, user_id, expires_at) WHERE expires_at IS NOT NULL;

CREATE INDEX inbox_next_expiry ON inbox (next_expiry) WHERE next_expiry IS NOT NULL;

-- The heads. Who is erased, or was never there, has none.
CREATE VIEW head AS
SELECT tenant, user_id, rev, unread, next_expiry, erased_upto FROM inbox WHERE id = 9223372036854775807;

CREATE TRIGGER user_comes AFTER INSERT ON directory BEGIN
    INSERT INTO inbox (tenant, user_id, id, rev, unread, erased_upto)
    VALUES (NEW.tenant, NEW.id, 9223372036854775807, 0, 0, 0);
END;

CREATE TRIGGER user_goes AFTER UPDATE OF erased_at ON directory
WHEN OLD.erased_at IS NULL AND NEW.erased_at IS NOT NULL BEGIN
    DELETE FROM inbox WHERE tenant = NEW.tenant AND user_id = NEW.id AND id = 9223372036854775807;
END;

CREATE TRIGGER user_comes_back AFTER UPDATE OF erased_at ON directory
WHEN OLD.erased_at IS NOT NULL AND NEW.erased_at IS NULL BEGIN
    INSERT INTO inbox (tenant, user_id, id, rev, unread, erased_upto)
    VALUES (NEW.tenant, NEW.id, 9223372036854775807, NEW.erased_rev, 0, NEW.erased_upto);
END;

-- What happened to an inbox other than an arrival. `seq` grows with time, so the oldest are first.
CREATE TABLE change (
    seq             INTEGER PRIMARY KEY,
    tenant          TEXT    NOT NULL,
    user_id         INTEGER NOT NULL,
    rev             INTEGER NOT NULL,
    kind            TEXT    NOT NULL,
    notification_id INTEGER,
    unread          INTEGER NOT NULL,
    at              INTEGER NOT NULL,
    UNIQUE (tenant, user_id, rev)
);

-- The latest notification sent with a collapse key. Of the key, which a sender chooses, the SHA-256 alone.
CREATE TABLE collapse (
    tenant  TEXT    NOT NULL,
    user_id INTEGER NOT NULL,
    key     BLOB    NOT NULL,
    id      INTEGER NOT NULL,
    PRIMARY KEY (tenant, user_id, key)
) WITHOUT ROWID;

CREATE INDEX collapse_id ON collapse (id);

-- Erased users whose rows are still to be purged: notifications up to `upto`, changes before `rev`.
CREATE TABLE erasure (
    tenant  TEXT    NOT NULL,
    user_id INTEGER NOT NULL,
    upto    INTEGER NOT NULL,
    rev     INTEGER NOT NULL,
    PRIMARY KEY (tenant, user_id)
) WITHOUT ROWID;

-- The answers to sends that came with an idempotency key, by the SHA-256 of key and body: kept a day. `principal` is
-- whose key it is, `user_id` whose notification.
CREATE TABLE idempotency (
    tenant          TEXT    NOT NULL,
    principal       TEXT    NOT NULL,
    key             BLOB    NOT NULL,
    body            BLOB    NOT NULL,
    user_id         INTEGER NOT NULL,
    notification_id INTEGER NOT NULL,
    at              INTEGER NOT NULL,
    answer          TEXT    NOT NULL,
    PRIMARY KEY (tenant, principal, key)
) WITHOUT ROWID;

CREATE INDEX idempotency_user ON idempotency (tenant, user_id);

CREATE INDEX idempotency_at ON idempotency (at);

-- One row that the readiness probe writes.
CREATE TABLE probe (id INTEGER PRIMARY KEY CHECK (id = 1), at INTEGER NOT NULL);

-- How a notification is stored: the writer gives what is said, and the revision and the unread count that its
-- arrival leads to. One statement is then a whole transaction of many arrivals.
CREATE VIEW arrival AS
SELECT id, tenant, user_id, type, created_at, expires_at, sender, request_id, related_user_id, doc,
       NULL AS rev, NULL AS unread
  FROM notification;

CREATE TRIGGER arrival_is_stored INSTEAD OF INSERT ON arrival BEGIN
    INSERT INTO notification (id, tenant, user_id, type, created_at, expires_at, sender, request_id,
                              related_user_id, doc)
    VALUES (NEW.id, NEW.tenant, NEW.user_id, NEW.type, NEW.created_at, NEW.expires_at, NEW.sender,
            NEW.request_id, NEW.related_user_id, NEW.doc);
    INSERT INTO inbox (tenant, user_id, id, rev, unread, expires_at)
    VALUES (NEW.tenant, NEW.user_id, NEW.id, NEW.rev, NEW.unread, NEW.expires_at);
    UPDATE inbox SET rev = NEW.rev, unread = NEW.unread
     WHERE tenant = NEW.tenant AND user_id = NEW.user_id AND id = 9223372036854775807;
END;

CREATE TRIGGER arrival_will_expire INSTEAD OF INSERT ON arrival WHEN NEW.expires_at IS NOT NULL BEGIN
    UPDATE inbox SET next_expiry = min(ifnull(next_expiry, NEW.expires_at), NEW.expires_at)
     WHERE tenant = NEW.tenant AND user_id = NEW.user_id AND id = 9223372036854775807;
END;

-- Any other change moves the head as it is recorded, and a reading marks what was read.
CREATE TRIGGER change_moves_head AFTER INSERT ON change BEGIN
    UPDATE inbox SET rev = NEW.rev, unread = NEW.unread
     WHERE tenant = NEW.tenant AND user_id = NEW.user_id AND id = 9223372036854775807;
END;

CREATE TRIGGER change_is_reading AFTER INSERT ON change WHEN NEW.kind = 'read' BEGIN
    UPDATE inbox SET read_at = NEW.at
     WHERE tenant = NEW.tenant AND user_id = NEW.user_id AND id = NEW.notification_id;
END;

-- For people with a question: the users there are, and what stands in their inboxes.
CREATE VIEW users AS
SELECT d.id, d.tenant, d.display_name, d.locale, d.time_zone, h.unread AS unread_count,
       strftime('%Y-%m-%dT%H:%M:%fZ', d.created_at / 1e6, 'unixepoch') AS created_at,
       strftime('%Y-%m-%dT%H:%M:%fZ', d.updated_at / 1e6, 'unixepoch') AS updated_at
  FROM directory d CROSS JOIN head h ON h.tenant = d.tenant AND h.user_id = d.id;

-- The time goes by `julianday`, as older `sqlite3` programs have no `unixepoch('subsec')`.
CREATE VIEW notifications AS
SELECT i.id AS notification_id, h.tenant, h.user_id, n.type,
       n.doc ->> '$.title' AS title, n.doc ->> '$.message' AS message,
       n.doc ->> '$.link' AS link, n.doc -> '$.metadata' AS metadata,
       i.read_at IS NOT NULL AS is_read,
       strftime('%Y-%m-%dT%H:%M:%fZ', n.created_at / 1e6, 'unixepoch') AS created_at,
       strftime('%Y-%m-%dT%H:%M:%fZ', i.read_at / 1e6, 'unixepoch') AS read_at,
       strftime('%Y-%m-%dT%H:%M:%fZ', i.expires_at / 1e6, 'unixepoch') AS expires_at,
       n.doc ->> '$.related_ticket_id' AS related_ticket_id, n.related_user_id,
       n.doc ->> '$.severity' AS severity, n.sender, n.request_id
  FROM directory d
 CROSS JOIN head h ON h.tenant = d.tenant AND h.user_id = d.id
 CROSS JOIN inbox i ON i.tenant = h.tenant AND i.user_id = h.user_id AND i.id > h.erased_upto
 CROSS JOIN notification n ON n.id = i.id AND n.tenant = i.tenant
 WHERE (i.expires_at IS NULL
        OR i.expires_at > CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER));
