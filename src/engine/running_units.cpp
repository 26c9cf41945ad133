#include "durascribe/engine/running_units.h"

namespace durascribe::engine {

RunningUnits::Handle RunningUnits::add(const ports::ClaimedUnit& claimed, MonoTime now) {
    auto unit = std::make_shared<RunningUnit>(claimed, now);
    const std::scoped_lock lock(mutex_);
    const bool added = units_.emplace(claimed.lease.unit, unit).second;
    DURASCRIBE_ASSERT(added);  // the store leases a unit once at a time
    return unit;
}

void RunningUnits::remove(const RunningUnit& unit) {
    const std::scoped_lock lock(mutex_);
    units_.erase(unit.claimed().lease.unit);
    if (units_.empty()) {
        emptied_.notify_all();
    }
}

std::vector<RunningUnits::Handle> RunningUnits::all() const {
    const std::scoped_lock lock(mutex_);
    std::vector<Handle> handles;
    handles.reserve(units_.size());
    for (const auto& [id, unit] : units_) {
        handles.push_back(unit);
    }
    return handles;
}

std::vector<RunningUnits::Handle> RunningUnits::of_task(const TaskId& task) const {
    std::vector<Handle> handles = all();
    std::erase_if(handles, [&](const Handle& unit) { return unit->claimed().task_id != task; });
    return handles;
}

RunningUnits::Handle RunningUnits::find(const ports::Lease& lease) const {
    const std::scoped_lock lock(mutex_);
    const auto found = units_.find(lease.unit);
    return found != units_.end() && found->second->claimed().lease == lease ? found->second
                                                                            : nullptr;
}

void RunningUnits::stop_task(const TaskId& task, StopReason reason) {
    for (const Handle& unit : of_task(task)) {
        unit->stop(reason);
    }
}

void RunningUnits::stop_all(StopReason reason) {
    for (const Handle& unit : all()) {
        unit->stop(reason);
    }
}

bool RunningUnits::wait_until_empty(Millis patience) {
    std::unique_lock lock(mutex_);
    return emptied_.wait_for(lock, patience, [&] { return units_.empty(); });
}

}  // namespace durascribe::engine
