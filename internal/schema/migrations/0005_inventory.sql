-- What DigitalOcean has and had: one row per resource that ever was seen, and one
-- per version of its document.

-- Times of what happened at DigitalOcean are by its clock; those of our own work
-- (began_at, tried_at, missing_since, of runs and generations) are by ours.

-- The state of each list. A list is applied only if it was begun after the one
-- that was applied before it; as_of is DigitalOcean's clock at that list.
CREATE TABLE inv_heads (
    account      TEXT NOT NULL,
    kind         TEXT NOT NULL,
    generation   BIGINT NOT NULL,
    state        TEXT NOT NULL CHECK (state IN ('complete','partial','not_permitted','failed')),
    tried_at     BIGINT NOT NULL,
    began_at     BIGINT,
    as_of        BIGINT,
    first_as_of  BIGINT,
    resources    BIGINT NOT NULL,
    requests     BIGINT NOT NULL,
    error        TEXT,
    PRIMARY KEY (account, kind)
);

CREATE TABLE inv_runs (
    id           TEXT PRIMARY KEY,
    account      TEXT NOT NULL,
    kinds        JSON NOT NULL,
    requested_by TEXT NOT NULL,
    created_at   BIGINT NOT NULL,
    started_at   BIGINT,
    lease_owner  TEXT,
    lease_until  BIGINT,
    finished_at  BIGINT,
    error        TEXT
);
CREATE INDEX inv_runs_open ON inv_runs (created_at) WHERE finished_at IS NULL;
CREATE INDEX inv_runs_account ON inv_runs (account, created_at);

-- One complete or failed look at a list, within a run.
CREATE TABLE inv_generations (
    run        TEXT NOT NULL,
    account    TEXT NOT NULL,
    kind       TEXT NOT NULL,
    generation BIGINT NOT NULL,
    state      TEXT NOT NULL CHECK (state IN ('complete','partial','not_permitted','failed')),
    began_at   BIGINT NOT NULL,
    ended_at   BIGINT NOT NULL,
    as_of      BIGINT,
    resources  BIGINT NOT NULL,
    requests   BIGINT NOT NULL,
    created    BIGINT NOT NULL,
    updated    BIGINT NOT NULL,
    deleted    BIGINT NOT NULL,
    error      TEXT,
    PRIMARY KEY (run, kind)
);
CREATE INDEX inv_generations_kind ON inv_generations (account, kind, began_at);

-- A resource from its first sight on; the row stays when the resource is gone.
-- born and ended are the bounds of when that happened at DigitalOcean, with what
-- shows it. missing_since is when the first list that lacked it was begun, and
-- missing_from and missing_to are DigitalOcean's clock at the last list that had it
-- and at that one.
CREATE TABLE inv_resources (
    urn           TEXT PRIMARY KEY,
    account       TEXT NOT NULL,
    kind          TEXT NOT NULL,
    id            TEXT NOT NULL,
    parent        TEXT NOT NULL,
    version       BIGINT NOT NULL,
    hash          TEXT NOT NULL,
    first_seen    BIGINT NOT NULL,
    last_changed  BIGINT NOT NULL,
    missing_since BIGINT,
    missing_from  BIGINT,
    missing_to    BIGINT,
    born_from     BIGINT,
    born_to       BIGINT NOT NULL,
    born_by       TEXT NOT NULL,
    ended_from    BIGINT,
    ended_to      BIGINT,
    ended_by      TEXT,
    managed_by    TEXT
);
CREATE INDEX inv_resources_list ON inv_resources (account, kind);

-- A version is in force from at until the next one; the current one has no end.
-- One without a document says that the resource was gone. words and tag_lines are
-- what searches look through: in lower case, each between two line breaks.
CREATE TABLE inv_versions (
    urn       TEXT NOT NULL,
    version   BIGINT NOT NULL,
    at        BIGINT NOT NULL,
    until     BIGINT,
    account   TEXT NOT NULL,
    kind      TEXT NOT NULL,
    id        TEXT NOT NULL,
    gone      BOOLEAN NOT NULL,
    name      TEXT NOT NULL,
    region    TEXT NOT NULL,
    status    TEXT NOT NULL,
    size      TEXT NOT NULL,
    project   TEXT NOT NULL,
    tags      JSON NOT NULL,
    tag_lines TEXT NOT NULL,
    words     TEXT NOT NULL,
    monthly   BIGINT,
    created_at BIGINT,
    doc       JSON,
    PRIMARY KEY (urn, version)
);
CREATE INDEX inv_versions_now ON inv_versions (kind, urn) WHERE until IS NULL;
CREATE INDEX inv_versions_at ON inv_versions (at);

