#include "durascribe/engine/document_of.h"

#include <utility>
#include <vector>

#include "durascribe/domain/subtitle_formats.h"

namespace durascribe::engine {

Result<std::string> document_of(ports::Store& store, const TaskId& id,
                                domain::DocumentFormat format, std::optional<int> revision) {
    const auto one_moment = store.read_view();
    const auto edits = store.revisions(id, {.limit = 1, .cursor = {}});
    if (!edits) {
        return std::unexpected(edits.error());
    }
    const int newest = edits->rows.empty() ? 0 : edits->rows.front().revision;
    if (revision.value_or(newest) == 0) {
        auto finished = store.document(id, format);
        if (!finished) {
            return std::unexpected(finished.error());
        }
        if (*finished) {
            return std::move(**finished);
        }
    }
    auto task = store.task(id);
    if (!task) {
        return std::unexpected(task.error());
    }
    auto media = store.media(task->media_id);
    if (!media) {
        return std::unexpected(media.error());
    }
    auto text = store.transcript(id, revision);
    if (!text) {
        return std::unexpected(text.error());
    }
    std::vector<domain::Segment> segments;
    for (ports::TranscriptSegment& s : text->segments) {
        segments.push_back(std::move(s.segment));
    }
    auto gaps = store.gaps(id);
    if (!gaps) {
        return std::unexpected(gaps.error());
    }
    return domain::write_document({.title = media->title,
                                   .language = task->options.language,
                                   .engine = task->engine,
                                   .model = task->model,
                                   .duration = media->info ? media->info->duration : Millis{0},
                                   .segments = std::move(segments),
                                   .gaps = std::move(*gaps)},
                                  format);
}

}  // namespace durascribe::engine
