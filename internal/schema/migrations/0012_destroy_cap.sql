-- What sagas were let go to destroy, for the caps: by saga, hour and day.
CREATE TABLE destructions (
    account TEXT NOT NULL,
    saga_id TEXT NOT NULL,
    target  TEXT NOT NULL,
    at      BIGINT NOT NULL,
    PRIMARY KEY (saga_id, target)
);
CREATE INDEX destructions_at ON destructions (account, at);
