-- Who did what, append-only but for its retention. `seq` gives a record its place: the time it was
-- written, in microseconds since 1970, moved on where another record stands there already or the
-- clock went back. So the tenant's newest are found by key, and those of a time too.
CREATE TABLE audit (
    tenant     text COLLATE "C" NOT NULL,
    seq        bigint NOT NULL,
    at         bigint NOT NULL,
    action     text NOT NULL,
    principal  text,
    request_id text,
    detail     text NOT NULL,
    PRIMARY KEY (tenant, seq)
);
