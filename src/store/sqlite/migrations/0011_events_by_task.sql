-- What happened to a task, without reading what happened beside it. Progress is most of the events, and
-- no part of that.
CREATE INDEX events_by_task ON events (task_id, seq) WHERE task_id <> '' AND type <> 'task.progress';
