-- Who did what, append-only but for its retention. `seq` gives a record its place: the time it was
-- written, in microseconds since 1970, moved on where another record stands there already or the
-- clock went back. So the tenant's newest are found by key, and those of a time too.
CREATE TABLE audit (
    tenant     TEXT    NOT NULL,
    seq        INTEGER NOT NULL,
    at         INTEGER NOT NULL,
    action     TEXT    NOT NULL,
    principal  TEXT,
    request_id TEXT,
    detail     TEXT    NOT NULL,
    PRIMARY KEY (tenant, seq)
) WITHOUT ROWID;
