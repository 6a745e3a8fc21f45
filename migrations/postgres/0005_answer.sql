-- What the last batch of a lane came to, where one statement was all of it: four figures of each notification that was
-- stored, namely all their places in the batch, then all ids, revisions and unread counts.
ALTER TABLE lane ADD COLUMN answer bigint[];
