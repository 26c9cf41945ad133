-- Media that are fetched from an address. Until they are, they have no source.

ALTER TABLE media ADD COLUMN source_url TEXT NOT NULL DEFAULT '';

CREATE INDEX media_by_url ON media (source_url, created_at, id) WHERE source_url <> '';

-- What has come so far of a media's source; gone once it is there.
CREATE TABLE imports (
    media_id      TEXT PRIMARY KEY NOT NULL REFERENCES media (id) ON DELETE CASCADE,
    titled        INTEGER NOT NULL CHECK (titled = 0 OR titled = 1),  -- by who asked for it
    etag          TEXT NOT NULL DEFAULT '',
    last_modified TEXT NOT NULL DEFAULT '',
    bytes_done    INTEGER NOT NULL DEFAULT 0 CHECK (bytes_done >= 0),  -- that are durable
    bytes_total   INTEGER CHECK (bytes_total >= 0),                    -- NULL: not known
    filename      TEXT NOT NULL DEFAULT '',  -- as the other side calls it
    source_sha256 TEXT NOT NULL DEFAULT '',  -- once all of it is there
    source_size   INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
CREATE INDEX imports_whole ON imports (source_sha256) WHERE source_sha256 <> '';
