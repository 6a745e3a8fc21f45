-- What users deleted themselves, as it stood in the inbox, so that it can be put back: `rev` and `unread` are those
-- right after it arrived, `deleted_rev` is the deletion's. `is_latest` says that it was the latest one sent with a
-- collapse key. A row is purged minutes later.
CREATE TABLE deleted (
    id          INTEGER PRIMARY KEY,
    tenant      TEXT    NOT NULL,
    user_id     INTEGER NOT NULL,
    rev         INTEGER NOT NULL,
    unread      INTEGER NOT NULL,
    read_at     INTEGER,
    is_latest   INTEGER NOT NULL,
    deleted_rev INTEGER NOT NULL,
    deleted_at  INTEGER NOT NULL
);

CREATE TRIGGER change_is_unreading AFTER INSERT ON change WHEN NEW.kind = 'unread' BEGIN
    UPDATE inbox SET read_at = NULL
     WHERE tenant = NEW.tenant AND user_id = NEW.user_id AND id = NEW.notification_id;
END;