-- The feed of changes. A change came about after "after" (unknown for what was there
-- at the first sight) and not later than at; seen is when it was noticed. Numbers are given under the lock of inv_feed's only row, so
-- that they are committed in their order.
CREATE TABLE inv_feed (
    id   BIGINT PRIMARY KEY CHECK (id = 1),
    last BIGINT NOT NULL
);
INSERT INTO inv_feed (id, last) VALUES (1, 0);

CREATE TABLE inv_changes (
    seq     BIGINT PRIMARY KEY,
    urn     TEXT NOT NULL,
    account TEXT NOT NULL,
    kind    TEXT NOT NULL,
    version BIGINT NOT NULL,
    type    TEXT NOT NULL CHECK (type IN ('created','updated','deleted','reappeared','assigned')),
    after   BIGINT,
    at      BIGINT NOT NULL,
    seen    BIGINT NOT NULL,
    cause   TEXT NOT NULL CHECK (cause IN ('first_sight','saga','action','out_of_band','operator','rule')),
    detail  JSON NOT NULL
);
CREATE INDEX inv_changes_urn ON inv_changes (urn, seq);
CREATE INDEX inv_changes_at ON inv_changes (at);

-- What stands to what how, as the current documents say.
CREATE TABLE inv_edges (
    owner   TEXT NOT NULL,
    source  TEXT NOT NULL,
    type    TEXT NOT NULL,
    target  TEXT NOT NULL,
    "first" BOOLEAN NOT NULL,
    PRIMARY KEY (owner, source, type, target)
);
CREATE INDEX inv_edges_source ON inv_edges (source);
CREATE INDEX inv_edges_target ON inv_edges (target);

-- What DigitalOcean did, as /v2/actions tells.
CREATE TABLE inv_actions (
    id            BIGINT PRIMARY KEY,
    account       TEXT NOT NULL,
    status        TEXT NOT NULL,
    type          TEXT NOT NULL,
    resource_type TEXT NOT NULL,
    resource      TEXT NOT NULL,
    started_at    BIGINT NOT NULL,
    completed_at  BIGINT
);
CREATE INDEX inv_actions_resource ON inv_actions (resource_type, resource, started_at);
CREATE INDEX inv_actions_started ON inv_actions (account, started_at);

-- Whose a resource is, and was. A row with an end is history; one without a
-- tenant says that it was looked at and is nobody's.
CREATE TABLE inv_attributions (
    urn        TEXT NOT NULL,
    since      BIGINT NOT NULL,
    until      BIGINT,
    tenant_id  TEXT,
    rule       TEXT NOT NULL CHECK (rule IN ('ledger','tag','project','relation','name','manual')),
    evidence   TEXT NOT NULL,
    confidence BIGINT NOT NULL CHECK (confidence BETWEEN 0 AND 100),
    PRIMARY KEY (urn, since)
);
CREATE INDEX inv_attributions_now ON inv_attributions (tenant_id, urn) WHERE until IS NULL;

-- What somebody said by hand. It survives every sync.
CREATE TABLE inv_assignments (
    urn       TEXT PRIMARY KEY,
    tenant_id TEXT,
    reason    TEXT NOT NULL,
    actor     TEXT NOT NULL,
    at        BIGINT NOT NULL
);

-- What belongs to a tenant by its tag, its project or its name.
CREATE TABLE inv_rules (
    id        TEXT PRIMARY KEY,
    type      TEXT NOT NULL CHECK (type IN ('tag','project','name')),
    pattern   TEXT NOT NULL,
    tenant_id TEXT NOT NULL,
    actor     TEXT NOT NULL,
    at        BIGINT NOT NULL,
    UNIQUE (type, pattern)
);

-- What is worth a look, as of the last sync, and what somebody does not want to hear of.
CREATE TABLE inv_findings (
    id      TEXT PRIMARY KEY,
    rule    TEXT NOT NULL,
    urn     TEXT,
    account TEXT NOT NULL,
    since   BIGINT NOT NULL,
    monthly BIGINT NOT NULL,
    detail  JSON NOT NULL
);

CREATE TABLE inv_mutes (
    finding TEXT PRIMARY KEY,
    until   BIGINT,
    reason  TEXT NOT NULL,
    actor   TEXT NOT NULL,
    at      BIGINT NOT NULL
);

-- Which sagas were open at a time: the inventory asks who brought a change about.
CREATE INDEX sagas_finished ON sagas (finished_at);
