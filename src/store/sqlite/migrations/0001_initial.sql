-- The first schema. Times are milliseconds since 1970 (wall) unless named *_mono, which are
-- milliseconds of CLOCK_BOOTTIME and mean something within one run of the server only.

CREATE TABLE media (
    id            TEXT PRIMARY KEY NOT NULL,
    title         TEXT NOT NULL,
    filename      TEXT NOT NULL,
    source_sha256 TEXT NOT NULL,
    source_size   INTEGER NOT NULL CHECK (source_size >= 0),
    created_at    INTEGER NOT NULL,
    updated_at    INTEGER NOT NULL,
    info          TEXT CHECK (info IS NULL OR json_valid(info)),
    newest_task   TEXT NOT NULL
) STRICT;
CREATE INDEX media_by_age ON media (created_at, id);
CREATE INDEX media_by_source ON media (source_sha256);

-- Large and rarely read, so not in the row of the media.
CREATE TABLE media_peaks (
    media_id  TEXT PRIMARY KEY NOT NULL REFERENCES media (id) ON DELETE CASCADE,
    bucket_ms INTEGER NOT NULL CHECK (bucket_ms > 0),
    min_max   BLOB NOT NULL
) STRICT;

-- The legal changes of state, as in domain/states.h; a contract test holds the two together.
CREATE TABLE task_edges (
    from_state TEXT NOT NULL,
    to_state   TEXT NOT NULL,
    PRIMARY KEY (from_state, to_state)
) STRICT, WITHOUT ROWID;
INSERT INTO task_edges VALUES
    ('pending', 'processing'), ('pending', 'failed'), ('pending', 'cancelled'),
    ('processing', 'pending'), ('processing', 'retrying'), ('processing', 'completed'),
    ('processing', 'partial_failure'), ('processing', 'failed'), ('processing', 'cancelled'),
    ('retrying', 'pending'), ('retrying', 'processing'), ('retrying', 'failed'), ('retrying', 'cancelled'),
    ('partial_failure', 'pending'), ('failed', 'pending'), ('cancelled', 'pending');

CREATE TABLE unit_edges (
    from_state TEXT NOT NULL,
    to_state   TEXT NOT NULL,
    PRIMARY KEY (from_state, to_state)
) STRICT, WITHOUT ROWID;
INSERT INTO unit_edges VALUES
    ('pending', 'processing'), ('pending', 'cancelled'),
    ('processing', 'pending'), ('processing', 'completed'), ('processing', 'failed'), ('processing', 'cancelled'),
    ('failed', 'pending'), ('cancelled', 'pending');

-- A task has units that are not ended in one step at a time, its open step, which runs in `lane`.
-- The u_* counters repeat what the units say, in the same transaction, so that a claim reads an
-- index and never counts.
CREATE TABLE tasks (
    id                  TEXT PRIMARY KEY NOT NULL,
    media_id            TEXT NOT NULL REFERENCES media (id) ON DELETE CASCADE,
    run_number          INTEGER NOT NULL DEFAULT 1 CHECK (run_number >= 1),
    state               TEXT NOT NULL CHECK (state IN
        ('pending', 'processing', 'retrying', 'completed', 'partial_failure', 'failed', 'cancelled')),
    current_step        TEXT NOT NULL,
    options             TEXT NOT NULL CHECK (json_valid(options)),
    priority            INTEGER NOT NULL,
    progress            REAL NOT NULL DEFAULT 0 CHECK (progress BETWEEN 0 AND 100),
    retry_count         INTEGER NOT NULL DEFAULT 0 CHECK (retry_count >= 0),
    created_at          INTEGER NOT NULL,
    updated_at          INTEGER NOT NULL,
    started_at          INTEGER,
    completed_at        INTEGER,
    cancel_requested_at INTEGER,
    next_attempt_at     INTEGER,
    error_class         TEXT,
    error_code          TEXT,
    error_message       TEXT,
    engine              TEXT NOT NULL DEFAULT '',
    model               TEXT NOT NULL DEFAULT '',
    pcm_sha256          TEXT NOT NULL DEFAULT '',
    pcm_size            INTEGER NOT NULL DEFAULT 0,
    audio_ms            INTEGER NOT NULL DEFAULT 0 CHECK (audio_ms >= 0),
    delivered           INTEGER NOT NULL DEFAULT 0 CHECK (delivered IN (0, 1)),
    lane                INTEGER NOT NULL CHECK (lane BETWEEN 0 AND 3),
    step_units          INTEGER NOT NULL DEFAULT 0 CHECK (step_units >= 0),
    u_pending           INTEGER NOT NULL DEFAULT 0 CHECK (u_pending >= 0),
    u_waiting           INTEGER NOT NULL DEFAULT 0 CHECK (u_waiting BETWEEN 0 AND u_pending),
    u_claimable         INTEGER NOT NULL DEFAULT 0 CHECK (u_claimable BETWEEN 0 AND u_pending),
    u_running           INTEGER NOT NULL DEFAULT 0 CHECK (u_running >= 0),
    u_completed         INTEGER NOT NULL DEFAULT 0 CHECK (u_completed >= 0),
    u_failed            INTEGER NOT NULL DEFAULT 0 CHECK (u_failed >= 0),
    u_cancelled         INTEGER NOT NULL DEFAULT 0 CHECK (u_cancelled >= 0),
    CHECK ((completed_at IS NOT NULL) = (state IN ('completed', 'partial_failure', 'failed', 'cancelled'))),
    CHECK ((state = 'processing') = (u_running > 0)),
    CHECK (state IN ('pending', 'processing', 'retrying') OR u_pending = 0),
    CHECK (state NOT IN ('pending', 'retrying') OR u_pending > 0),
    CHECK (state <> 'retrying' OR next_attempt_at IS NOT NULL),
    CHECK (state <> 'completed' OR (progress = 100 AND error_class IS NULL)),
    CHECK (state NOT IN ('failed', 'partial_failure') OR error_class IS NOT NULL),
    CHECK ((error_class IS NULL) = (error_code IS NULL) AND (error_class IS NULL) = (error_message IS NULL)),
    CHECK (cancel_requested_at IS NULL OR u_pending = 0)
) STRICT;
CREATE UNIQUE INDEX tasks_one_active_per_media ON tasks (media_id)
    WHERE state IN ('pending', 'processing', 'retrying');
