-- Tokens, the browser sessions opened with them, and on whose account media, tasks and
-- uploads were made.
-- No secret is here: only the SHA-256 of it.
CREATE TABLE tokens (
    id                  TEXT PRIMARY KEY NOT NULL,
    name                TEXT NOT NULL UNIQUE CHECK (length(name) BETWEEN 1 AND 100),
    secret_sha256       TEXT NOT NULL UNIQUE CHECK (length(secret_sha256) = 64),
    scopes              INTEGER NOT NULL CHECK (scopes BETWEEN 1 AND 7),
    created_at          INTEGER NOT NULL,
    expires_at          INTEGER,
    last_used_at        INTEGER,
    requests_per_second INTEGER CHECK (requests_per_second >= 0),
    jobs_max            INTEGER CHECK (jobs_max >= 0),
    storage_max         INTEGER CHECK (storage_max >= 0),
    -- Of the media that name it, kept by the triggers below: a sum over a million rows would not do.
    stored_bytes        INTEGER NOT NULL DEFAULT 0 CHECK (stored_bytes >= 0)
) STRICT;

CREATE TABLE sessions (
    secret_sha256 TEXT PRIMARY KEY NOT NULL CHECK (length(secret_sha256) = 64),
    token_id      TEXT NOT NULL REFERENCES tokens (id) ON DELETE CASCADE,
    created_at    INTEGER NOT NULL,
    expires_at    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX sessions_by_token ON sessions (token_id);

-- No foreign keys: what a token has made outlives it.
ALTER TABLE media ADD COLUMN token_id TEXT;
ALTER TABLE tasks ADD COLUMN token_id TEXT;
ALTER TABLE uploads ADD COLUMN token_id TEXT;
CREATE INDEX tasks_active_by_token ON tasks (token_id)
    WHERE token_id IS NOT NULL AND completed_at IS NULL AND cancel_requested_at IS NULL;
CREATE INDEX uploads_unfinished_by_token ON uploads (token_id)
    WHERE token_id IS NOT NULL AND finished_at IS NULL;

CREATE TRIGGER media_counts_for_its_token AFTER INSERT ON media WHEN NEW.token_id IS NOT NULL
BEGIN
    UPDATE tokens SET stored_bytes = stored_bytes + NEW.source_size WHERE id = NEW.token_id;
END;
-- A media that is fetched from an address has no source until it is there.
CREATE TRIGGER media_counts_anew AFTER UPDATE OF source_size ON media
WHEN NEW.token_id IS NOT NULL AND NEW.source_size <> OLD.source_size
BEGIN
    UPDATE tokens SET stored_bytes = stored_bytes + NEW.source_size - OLD.source_size
    WHERE id = NEW.token_id;
END;
CREATE TRIGGER media_counts_no_more AFTER DELETE ON media WHEN OLD.token_id IS NOT NULL
BEGIN
    UPDATE tokens SET stored_bytes = stored_bytes - OLD.source_size WHERE id = OLD.token_id;
END;
