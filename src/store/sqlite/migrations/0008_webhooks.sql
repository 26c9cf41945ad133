-- Who is told of events, and what waits to be told. Made from the outbox; no foreign keys to tasks and
-- media, which may be gone when they are told of.

CREATE TABLE webhooks (
    id               TEXT PRIMARY KEY NOT NULL,
    url              TEXT NOT NULL,
    description      TEXT NOT NULL,
    types            TEXT NOT NULL CHECK (json_valid(types)),
    states           TEXT NOT NULL CHECK (json_valid(states)),
    secret           TEXT NOT NULL,
    old_secret       TEXT NOT NULL DEFAULT '',
    old_secret_until INTEGER,
    state            TEXT NOT NULL CHECK (state = 'active' OR state = 'paused' OR state = 'disabled'),
    state_reason     TEXT NOT NULL DEFAULT '',
    failures         INTEGER NOT NULL DEFAULT 0 CHECK (failures >= 0),
    held_until       INTEGER,
    from_seq         INTEGER NOT NULL,  -- it is told of the events behind this one
    waiting          INTEGER NOT NULL DEFAULT 0 CHECK (waiting >= 0),
    created_at       INTEGER NOT NULL,
    updated_at       INTEGER NOT NULL,
    last_success_at  INTEGER,
    last_failure_at  INTEGER,
    CHECK ((state = 'active') = (state_reason = '')),
    CHECK ((old_secret = '') = (old_secret_until IS NULL))
) STRICT;

-- One row: the last event that has become deliveries.
CREATE TABLE webhook_cursor (
    only_row INTEGER PRIMARY KEY NOT NULL CHECK (only_row = 1),
    seq      INTEGER NOT NULL
) STRICT;
INSERT INTO webhook_cursor VALUES (1, 0);

CREATE TABLE webhook_deliveries (
    number          INTEGER PRIMARY KEY AUTOINCREMENT,
    id              TEXT NOT NULL UNIQUE,
    webhook_id      TEXT NOT NULL REFERENCES webhooks (id) ON DELETE CASCADE,
    message_id      TEXT NOT NULL,
    event_seq       INTEGER NOT NULL,  -- 0: a ping
    type            TEXT NOT NULL,
    task_id         TEXT NOT NULL,
    line            TEXT NOT NULL,     -- deliveries of one line go out one after the other
    -- The oldest that waits of its line.
    head            INTEGER NOT NULL CHECK (head = 0 OR head = 1),
    body            TEXT NOT NULL,
    state           TEXT NOT NULL CHECK (state = 'waiting' OR state = 'delivered' OR state = 'failed'),
    attempts        INTEGER NOT NULL DEFAULT 0 CHECK (attempts >= tries),
    tries           INTEGER NOT NULL DEFAULT 0 CHECK (tries >= 0),
    created_at      INTEGER NOT NULL,
    next_attempt_at INTEGER,
    ended_at        INTEGER,
    CHECK ((state = 'waiting') = (next_attempt_at IS NOT NULL)),
    CHECK ((state = 'waiting') = (ended_at IS NULL)),
    CHECK (head = 0 OR state = 'waiting')
) STRICT;
CREATE UNIQUE INDEX webhook_deliveries_heads ON webhook_deliveries (webhook_id, line) WHERE head = 1;
CREATE INDEX webhook_deliveries_in_line ON webhook_deliveries (webhook_id, line, number)
    WHERE state = 'waiting';
CREATE INDEX webhook_deliveries_by_webhook ON webhook_deliveries (webhook_id, number);
CREATE INDEX webhook_deliveries_by_end ON webhook_deliveries (ended_at) WHERE ended_at IS NOT NULL;

CREATE TABLE webhook_attempts (
    delivery    INTEGER NOT NULL REFERENCES webhook_deliveries (number) ON DELETE CASCADE,
    number      INTEGER NOT NULL,
    started_at  INTEGER NOT NULL,
    duration_ms INTEGER NOT NULL CHECK (duration_ms >= 0),
    status      INTEGER NOT NULL,
    error       TEXT NOT NULL,
    excerpt     TEXT NOT NULL,
    PRIMARY KEY (delivery, number)
) STRICT, WITHOUT ROWID;
