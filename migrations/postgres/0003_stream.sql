-- Which history the revisions count in. What streams know of one says nothing of another. `cluster` is the number of
-- the server that wrote the row: one that finds another's, as after a dump was restored, begins a history of its own.
CREATE TABLE history (epoch bigint NOT NULL, cluster text NOT NULL);

INSERT INTO history (epoch, cluster) VALUES (hashtextextended(gen_random_uuid()::text, 0), '');

-- The timeline, which changes where a server goes on from a backup, or takes over from one that failed. Empty where
-- the server does not tell.
CREATE FUNCTION history_timeline() RETURNS text LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN left(pg_walfile_name(pg_current_wal_lsn()), 8);
EXCEPTION WHEN OTHERS THEN
    RETURN '';
END $$;

-- The history as of now. The transaction that wrote the row is another where a dump was restored on the same server.
CREATE VIEW history_now AS
SELECT hashtextextended(concat_ws('.', epoch, xmin, history_timeline()), 0) AS epoch FROM history;

-- The greatest revision of each inbox whose change was purged: a stream that has not come so far cannot be told
-- all that it missed.
CREATE TABLE forgotten (
    tenant  text COLLATE "C" NOT NULL,
    user_id bigint NOT NULL,
    rev     bigint NOT NULL,
    PRIMARY KEY (tenant, user_id)
);
