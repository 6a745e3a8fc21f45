-- Which history the revisions count in. A copy of the database that goes on by itself has another one: what
-- streams know of the first says nothing of it.
CREATE TABLE history (epoch INTEGER NOT NULL);

INSERT INTO history (epoch) VALUES (random());

-- The greatest revision of each inbox whose change was purged: a stream that has not come so far cannot be told
-- all that it missed.
CREATE TABLE forgotten (
    tenant  TEXT    NOT NULL,
    user_id INTEGER NOT NULL,
    rev     INTEGER NOT NULL,
    PRIMARY KEY (tenant, user_id)
) WITHOUT ROWID;
