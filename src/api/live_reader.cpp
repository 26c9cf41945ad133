#include "durascribe/api/live_reader.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>
#include <boost/json.hpp>

#include "durascribe/api/json_text.h"
#include "durascribe/api/shapes.h"
#include "durascribe/base/log.h"

namespace durascribe::api {
namespace {

constexpr int kSnapshotMax = 100;  // tasks
constexpr int kReadAtOnce = 128;   // events of the outbox

// nullopt: there is no such task, or no task of such a media.
Result<std::optional<engine::TaskView>> optional(Result<engine::TaskView> view) {
    if (view) {
        return std::optional{std::move(*view)};
    }
    return view.error().code == "not_found" ? Result<std::optional<engine::TaskView>>(std::nullopt)
                                            : std::unexpected(view.error());
}

Result<std::vector<engine::TaskView>> named_views(const Services& services,
                                                  const LiveFilter& filter) {
    std::vector<engine::TaskView> views;
    const auto add = [&](Result<std::optional<engine::TaskView>> view) -> Result<void> {
        if (!view) {
            return std::unexpected(view.error());
        }
        if (*view && filter.concerns((*view)->row.media_id.value, (*view)->row.id.value)) {
            views.push_back(std::move(**view));
        }
        return {};
    };
    for (const std::string& task : filter.tasks) {
        if (auto added = add(optional(services.engine.view(TaskId{task}))); !added) {
            return std::unexpected(added.error());
        }
    }
    for (const std::string& media : filter.media) {
        if (!filter.tasks.empty()) {
            break;  // the tasks say more exactly what is wanted
        }
        if (auto added = add(services.engine.view_of_media(MediaId{media})); !added) {
            return std::unexpected(added.error());
        }
    }
    return views;
}

Result<std::vector<engine::TaskView>> active_views(const Services& services, bool& truncated) {
    const auto rows =
        services.store.list_tasks({.active_only = true}, ports::Page{kSnapshotMax, {}});
    if (!rows) {
        return std::unexpected(rows.error());
    }
    truncated = !rows->next_cursor.empty();
    std::vector<engine::TaskView> views;
    for (const auto& row : rows->rows) {
        auto view = optional(services.engine.view(row.id));
        if (!view) {
            return std::unexpected(view.error());
        }
        if (*view) {
            views.push_back(std::move(**view));
        }
    }
    return views;
}

}  // namespace

Result<void> check_replayable(ports::Store& store, std::int64_t seq) {
    const auto range = store.event_range();
    if (!range) {
        return std::unexpected(range.error());
    }
    if (seq > range->second) {
        return fail(ErrorClass::request, "events_pruned",
                    fmt::format("There is no event {} here; the newest is {}. Read the present "
                                "state, and go on from there: without `after` it comes first.",
                                seq, range->second));
    }
    const auto one = store.events_after(seq, 1);
    return one ? Result<void>{} : std::unexpected(one.error());
}

Result<std::string> snapshot_text(const Services& services, const LiveFilter& filter,
                                  std::int64_t seq) {
    bool truncated = false;
    const bool named = !filter.tasks.empty() || !filter.media.empty();
    const auto views = named ? named_views(services, filter) : active_views(services, truncated);
    if (!views) {
        return std::unexpected(views.error());
    }
    const auto counts = services.store.counts();
    if (!counts) {
        return std::unexpected(counts.error());
    }
    const auto paused = services.store.paused();
    if (!paused) {
        return std::unexpected(paused.error());
    }
    json::array tasks;
    for (const auto& view : *views) {
        tasks.push_back(status_shape(view.row.media_id, view, Dialect::current));
    }
    json::object shape;
    shape["type"] = "snapshot";
    shape["seq"] = seq;
    shape["tasks"] = std::move(tasks);
    shape["truncated"] = truncated;
    shape["paused"] = *paused;
    shape["counts"] = counts_shape(*counts);
    return json_line(shape);
}

LiveReader::LiveReader(const Services& services, LiveFilter filter,
                       std::optional<std::int64_t> after)
    : services_(services), filter_(std::move(filter)), after_(after) {}

void LiveReader::begin_again(LiveFilter filter, std::optional<std::int64_t> after) {
    listener_.reset();
    filter_ = std::move(filter);
    after_ = after;
}

LiveReader::Batch LiveReader::next() {
    if (!listener_) {
        return {{}, BodyStream::Then::work};
    }
    auto taken = listener_->take();
    if (taken.behind) {
        return {{}, BodyStream::Then::work};
    }
    Batch batch;
    for (LiveEvent& event : taken.events) {
        batch.messages.push_back({event.seq, std::move(event.text)});
    }
    batch.then = batch.messages.empty() ? BodyStream::Then::wait : BodyStream::Then::look;
    return batch;
}

LiveReader::Batch LiveReader::work() {
    auto batch = listener_ ? replay() : open();
    if (!batch) {
        log::error("Events could not be read for a listener: {} ({}: {})", batch.error().message,
                   batch.error().code, batch.error().detail);
        return {{}, BodyStream::Then::broken};
    }
    return std::move(*batch);
}

// From here on the present is known. The rows are read after the number: what they show may be
// newer, never older.
Result<void> LiveReader::snapshot(Batch& batch) {
    const auto range = services_.store.event_range();
    if (!range) {
        return std::unexpected(range.error());
    }
    auto text = snapshot_text(services_, filter_, range->second);
    if (!text) {
        return std::unexpected(text.error());
    }
    listener_ = services_.live.listen(range->second, filter_, wake_);
    batch.messages.push_back(
        {range->second, std::make_shared<const std::string>(std::move(*text))});
    return {};
}

Result<LiveReader::Batch> LiveReader::open() {
    Batch batch{{}, BodyStream::Then::look};
    if (after_) {
        const auto replayable = check_replayable(services_.store, *after_);
        if (!replayable) {
            return replayable.error().code == "events_pruned" ? open_anew()
                                                              : std::unexpected(replayable.error());
        }
        listener_ = services_.live.listen(*std::exchange(after_, std::nullopt), filter_, wake_);
        return batch;
    }
    const auto begun = snapshot(batch);
    return begun ? Result<Batch>(std::move(batch)) : std::unexpected(begun.error());
}

// Where what was missed is gone.
Result<LiveReader::Batch> LiveReader::open_anew() {
    Batch batch{{}, BodyStream::Then::look};
    batch.messages.push_back(
        {std::nullopt,
         std::make_shared<const std::string>(json_line(
             {{"type", "reset"},
              {"detail",
               "Events that you have not seen are no longer kept. What follows is how things "
               "stand now."}}))});
    after_.reset();
    listener_.reset();
    const auto begun = snapshot(batch);
    return begun ? Result<Batch>(std::move(batch)) : std::unexpected(begun.error());
}

// What the hub does not keep any more, from the outbox.
Result<LiveReader::Batch> LiveReader::replay() {
    auto events = services_.store.events_after(listener_->position(), kReadAtOnce);
    if (!events && events.error().code != "events_pruned") {
        return std::unexpected(events.error());
    }
    if (!events || events->empty()) {
        return open_anew();  // what the hub let go of was pruned, too
    }
    Batch batch{{}, BodyStream::Then::look};
    const std::int64_t up_to = events->back().seq;
    std::erase_if(*events, [this](const ports::Event& event) {
        return !filter_.matches(event.media_id.value, event.task_id.value, event.type);
    });
    auto texts = live_events(services_.engine, std::move(*events));
    drop_overtaken_progress(texts);
    for (LiveEvent& event : texts) {
        batch.messages.push_back({event.seq, std::move(event.text)});
    }
    listener_->moved_to(up_to);
    return batch;
}

}  // namespace durascribe::api
