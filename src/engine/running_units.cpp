#include "durascribe/engine/running_units.h"

#include <algorithm>

namespace durascribe::engine {

RunningUnits::Handle RunningUnits::add(const ports::ClaimedUnit& claimed, MonoTime now,
                                       MonoTime leased_at) {
    auto unit = std::make_shared<RunningUnit>(claimed, now, leased_at);
    const std::scoped_lock lock(mutex_);
    units_.push_back(unit);
    changed_.notify_all();
    return unit;
}

void RunningUnits::remove(const RunningUnit& unit) {
    const std::scoped_lock lock(mutex_);
    std::erase_if(units_, [&](const Handle& u) { return u.get() == &unit; });
    changed_.notify_all();
}

std::vector<RunningUnits::Handle> RunningUnits::all() const {
    const std::scoped_lock lock(mutex_);
    return units_;
}

std::vector<RunningUnits::Handle> RunningUnits::of_task(const TaskId& task) const {
    std::vector<Handle> handles = all();
    std::erase_if(handles, [&](const Handle& unit) { return unit->claimed().task_id != task; });
    return handles;
}

RunningUnits::Handle RunningUnits::find(const ports::Lease& lease) const {
    const std::scoped_lock lock(mutex_);
    const auto found = std::ranges::find_if(
        units_, [&](const Handle& unit) { return unit->claimed().lease == lease; });
    return found != units_.end() ? *found : nullptr;
}

void RunningUnits::stop_task(const TaskId& task, int last_run, StopReason reason) {
    for (const Handle& unit : of_task(task)) {
        if (unit->claimed().run_number <= last_run) {
            unit->stop(reason);
        }
    }
}

void RunningUnits::stop_all(StopReason reason) {
    for (const Handle& unit : all()) {
        unit->stop(reason);
    }
}

bool RunningUnits::wait_until_empty(Millis patience) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, patience, [&] { return units_.empty(); });
}

bool RunningUnits::wait_while_empty(std::stop_token stop) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, stop, [&] { return !units_.empty(); });
    return !stop.stop_requested();
}

void RunningUnits::wait_for_those_before(const RunningUnit& unit) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, unit.stop_token(), [&] {
        for (const Handle& other : units_) {
            if (other.get() == &unit) {
                break;
            }
            if (other->claimed().media_id == unit.claimed().media_id) {
                return false;
            }
        }
        return true;
    });
}

}  // namespace durascribe::engine