CREATE INDEX tasks_by_media ON tasks (media_id, created_at, id);
CREATE INDEX tasks_by_age ON tasks (created_at, id);
CREATE INDEX tasks_by_state ON tasks (state, created_at, id);
CREATE INDEX tasks_by_pcm ON tasks (pcm_sha256) WHERE pcm_sha256 <> '';
-- In the order in which claims are served.
CREATE INDEX tasks_claimable ON tasks (lane, priority DESC, u_running, created_at, id)
    WHERE u_claimable > 0;

CREATE TRIGGER tasks_legal_state BEFORE UPDATE OF state ON tasks
WHEN NEW.state <> OLD.state
    AND NOT EXISTS (SELECT 1 FROM task_edges WHERE from_state = OLD.state AND to_state = NEW.state)
BEGIN
    SELECT RAISE(ABORT, 'illegal change of a task''s state');
END;

CREATE TABLE units (
    id                 INTEGER PRIMARY KEY AUTOINCREMENT,
    task_id            TEXT NOT NULL REFERENCES tasks (id) ON DELETE CASCADE,
    step               INTEGER NOT NULL CHECK (step BETWEEN 0 AND 4),
    ordinal            INTEGER NOT NULL CHECK (ordinal >= 0),
    span_start_ms      INTEGER NOT NULL DEFAULT 0 CHECK (span_start_ms >= 0),
    span_end_ms        INTEGER NOT NULL DEFAULT 0 CHECK (span_end_ms >= span_start_ms),
    state              TEXT NOT NULL CHECK (state IN ('pending', 'processing', 'completed', 'failed', 'cancelled')),
    lease              INTEGER NOT NULL DEFAULT 0 CHECK (lease >= 0),
    node               TEXT,
    lease_expires_mono INTEGER,
    heartbeat_at       INTEGER,
    attempts           INTEGER NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    crashes            INTEGER NOT NULL DEFAULT 0 CHECK (crashes >= 0),
    audio_done_ms      INTEGER NOT NULL DEFAULT 0 CHECK (audio_done_ms >= 0),
    not_before         INTEGER,
    -- By the monotonic clock of this run of the server; NULL once the time has come.
    not_before_mono    INTEGER,
    started_at         INTEGER,
    completed_at       INTEGER,
    error_class        TEXT,
    error_code         TEXT,
    error_message      TEXT,
    UNIQUE (task_id, step, ordinal),
    CHECK ((state = 'processing') = (node IS NOT NULL)
        AND (state = 'processing') = (lease_expires_mono IS NOT NULL)
        AND (state = 'processing') = (heartbeat_at IS NOT NULL)),
    CHECK ((completed_at IS NOT NULL) = (state IN ('completed', 'failed', 'cancelled'))),
    CHECK (not_before IS NULL OR state = 'pending'),
    CHECK (not_before_mono IS NULL OR not_before IS NOT NULL),
    CHECK (state <> 'failed' OR error_class IS NOT NULL),
    CHECK (state <> 'completed' OR error_class IS NULL),
    CHECK ((error_class IS NULL) = (error_code IS NULL) AND (error_class IS NULL) = (error_message IS NULL))
) STRICT;
CREATE INDEX units_claimable ON units (task_id, step, ordinal) WHERE state = 'pending' AND not_before_mono IS NULL;
CREATE INDEX units_waiting ON units (not_before_mono) WHERE not_before_mono IS NOT NULL;
CREATE INDEX units_leased ON units (lease_expires_mono) WHERE state = 'processing';

