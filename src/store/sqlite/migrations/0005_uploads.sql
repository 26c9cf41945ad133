-- Uploads that come in pieces. The bytes lie in a file of their own until they are whole.
CREATE TABLE uploads (
    id            TEXT PRIMARY KEY NOT NULL,
    media_id      TEXT NOT NULL,  -- of what it becomes; no foreign key, neither is there before
    task_id       TEXT NOT NULL,
    length        INTEGER CHECK (length > 0),  -- NULL: not said yet
    offset        INTEGER NOT NULL DEFAULT 0 CHECK (offset >= 0),  -- what is durable in the file
    filename      TEXT NOT NULL,
    title         TEXT NOT NULL,
    options       TEXT NOT NULL CHECK (json_valid(options)),
    metadata      TEXT NOT NULL,  -- as the client sent it
    created_at    INTEGER NOT NULL,
    updated_at    INTEGER NOT NULL,
    source_sha256 TEXT NOT NULL DEFAULT '',  -- once it is whole
    finished_at   INTEGER,                   -- once media and task are made
    -- An offset at the length without an address would be an upload that nobody brings to its end.
    CHECK (CASE WHEN source_sha256 = '' THEN length IS NULL OR offset < length
                ELSE length IS NOT NULL AND offset = length END),
    CHECK (finished_at IS NULL OR source_sha256 <> '')
) STRICT, WITHOUT ROWID;
CREATE INDEX uploads_by_age ON uploads (updated_at);
CREATE INDEX uploads_unfinished ON uploads (source_sha256) WHERE finished_at IS NULL;
