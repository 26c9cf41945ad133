// The reads, each on one snapshot. What they promise: ports/store.h. Private to store/sqlite.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "durascribe/ports/clock.h"
#include "durascribe/ports/store.h"
#include "durascribe/store/sqlite/connection.h"

namespace durascribe::store {

// queries.cpp
Result<ports::MediaRow> media(Connection& db, const MediaId& id);
Result<std::optional<ports::MediaRow>> newest_media_of(Connection& db,
                                                       const ports::BlobRef& source);
Result<std::optional<ports::MediaRow>> newest_media_from(Connection& db, const std::string& url);
Result<std::optional<ports::ImportRow>> import_of(Connection& db, const MediaId& media);
Result<ports::TaskRow> task(Connection& db, const TaskId& id);
Result<std::optional<ports::TaskRow>> newest_task(Connection& db, const MediaId& media);
Result<std::vector<ports::UnitRow>> units(Connection& db, const TaskId& task);
Result<std::vector<ports::AttemptRow>> attempts(Connection& db, const TaskId& task);
Result<std::vector<domain::Segment>> segments(Connection& db, const TaskId& task);
Result<std::vector<domain::Gap>> gaps(Connection& db, const TaskId& task);
Result<std::optional<std::string>> document(Connection& db, const TaskId& task,
                                            domain::DocumentFormat format);
Result<std::optional<domain::WaveformPeaks>> peaks(Connection& db, const MediaId& media);
Result<bool> key_known(Connection& db, const std::string& key);
Result<bool> blob_referenced(Connection& db, const std::string& sha256);
Result<std::vector<ports::NamedBlob>> named_blobs(Connection& db, const std::string& after,
                                                  int limit);
Result<std::optional<WallTime>> next_wake_up(Connection& db, const ports::Clock& clock);

// watch_verbs.cpp
Result<std::optional<ports::WatchedRow>> watched_file(Connection& db, const std::string& path);
Result<std::vector<ports::WatchedRow>> unwritten_files(Connection& db, int limit);

// batch_verbs.cpp
Result<ports::BatchRow> batch(Connection& db, const BatchId& id);

// list_queries.cpp
Result<ports::PageOf<ports::BatchRow>> list_batches(Connection& db, const ports::Page& page);
Result<ports::PageOf<ports::MediaRow>> list_media(Connection& db, const ports::MediaFilter& filter,
                                                  const ports::Page& page);
Result<ports::PageOf<ports::TaskRow>> list_tasks(Connection& db, const ports::TaskFilter& filter,
                                                 const ports::Page& page);
Result<std::vector<ports::Event>> events_after(Connection& db, std::int64_t seq, int limit);
Result<ports::TaskCounts> counts(Connection& db);
Result<std::pair<std::int64_t, std::int64_t>> event_range(Connection& db);

// queue_queries.cpp
Result<std::optional<ports::QueuePlace>> queue_place(Connection& db, const TaskId& task);
Result<int> units_before_end(Connection& db, const TaskId& task);
Result<std::vector<ports::QueuedTask>> queue(Connection& db, int limit);
Result<bool> paused(Connection& db);

}  // namespace durascribe::store
