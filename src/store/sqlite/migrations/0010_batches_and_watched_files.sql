-- Many media as one. A batch stays when a media of it goes, and goes with the last.
CREATE TABLE batches (
    id         TEXT PRIMARY KEY NOT NULL,
    title      TEXT NOT NULL,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX batches_by_age ON batches (created_at, id);

CREATE TABLE batch_items (
    batch_id TEXT NOT NULL REFERENCES batches (id) ON DELETE CASCADE,
    position INTEGER NOT NULL CHECK (position >= 0),
    media_id TEXT NOT NULL,
    task_id  TEXT NOT NULL,
    PRIMARY KEY (batch_id, position)
) STRICT, WITHOUT ROWID;
CREATE INDEX batch_items_by_media ON batch_items (media_id);

-- Files of watched folders that were taken: each form of a file once. No foreign keys: a file whose media
-- was deleted is not taken again.
CREATE TABLE watched_files (
    path     TEXT PRIMARY KEY NOT NULL,
    inode    INTEGER NOT NULL,
    size     INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,
    media_id TEXT NOT NULL,
    task_id  TEXT NOT NULL,
    taken_at INTEGER NOT NULL,
    written  INTEGER NOT NULL DEFAULT 0 CHECK (written = 0 OR written = 1)  -- what comes of it, beside it
) STRICT, WITHOUT ROWID;
CREATE INDEX watched_files_unwritten ON watched_files (task_id) WHERE written = 0;
