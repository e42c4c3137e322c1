-- What keeps the history in memory reads it anew where the epoch is another: old
-- versions were removed, which is no change in the feed.
ALTER TABLE inv_feed ADD COLUMN epoch BIGINT NOT NULL DEFAULT 0;
