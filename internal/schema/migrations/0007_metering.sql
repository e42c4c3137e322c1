-- What tenants used. An event is counted once by (tenant_id, source, id) and is never
-- changed or removed: what corrects it is an event of its own. Of its data those
-- members are kept that can be a value, as texts, so that no number is ever a float.
-- hash is of all that two tellings of one event must agree on. One that only voids
-- another does not count itself.
CREATE TABLE usage_events (
    tenant_id   TEXT NOT NULL,
    source      TEXT NOT NULL,
    id          TEXT NOT NULL,
    hash        TEXT NOT NULL,
    type        TEXT NOT NULL,
    at          BIGINT NOT NULL,
    recorded_at BIGINT NOT NULL,
    counts      BOOLEAN NOT NULL,
    data        JSON NOT NULL,
    PRIMARY KEY (tenant_id, source, id)
);
CREATE INDEX usage_events_at ON usage_events (tenant_id, type, at);

-- Events that no longer count, with the event of the same tenant and source that
-- says so.
CREATE TABLE usage_corrections (
    tenant_id   TEXT NOT NULL,
    source      TEXT NOT NULL,
    id          TEXT NOT NULL,
    by_id       TEXT NOT NULL,
    voids       BOOLEAN NOT NULL,
    recorded_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, source, id)
);

-- Events that were told again with another content: the first telling counts, and
-- somebody has to look.
CREATE TABLE usage_conflicts (
    tenant_id TEXT NOT NULL,
    source    TEXT NOT NULL,
    id        TEXT NOT NULL,
    hash      TEXT NOT NULL,
    type      TEXT NOT NULL,
    at        BIGINT NOT NULL,
    data      JSON NOT NULL,
    told      BIGINT NOT NULL,
    first_at  BIGINT NOT NULL,
    last_at   BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, source, id, hash)
);
CREATE INDEX usage_conflicts_last ON usage_conflicts (last_at);

-- Which events count, and how. A meter is never changed once it has counted.
CREATE TABLE usage_meters (
    id         TEXT PRIMARY KEY,
    event_type TEXT NOT NULL,
    aggregate  TEXT NOT NULL CHECK (aggregate IN ('sum','count','max','min','unique','latest','time_weighted')),
    value      TEXT NOT NULL,
    filter     JSON NOT NULL,
    group_by   JSON NOT NULL,
    created_at BIGINT NOT NULL,
    created_by TEXT NOT NULL
);
CREATE INDEX usage_meters_type ON usage_meters (event_type);

-- Hours of events that are not in usage_hours and usage_counts as they are now. Who
-- brings events adds marks, and never waits for who removes them.
CREATE TABLE usage_marks (
    id        BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id TEXT NOT NULL,
    type      TEXT NOT NULL,
    hour      BIGINT NOT NULL
);
CREATE INDEX usage_marks_hour ON usage_marks (tenant_id, type, hour);

-- What meters make of the events of an hour, by tenant and group: made of the events,
-- and can be made of them again at any time.
CREATE TABLE usage_hours (
    tenant_id    TEXT NOT NULL,
    meter        TEXT NOT NULL,
    hour         BIGINT NOT NULL,
    group_values TEXT NOT NULL,
    events       BIGINT NOT NULL,
    bucket       JSON NOT NULL,
    PRIMARY KEY (tenant_id, meter, hour, group_values)
);

-- How many events of an hour count, how many of them no meter is about, and how many
-- a meter is about that cannot read their value.
CREATE TABLE usage_counts (
    tenant_id  TEXT NOT NULL,
    type       TEXT NOT NULL,
    hour       BIGINT NOT NULL,
    events     BIGINT NOT NULL,
    unmetered  BIGINT NOT NULL,
    unreadable BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, type, hour)
);
CREATE INDEX usage_counts_type ON usage_counts (type);

-- The lifetimes of resources, cut where their size, price, status or tenant changes.
-- What a resource began as and ended as is between "earliest" (unknown where it is
-- NULL) and "at"; where both are the same it is known to the instant. began_seq is
-- the change of the inventory's feed that began the piece.
CREATE TABLE usage_lifetimes (
    urn            TEXT NOT NULL,
    began_at       BIGINT NOT NULL,
    ended_at       BIGINT,
    began_seq      BIGINT NOT NULL,
    began_earliest BIGINT,
    began_by       TEXT NOT NULL,
    ended_earliest BIGINT,
    ended_by       TEXT NOT NULL,
    account        TEXT NOT NULL,
    kind           TEXT NOT NULL,
    size           TEXT NOT NULL,
    status         TEXT NOT NULL,
    monthly        BIGINT,
    tenant_id      TEXT,
    PRIMARY KEY (urn, began_at)
);
CREATE INDEX usage_lifetimes_tenant ON usage_lifetimes (tenant_id, began_at);

-- How far the inventory's feed was followed.
CREATE TABLE usage_cursor (
    id   BIGINT PRIMARY KEY CHECK (id = 1),
    last BIGINT NOT NULL
);
INSERT INTO usage_cursor (id, last) VALUES (1, 0);
