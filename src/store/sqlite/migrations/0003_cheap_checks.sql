-- The same rules, cheaper: SQLite builds a temporary table for every `IN (…)` of more than two
-- values, each time a CHECK or the condition of an index is evaluated. What is stored does not
-- change, so the text of the rules is all that has to (sqlite.org/lang_altertable.html, "other
-- kinds of table schema changes").
PRAGMA writable_schema = ON;
UPDATE sqlite_schema SET sql = replace(replace(replace(replace(replace(sql,
    'CHECK (state IN
        (''pending'', ''processing'', ''retrying'', ''completed'', ''partial_failure'', ''failed'', ''cancelled''))',
    'CHECK (state = ''pending'' OR state = ''processing'' OR state = ''completed'' OR state = ''retrying''
        OR state = ''partial_failure'' OR state = ''failed'' OR state = ''cancelled'')'),
    'CHECK ((completed_at IS NOT NULL) = (state IN (''completed'', ''partial_failure'', ''failed'', ''cancelled'')))',
    'CHECK ((completed_at IS NULL) = (state = ''pending'' OR state = ''processing'' OR state = ''retrying''))'),
    'CHECK (state IN (''pending'', ''processing'', ''retrying'') OR u_pending = 0)',
    'CHECK (completed_at IS NULL OR u_pending = 0)'),
    'CHECK (state NOT IN (''pending'', ''retrying'') OR u_pending > 0)',
    'CHECK ((state <> ''pending'' AND state <> ''retrying'') OR u_pending > 0)'),
    'CHECK (state NOT IN (''failed'', ''partial_failure'') OR error_class IS NOT NULL)',
    'CHECK ((state <> ''failed'' AND state <> ''partial_failure'') OR error_class IS NOT NULL)')
    WHERE type = 'table' AND name = 'tasks';
UPDATE sqlite_schema SET sql = replace(replace(sql,
    'CHECK (state IN (''pending'', ''processing'', ''completed'', ''failed'', ''cancelled''))',
    'CHECK (state = ''pending'' OR state = ''processing'' OR state = ''completed'' OR state = ''failed''
        OR state = ''cancelled'')'),
    'CHECK ((completed_at IS NOT NULL) = (state IN (''completed'', ''failed'', ''cancelled'')))',
    'CHECK ((completed_at IS NULL) = (state = ''pending'' OR state = ''processing''))')
    WHERE type = 'table' AND name = 'units';
UPDATE sqlite_schema SET sql = replace(sql,
    'CHECK (outcome IN
        (''running'', ''completed'', ''failed'', ''returned'', ''cancelled'', ''lost''))',
    'CHECK (outcome = ''running'' OR outcome = ''completed'' OR outcome = ''failed''
        OR outcome = ''returned'' OR outcome = ''cancelled'' OR outcome = ''lost'')')
    WHERE type = 'table' AND name = 'attempts';
UPDATE sqlite_schema SET sql = replace(sql,
    'CHECK (format IN (''srt'', ''vtt'', ''txt'', ''json''))',
    'CHECK (format = ''srt'' OR format = ''vtt'' OR format = ''txt'' OR format = ''json'')')
    WHERE type = 'table' AND name = 'documents';
PRAGMA writable_schema = RESET;

-- By completed_at, which a claim does not touch: the same tasks as by state.
DROP INDEX tasks_one_active_per_media;
CREATE UNIQUE INDEX tasks_one_active_per_media ON tasks (media_id)
    WHERE completed_at IS NULL AND cancel_requested_at IS NULL;
CREATE INDEX tasks_stopping ON tasks (media_id)
    WHERE completed_at IS NULL AND cancel_requested_at IS NOT NULL;
