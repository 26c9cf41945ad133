-- What the whole engine needs: who goes next, idempotency keys, a pause, chosen models.

-- A waiting unit whose task's time is over.
INSERT INTO unit_edges VALUES ('pending', 'failed');

ALTER TABLE tasks ADD COLUMN model_reason TEXT NOT NULL DEFAULT '';
ALTER TABLE tasks ADD COLUMN worked_ms INTEGER NOT NULL DEFAULT 0 CHECK (worked_ms >= 0);
-- Start-time fair queueing: the audio (ms) that the task was served, counted from where those stood
-- that it joined. The task with the smallest goes next.
ALTER TABLE tasks ADD COLUMN fair_tag INTEGER NOT NULL DEFAULT 0;
-- Since when it has units to claim and none was claimed, by a clock that never goes back and stands
-- still while no server runs.
ALTER TABLE tasks ADD COLUMN waiting_since INTEGER NOT NULL DEFAULT 0;

-- After an attempt ran out of memory; empty: the task's model.
ALTER TABLE units ADD COLUMN model TEXT NOT NULL DEFAULT '';

ALTER TABLE attempts ADD COLUMN step INTEGER NOT NULL DEFAULT 1 CHECK (step BETWEEN 0 AND 4);
ALTER TABLE attempts ADD COLUMN ordinal INTEGER NOT NULL DEFAULT 0 CHECK (ordinal >= 0);
CREATE INDEX attempts_by_end ON attempts (ended_at) WHERE ended_at IS NOT NULL;

DROP INDEX tasks_claimable;
-- In the order in which claims are served.
CREATE INDEX tasks_claimable ON tasks (lane, priority DESC, fair_tag, created_at, id, u_claimable)
    WHERE u_claimable > 0;
CREATE INDEX tasks_longest_waiting ON tasks (lane, waiting_since)
    WHERE u_claimable > 0;

-- A task that is being cancelled may still be stopping while the one that replaces it waits or runs.
DROP INDEX tasks_one_active_per_media;
CREATE UNIQUE INDEX tasks_one_active_per_media ON tasks (media_id)
    WHERE state IN ('pending', 'processing', 'retrying') AND cancel_requested_at IS NULL;

-- The first answer to a request, as a JSON text of this layer. No foreign keys: the key outlives
-- what it made.
CREATE TABLE idempotency_keys (
    key         TEXT PRIMARY KEY NOT NULL CHECK (length(key) BETWEEN 1 AND 255),
    fingerprint TEXT NOT NULL,
    answer      TEXT NOT NULL CHECK (json_valid(answer)),
    created_at  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX idempotency_keys_by_age ON idempotency_keys (created_at);

-- One row.
CREATE TABLE queue_state (
    only_row   INTEGER PRIMARY KEY NOT NULL CHECK (only_row = 1),
    paused_at  INTEGER
) STRICT;
INSERT INTO queue_state VALUES (1, NULL);

CREATE INDEX events_by_age ON events (at);
CREATE INDEX tasks_by_end ON tasks (completed_at) WHERE completed_at IS NOT NULL;
