-- Requests about money that came with a key, so that they are done once however often
-- they come. A row is made by the transaction that does what was asked; what was
-- answered is added after it.
CREATE TABLE billing_requests (
    key     TEXT PRIMARY KEY,
    digest  TEXT NOT NULL, -- of all that was asked
    done_at BIGINT NOT NULL,
    answer  TEXT -- JSON
);
