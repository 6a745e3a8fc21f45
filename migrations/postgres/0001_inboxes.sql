-- Times are bigint microseconds since 1970. The tenant is the first column of every key that serves a
-- tenant; it compares by bytes, so that every node locks in one order. Nothing but a transaction of a
-- gateway's writer may change these tables.

-- One row a user: the directory, and the head of the user's inbox. An erased user's row stays, so that
-- the revision never runs backwards; what came up to `erased_upto` is hidden for ever. Pages keep room,
-- so that a head moves within its page and no index.
CREATE TABLE directory (
    tenant       text COLLATE "C" NOT NULL,
    id           bigint NOT NULL,
    rev          bigint NOT NULL DEFAULT 0,
    unread       bigint NOT NULL DEFAULT 0 CHECK (unread >= 0),
    next_expiry  bigint,
    erased_upto  bigint NOT NULL DEFAULT 0,
    erased_at    bigint,
    created_at   bigint NOT NULL,
    updated_at   bigint NOT NULL,
    display_name text,
    locale       text,
    time_zone    text,
    PRIMARY KEY (tenant, id)
) WITH (fillfactor = 70);

-- The heads, as in SQLite. Who is erased, or was never there, has none.
CREATE VIEW head AS
SELECT tenant, id AS user_id, rev, unread, next_expiry, erased_upto FROM directory WHERE erased_at IS NULL;

CREATE INDEX directory_expiry ON directory (next_expiry) WHERE next_expiry IS NOT NULL;

-- Ids grow with time, and within a user in the order of commits: one is taken when the user's row is
-- locked. They stay below 2^53.
CREATE SEQUENCE notification_id AS bigint MAXVALUE 9007199254740991;

-- What was said, append-only: only erasing a user rewrites it. The document is text, as `jsonb` rewrites
-- numbers and refuses what JSON allows.
CREATE TABLE notification (
    id              bigint PRIMARY KEY,
    tenant          text COLLATE "C" NOT NULL,
    user_id         bigint NOT NULL,
    type            text NOT NULL,
    created_at      bigint NOT NULL,
    expires_at      bigint,
    sender          text NOT NULL,
    request_id      text NOT NULL,
    related_user_id bigint,
    doc             text NOT NULL
);

ALTER SEQUENCE notification_id OWNED BY notification.id;

CREATE INDEX notification_related ON notification (tenant, related_user_id)
    WHERE related_user_id IS NOT NULL;

-- What users sent, few beside what keys send: erasing a user finds it.
CREATE INDEX notification_sender ON notification (tenant, sender) WHERE left(sender, 5) = 'user:';

-- The narrow state that changes. `rev` and `unread` are those right after the arrival.
CREATE TABLE inbox (
    tenant     text COLLATE "C" NOT NULL,
    user_id    bigint NOT NULL,
    id         bigint NOT NULL,
    rev        bigint NOT NULL,
    unread     bigint NOT NULL,
    read_at    bigint,
    expires_at bigint,
    PRIMARY KEY (tenant, user_id, id)
) WITH (fillfactor = 85);

CREATE INDEX inbox_expiry ON inbox (tenant, user_id, expires_at) WHERE expires_at IS NOT NULL;

-- What happened to an inbox other than an arrival. `seq` grows with time, about, so the oldest are first.
CREATE TABLE change (
    seq             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant          text COLLATE "C" NOT NULL,
    user_id         bigint NOT NULL,
    rev             bigint NOT NULL,
    kind            text NOT NULL,
    notification_id bigint,
    unread          bigint NOT NULL,
    at              bigint NOT NULL,
    UNIQUE (tenant, user_id, rev)
);

-- The latest notification sent with a collapse key. Of the key, which a sender chooses, the SHA-256 alone.
CREATE TABLE collapse (
    tenant  text COLLATE "C" NOT NULL,
    user_id bigint NOT NULL,
    key     bytea NOT NULL,
    id      bigint NOT NULL,
    PRIMARY KEY (tenant, user_id, key)
);

CREATE INDEX collapse_id ON collapse (id);

-- Erased users whose rows are still to be purged: notifications up to `upto`, changes before `rev`.
CREATE TABLE erasure (
    tenant  text COLLATE "C" NOT NULL,
    user_id bigint NOT NULL,
    upto    bigint NOT NULL,
    rev     bigint NOT NULL,
    PRIMARY KEY (tenant, user_id)
);

-- The answers to sends that came with an idempotency key, by the SHA-256 of key and body: kept a day. `principal` is
-- whose key it is, `user_id` whose notification.
CREATE TABLE idempotency (
    tenant          text COLLATE "C" NOT NULL,
    principal       text COLLATE "C" NOT NULL,
    key             bytea NOT NULL,
    body            bytea NOT NULL,
    user_id         bigint NOT NULL,
    notification_id bigint NOT NULL,
    at              bigint NOT NULL,
    answer          text NOT NULL,
    PRIMARY KEY (tenant, principal, key)
);

CREATE INDEX idempotency_user ON idempotency (tenant, user_id);

CREATE INDEX idempotency_at ON idempotency (at);

-- The last batch that each lane of a running gateway committed. A lane whose commit got no answer looks
-- here whether it took place.
CREATE TABLE lane (
    id    bigint PRIMARY KEY,
    batch bigint NOT NULL,
    at    bigint NOT NULL
) WITH (fillfactor = 10);

-- For people with a question: the users there are, and what stands in their inboxes.
CREATE VIEW users AS
SELECT id, tenant, display_name, locale, time_zone, unread AS unread_count,
       timestamptz 'epoch' + created_at * interval '1 microsecond' AS created_at,
       timestamptz 'epoch' + updated_at * interval '1 microsecond' AS updated_at
  FROM directory WHERE erased_at IS NULL;

CREATE VIEW notifications AS
SELECT i.id AS notification_id, d.tenant, d.id AS user_id, n.type,
       n.doc::json ->> 'title' AS title, n.doc::json ->> 'message' AS message,
       n.doc::json ->> 'link' AS link, n.doc::json -> 'metadata' AS metadata,
       i.read_at IS NOT NULL AS is_read,
       timestamptz 'epoch' + n.created_at * interval '1 microsecond' AS created_at,
       timestamptz 'epoch' + i.read_at * interval '1 microsecond' AS read_at,
       timestamptz 'epoch' + i.expires_at * interval '1 microsecond' AS expires_at,
       n.doc::json ->> 'related_ticket_id' AS related_ticket_id, n.related_user_id,
       n.doc::json ->> 'severity' AS severity, n.sender, n.request_id
  FROM directory d
  JOIN inbox i ON i.tenant = d.tenant AND i.user_id = d.id AND i.id > d.erased_upto
  JOIN notification n ON n.id = i.id AND n.tenant = i.tenant
 WHERE d.erased_at IS NULL
   AND (i.expires_at IS NULL OR i.expires_at > extract(epoch FROM now()) * 1000000);
