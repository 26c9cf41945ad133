-- Transcripts that can be corrected, and a search over titles and transcripts.

ALTER TABLE media ADD COLUMN revision INTEGER NOT NULL DEFAULT 1 CHECK (revision >= 1);
-- That of `info`; -1: not known. (A generated column here would end VACUUM INTO, and so a backup:
-- SQLite 3.40 has no way to copy one in the middle of a table.)
ALTER TABLE media ADD COLUMN duration_ms INTEGER NOT NULL DEFAULT -1;
UPDATE media SET duration_ms = coalesce(json_extract(info, '$.duration_ms'), -1);
-- Under which it stands in the search; grows with every new media. NULL: not taken in yet, as all
-- that is there when this runs (Store::index_more takes it in, a few at a time).
ALTER TABLE media ADD COLUMN number INTEGER CHECK (number > 0);
CREATE UNIQUE INDEX media_by_number ON media (number);
CREATE INDEX media_not_indexed ON media (created_at, id) WHERE number IS NULL;
CREATE INDEX media_by_title ON media (title COLLATE NOCASE, id);
CREATE INDEX media_by_duration ON media (duration_ms, id);

CREATE TABLE media_posters (
    media_id  TEXT PRIMARY KEY NOT NULL REFERENCES media (id) ON DELETE CASCADE,
    mime_type TEXT NOT NULL CHECK (mime_type = 'image/jpeg' OR mime_type = 'image/png'),
    picture   BLOB NOT NULL
) STRICT;

-- The edits of a task's transcript. Without one there is nothing here, and `segments` is all.
CREATE TABLE transcript_revisions (
    task_id  TEXT NOT NULL REFERENCES tasks (id) ON DELETE CASCADE,
    revision INTEGER NOT NULL CHECK (revision >= 1),
    at       INTEGER NOT NULL,
    kind     TEXT NOT NULL,
    changed  TEXT NOT NULL CHECK (json_valid(changed)),
    removed  TEXT NOT NULL CHECK (json_valid(removed)),
    PRIMARY KEY (task_id, revision)
) STRICT, WITHOUT ROWID;

-- Every segment in every form that it had: from revision `born` on, until before revision `died`.
-- Revision 0 is what was recognised.
CREATE TABLE edited_segments (
    task_id    TEXT NOT NULL REFERENCES tasks (id) ON DELETE CASCADE,
    id         INTEGER NOT NULL CHECK (id >= 0),
    born       INTEGER NOT NULL CHECK (born >= 0),
    died       INTEGER CHECK (died > born),
    start_ms   INTEGER NOT NULL CHECK (start_ms >= 0),
    end_ms     INTEGER NOT NULL CHECK (end_ms >= start_ms),
    text       TEXT NOT NULL,
    confidence REAL NOT NULL,
    speaker    TEXT,
    words      TEXT NOT NULL,
    PRIMARY KEY (task_id, id, born)
) STRICT, WITHOUT ROWID;
CREATE INDEX edited_segments_now ON edited_segments (task_id, start_ms, id) WHERE died IS NULL;

-- One row for a title and for each segment of a shown transcript, as folded words. rowid: the
-- number of the media times 2^20, and then 2^20 - 1 for the title, 2^20 - 2 - id for a segment; so
-- that from the highest down, the newest media come first, and of each the title, then the segments
-- in their order.
CREATE VIRTUAL TABLE search_text USING fts5 (
    words, tokenize = 'unicode61 remove_diacritics 2', prefix = '2 3 4', columnsize = 0);
