#include "durascribe/engine/task_views.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "durascribe/base/error.h"
#include "durascribe/engine/known_speeds.h"
#include "durascribe/engine/view_builder.h"

namespace durascribe::engine {
namespace {

constexpr std::size_t kShownMax = 4096;

domain::Lane lane_of_open_step(const std::vector<ports::UnitRow>& units) {
    const auto open = std::ranges::find_if(
        units, [](const ports::UnitRow& u) { return !domain::is_terminal(u.state); });
    return open == units.end() ? domain::Lane::media : domain::lane_of(open->step);
}

}  // namespace

Result<TaskView> TaskViews::of(const TaskId& task) {
    const auto one_moment = store_.read_view();
    auto row = store_.task(task);
    if (!row) {
        return std::unexpected(row.error());
    }
    return view_of(std::move(*row));
}

Result<std::optional<TaskView>> TaskViews::of_media(const MediaId& media) {
    const auto one_moment = store_.read_view();
    auto row = store_.newest_task(media);
    if (!row) {
        return std::unexpected(row.error());
    }
    if (!*row) {
        return std::nullopt;
    }
    return view_of(std::move(**row));
}

Result<std::optional<TaskView>> TaskViews::of_media(const ports::MediaRow& media) {
    auto row = store_.newest_task(media.id);
    if (!row) {
        return std::unexpected(row.error());
    }
    if (!*row) {
        return std::nullopt;
    }
    return view_of(std::move(**row), media);
}

Result<TaskView> TaskViews::view_of(ports::TaskRow row) {
    auto media = store_.media(row.media_id);
    if (!media) {
        return std::unexpected(media.error());
    }
    return view_of(std::move(row), *media);
}

Result<TaskView> TaskViews::view_of(ports::TaskRow row, const ports::MediaRow& media) {
    ViewFacts facts;
    auto units = store_.units(row.id);
    if (!units) {
        return std::unexpected(units.error());
    }
    facts.units = std::move(*units);
    if (media.info) {
        facts.media_duration = media.info->duration;
    }
    if (media.source.empty()) {
        auto import = store_.import_of(media.id);
        if (!import) {
            return std::unexpected(import.error());
        }
        if (*import) {
            facts.download = DownloadState{(*import)->bytes_done, (*import)->bytes_total};
        }
    }
    if (!domain::is_terminal(row.state)) {
        auto speeds = known_speeds(store_, settings_);
        if (!speeds) {
            return std::unexpected(speeds.error());
        }
        facts.speeds = std::move(*speeds);
        const auto paused = store_.paused();
        if (!paused) {
            return std::unexpected(paused.error());
        }
        facts.paused = *paused;
        auto place = store_.queue_place(row.id);
        if (!place) {
            return std::unexpected(place.error());
        }
        if (*place) {
            facts.queue_position = (*place)->position;
            facts.units_before_next = (*place)->units_ahead;
            facts.held_back_seconds = (*place)->speech_units_ahead *
                                      pace_.seconds_per_unit(domain::Lane::speech) /
                                      std::max(1, settings_.speech_slots);
        }
        auto before_end = store_.units_before_end(row.id);
        if (!before_end) {
            return std::unexpected(before_end.error());
        }
        facts.units_before_end = *before_end;
        facts.lane = lane_of_open_step(facts.units);
        facts.lane_slots = slots_of(facts.lane);
        facts.seconds_per_unit = pace_.seconds_per_unit(facts.lane);
        for (const RunningUnits::Handle& unit : running_.of_task(row.id)) {
            facts.live.push_back({.unit = unit->claimed().lease.unit,
                                  .audio_done = unit->audio_done(),
                                  .pace = unit->pace(),
                                  .preparing = unit->preparing()});
        }
    }
    facts.speech_slots = settings_.speech_slots;
    facts.now = clock_.wall();
    facts.row = std::move(row);
    TaskView view = build_view(std::move(facts));
    never_back(view);
    return view;
}

int TaskViews::slots_of(domain::Lane lane) const {
    switch (lane) {
        case domain::Lane::speech:
            return settings_.speech_slots;
        case domain::Lane::media:
            return settings_.media_slots;
        case domain::Lane::fetch:
            return settings_.fetch_slots;
        case domain::Lane::local:
            return 1;
    }
    DURASCRIBE_ASSERT(false && "unknown Lane");
}

// What a step weighs changes as speeds are learned, and the stored progress is up to a second
// old: what was shown once stays until it is passed.
void TaskViews::never_back(TaskView& view) {
    const std::scoped_lock lock(mutex_);
    if (domain::is_terminal(view.row.state)) {
        shown_.erase(view.row.id);
        return;
    }
    Shown& shown = shown_[view.row.id];
    if (shown.run_number != view.row.run_number) {
        shown = {.run_number = view.row.run_number, .percent = 0};
    }
    view.percent = shown.percent = std::max(shown.percent, view.percent);
    // Ids grow with time: the oldest is the one that nobody asks for any more.
    if (shown_.size() > kShownMax) {
        shown_.erase(shown_.begin());
    }
}

}  // namespace durascribe::engine
