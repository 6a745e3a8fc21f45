-- What users deleted themselves, as it stood in the inbox, so that it can be put back: `rev` and `unread` are those
-- right after it arrived, `deleted_rev` is the deletion's. `is_latest` says that it was the latest one sent with a
-- collapse key. A row is purged minutes later.
CREATE TABLE deleted (
    id          bigint PRIMARY KEY,
    tenant      text COLLATE "C" NOT NULL,
    user_id     bigint NOT NULL,
    rev         bigint NOT NULL,
    unread      bigint NOT NULL,
    read_at     bigint,
    is_latest   bigint NOT NULL,
    deleted_rev bigint NOT NULL,
    deleted_at  bigint NOT NULL
);
