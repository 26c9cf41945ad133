// The reads, each on one snapshot. What they promise: ports/store.h. Private to store/sqlite.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "durascribe/ports/clock.h"
#include "durascribe/ports/store.h"
#include "durascribe/store/sqlite/connection.h"
#include "durascribe/store/sqlite/records.h"

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
Result<std::vector<domain::Segment>> chunk_segments(Connection& db, const TaskId& task);
Result<std::vector<domain::Gap>> gaps(Connection& db, const TaskId& task);
Result<std::optional<std::string>> document(Connection& db, const TaskId& task,
                                            domain::DocumentFormat format);
Result<std::optional<domain::WaveformPeaks>> peaks(Connection& db, const MediaId& media);
Result<std::optional<domain::Poster>> poster(Connection& db, const MediaId& media);
Result<std::optional<ports::BlobRef>> decoded_audio(Connection& db, const MediaId& media);
Result<bool> key_known(Connection& db, const ports::IdempotencyKey& key);
Result<bool> blob_referenced(Connection& db, const std::string& sha256);
Result<std::vector<ports::NamedBlob>> named_blobs(Connection& db, const std::string& after,
                                                  int limit);
Result<std::optional<WallTime>> next_wake_up(Connection& db, const ports::Clock& clock);

// transcript_queries.cpp
std::optional<TaskId> shown_task_id(Connection& db, const MediaId& media);
Result<std::optional<ports::TaskRow>> shown_task(Connection& db, const MediaId& media);
int newest_revision(Connection& db, const TaskId& task);  // 0: never edited
// By start; requires 0 to newest_revision().
std::vector<StoredSegment> stored_segments(Connection& db, const TaskId& task, int revision);
Result<ports::TranscriptText> transcript(Connection& db, const TaskId& task,
                                         std::optional<int> revision);
Result<ports::PageOf<ports::TranscriptRevision>> revisions(Connection& db, const TaskId& task,
                                                           const ports::Page& page);

// search_queries.cpp
Result<ports::SearchAnswer> search(Connection& db, const ports::SearchRequest& request,
                                   const ports::Page& page);
// Media that have the words in their title or transcript and that the filter lets through.
Result<ports::PageOf<ports::MediaRow>> search_media(Connection& db,
                                                    const ports::MediaFilter& filter,
                                                    const ports::Page& page);

// watch_verbs.cpp
Result<std::optional<ports::WatchedRow>> watched_file(Connection& db, const std::string& path);
Result<std::vector<ports::WatchedRow>> unwritten_files(Connection& db, int limit);

// batch_verbs.cpp
Result<ports::BatchRow> batch(Connection& db, const BatchId& id);

// list_queries.cpp
Result<ports::PageOf<ports::BatchRow>> list_batches(Connection& db, const ports::Page& page);

// media_lists.cpp
Result<ports::PageOf<ports::MediaRow>> list_media(Connection& db, const ports::MediaFilter& filter,
                                                  const ports::Page& page);
// A condition on a row `m` of media, true where the filter lets it through but for `search`. It has
// the parameters ?1 to ?6, which bind_filter() gives in order.
std::string filter_condition(const ports::MediaFilter& filter);
struct FilterValues {
    std::optional<std::int64_t> created_from, created_before, duration_min, duration_max;
    std::optional<std::string> language;
};
FilterValues filter_values(const ports::MediaFilter& filter);

// list_queries.cpp
Result<int> checked_limit(int limit);
Error bad_cursor();
Result<ports::PageOf<ports::TaskRow>> list_tasks(Connection& db, const ports::TaskFilter& filter,
                                                 const ports::Page& page);
Result<std::vector<ports::Event>> events_after(Connection& db, std::int64_t seq, int limit);
Result<std::vector<ports::Event>> task_events(Connection& db, const TaskId& task, int limit);
Result<ports::TaskCounts> counts(Connection& db);
Result<int> processing_but(Connection& db, std::span<const TaskId> known, WallTime since);
Result<std::pair<std::int64_t, std::int64_t>> event_range(Connection& db);

// queue_queries.cpp
Result<std::optional<ports::QueuePlace>> queue_place(Connection& db, const TaskId& task);
Result<int> units_before_end(Connection& db, const TaskId& task);
// `now`: by the queue's clock.
Result<std::optional<Millis>> longest_wait(Connection& db, Millis now);
Result<std::vector<ports::QueuedTask>> queue(Connection& db, int limit);
Result<bool> paused(Connection& db);

}  // namespace durascribe::store