CREATE TRIGGER units_legal_state BEFORE UPDATE OF state ON units
WHEN NEW.state <> OLD.state
    AND NOT EXISTS (SELECT 1 FROM unit_edges WHERE from_state = OLD.state AND to_state = NEW.state)
BEGIN
    SELECT RAISE(ABORT, 'illegal change of a unit''s state');
END;
CREATE TRIGGER units_lease_grows BEFORE UPDATE OF lease, state ON units
WHEN NEW.lease < OLD.lease OR (NEW.state = 'processing' AND OLD.state <> 'processing' AND NEW.lease = OLD.lease)
BEGIN
    SELECT RAISE(ABORT, 'a lease number only grows');
END;

-- Outlives its unit: a later run may make a step's units anew.
CREATE TABLE attempts (
    unit_id       INTEGER NOT NULL,
    lease         INTEGER NOT NULL,
    task_id       TEXT NOT NULL REFERENCES tasks (id) ON DELETE CASCADE,
    run_number    INTEGER NOT NULL,
    node          TEXT NOT NULL,
    model         TEXT NOT NULL,
    started_at    INTEGER NOT NULL,
    ended_at      INTEGER,
    outcome       TEXT NOT NULL CHECK (outcome IN
        ('running', 'completed', 'failed', 'returned', 'cancelled', 'lost')),
    counted       INTEGER NOT NULL DEFAULT 1 CHECK (counted IN (0, 1)),
    error_class   TEXT,
    error_code    TEXT,
    error_message TEXT,
    audio_done_ms INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (unit_id, lease),
    CHECK ((outcome = 'running') = (ended_at IS NULL)),
    CHECK ((error_class IS NULL) = (error_code IS NULL) AND (error_class IS NULL) = (error_message IS NULL))
) STRICT, WITHOUT ROWID;
CREATE INDEX attempts_by_task ON attempts (task_id, started_at);

-- unit_id 0: the joined segments that `finalize` wrote; otherwise those of a chunk.
CREATE TABLE segments (
    task_id    TEXT NOT NULL REFERENCES tasks (id) ON DELETE CASCADE,
    unit_id    INTEGER NOT NULL,
    position   INTEGER NOT NULL,
    start_ms   INTEGER NOT NULL CHECK (start_ms >= 0),
    end_ms     INTEGER NOT NULL CHECK (end_ms >= start_ms),
    text       TEXT NOT NULL,
    confidence REAL NOT NULL,
    speaker    TEXT,
    words      TEXT NOT NULL,
    PRIMARY KEY (task_id, unit_id, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE documents (
    task_id TEXT NOT NULL REFERENCES tasks (id) ON DELETE CASCADE,
    format  TEXT NOT NULL CHECK (format IN ('srt', 'vtt', 'txt', 'json')),
    content TEXT NOT NULL,
    PRIMARY KEY (task_id, format)
) STRICT;

-- One machine, so its node runs are not told apart.
CREATE TABLE speeds (
    step       INTEGER NOT NULL CHECK (step BETWEEN 0 AND 4),
    engine     TEXT NOT NULL,
    model      TEXT NOT NULL,
    seconds    REAL NOT NULL CHECK (seconds >= 0),
    samples    INTEGER NOT NULL CHECK (samples >= 1),
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (step, engine, model)
) STRICT, WITHOUT ROWID;

-- The outbox. No foreign keys: it tells of what is gone, too.
CREATE TABLE events (
    seq      INTEGER PRIMARY KEY AUTOINCREMENT,
    at       INTEGER NOT NULL,
    type     TEXT NOT NULL,
    media_id TEXT NOT NULL,
    task_id  TEXT NOT NULL,
    payload  TEXT NOT NULL
) STRICT;
