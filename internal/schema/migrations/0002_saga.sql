-- The step ledger: a saga's row, its steps, its events, and what it locks.

CREATE TABLE sagas (
    id           TEXT PRIMARY KEY,
    kind         TEXT NOT NULL,
    state        TEXT NOT NULL CHECK (state IN ('created','ready','running','waiting','paused','compensating','completed','rolled_back','stuck')),
    direction    TEXT NOT NULL CHECK (direction IN ('forward','undo')),
    want         TEXT NOT NULL CHECK (want IN ('run','pause','cancel')),
    epoch        BIGINT NOT NULL,
    rev          BIGINT NOT NULL,
    lease_owner  TEXT,
    lease_until  BIGINT,
    wake_at      BIGINT,
    wait_reason  TEXT,
    watch        JSON,
    stage        BIGINT NOT NULL,
    position     BIGINT NOT NULL,
    data         JSON NOT NULL,
    tenant_id    TEXT,
    requested_by TEXT NOT NULL,
    plan_hash    TEXT,
    error        JSON,
    ever_unknown BOOLEAN NOT NULL,
    last_seq     BIGINT NOT NULL,
    created_at   BIGINT NOT NULL,
    started_at   BIGINT,
    finished_at  BIGINT
);

-- Due: an owner's lease is over, or nobody owns it and its time has come.
CREATE INDEX sagas_due ON sagas ((CASE WHEN lease_owner IS NULL THEN wake_at ELSE lease_until END));
CREATE INDEX sagas_state ON sagas (state, id);
CREATE INDEX sagas_kind ON sagas (kind, id);
CREATE INDEX sagas_watched ON sagas (id) WHERE watch IS NOT NULL;

CREATE TABLE saga_steps (
    saga_id       TEXT NOT NULL REFERENCES sagas (id),
    stage         BIGINT NOT NULL,
    "index"       BIGINT NOT NULL,
    name          TEXT NOT NULL,
    state         TEXT NOT NULL CHECK (state IN ('pending','executing','waiting','unknown','completed','failed','compensating','compensated','undo_failed','skipped')),
    next_entry    TEXT NOT NULL CHECK (next_entry IN ('first','resumed','retry','recovered')),
    attempts      BIGINT NOT NULL,
    undo_attempts BIGINT NOT NULL,
    unknown_since BIGINT,
    started_at    BIGINT,
    finished_at   BIGINT,
    output        JSON,
    error         JSON,
    PRIMARY KEY (saga_id, stage, "index")
);

-- feed numbers every event of every saga, for those who follow along; seq is
-- the saga's own. No foreign key: each insert follows the update of its saga's
-- row in the same commit, and PostgreSQL would look the row up again each time.
CREATE TABLE saga_events (
    feed    BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    saga_id TEXT NOT NULL,
    seq     BIGINT NOT NULL,
    rev     BIGINT NOT NULL,
    at      BIGINT NOT NULL,
    type    TEXT NOT NULL,
    step    TEXT,
    epoch   BIGINT NOT NULL,
    actor   TEXT,
    detail  JSON,
    UNIQUE (saga_id, seq)
);

-- What an open saga names, and what an owner has taken of it.
CREATE TABLE saga_subjects (
    saga_id TEXT NOT NULL REFERENCES sagas (id),
    subject TEXT NOT NULL,
    PRIMARY KEY (saga_id, subject)
);
CREATE INDEX saga_subjects_subject ON saga_subjects (subject, saga_id);

CREATE TABLE saga_locks (
    subject TEXT PRIMARY KEY,
    saga_id TEXT NOT NULL REFERENCES sagas (id)
);
CREATE INDEX saga_locks_saga ON saga_locks (saga_id);

CREATE TABLE saga_keys (
    scope        TEXT NOT NULL,
    kind         TEXT NOT NULL,
    key          TEXT NOT NULL,
    request_hash TEXT NOT NULL,
    saga_id      TEXT NOT NULL REFERENCES sagas (id),
    PRIMARY KEY (scope, kind, key)
);
CREATE INDEX saga_keys_saga ON saga_keys (saga_id);

-- Looks for leftovers that are due after the end of a saga whose requests were
-- ever unknown.
CREATE TABLE saga_sweeps (
    saga_id TEXT NOT NULL REFERENCES sagas (id),
    turn    BIGINT NOT NULL,
    due_at  BIGINT NOT NULL,
    done_at BIGINT,
    PRIMARY KEY (saga_id, turn)
);
CREATE INDEX saga_sweeps_due ON saga_sweeps (due_at) WHERE done_at IS NULL;

-- Who runs sagas, and what each node knows; and named leases of single duties.
CREATE TABLE saga_nodes (
    id      TEXT PRIMARY KEY,
    seen_at BIGINT NOT NULL,
    kinds   JSON NOT NULL
);

CREATE TABLE saga_duties (
    name        TEXT PRIMARY KEY,
    lease_owner TEXT NOT NULL,
    lease_until BIGINT NOT NULL
);
