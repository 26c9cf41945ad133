#include "durascribe/domain/states.h"

#include <array>

#include "durascribe/base/error.h"

namespace durascribe::domain {
namespace {

template <typename State, typename Event>
struct Edge {
    State from;
    Event event;
    Transition<State> transition;
};

// Whatever ends a task also forgets the next attempt: an ended task waits for nothing. A task can
// only be completed with a cancel still asked for when the last result came before the kill did;
// the request is then void, and forgotten.
constexpr std::array kTaskEdges = [] {
    using S = TaskState;
    using E = TaskEvent;
    using F = Field;
    constexpr F kClaim = F::started_at | F::current_step;
    constexpr F kEnd = F::completed_at | F::error;
    constexpr F kRetrySets = F::current_step | F::run_number;
    constexpr F kRetryClears =
        F::completed_at | F::error | F::cancel_requested_at | F::next_attempt_at | F::retry_count;
    return std::to_array<Edge<S, E>>({
        {S::pending, E::unit_claimed, {S::processing, kClaim, F::next_attempt_at}},
        {S::retrying, E::unit_claimed, {S::processing, kClaim, F::next_attempt_at}},
        {S::processing, E::unit_claimed, {S::processing, kClaim, F::next_attempt_at}},
        {S::pending, E::work_waits, {S::pending}},
        {S::processing, E::work_waits, {S::pending, F::none, F::next_attempt_at}},
        {S::retrying, E::work_waits, {S::pending, F::none, F::next_attempt_at}},
        {S::processing,
         E::retry_waits,
         {S::retrying, F::next_attempt_at | F::retry_count | F::error}},
        {S::processing,
         E::all_done,
         {S::completed, F::completed_at | F::progress_full,
          F::error | F::cancel_requested_at | F::next_attempt_at}},
        {S::processing,
         E::some_failed,
         {S::partial_failure, kEnd, F::cancel_requested_at | F::next_attempt_at}},
        {S::pending, E::failed_for_good, {S::failed, kEnd, F::next_attempt_at}},
        {S::processing, E::failed_for_good, {S::failed, kEnd, F::next_attempt_at}},
        {S::retrying, E::failed_for_good, {S::failed, kEnd, F::next_attempt_at}},
        {S::processing, E::cancel_requested, {S::processing, F::cancel_requested_at}},
        {S::pending, E::cancelled, {S::cancelled, kEnd, F::next_attempt_at}},
        {S::processing, E::cancelled, {S::cancelled, kEnd, F::next_attempt_at}},
        {S::retrying, E::cancelled, {S::cancelled, kEnd, F::next_attempt_at}},
        {S::cancelled, E::retry_requested, {S::pending, kRetrySets, kRetryClears}},
        {S::failed, E::retry_requested, {S::pending, kRetrySets, kRetryClears}},
        {S::partial_failure, E::retry_requested, {S::pending, kRetrySets, kRetryClears}},
    });
}();

constexpr std::array kUnitEdges = [] {
    using S = UnitState;
    using E = UnitEvent;
    using F = Field;
    constexpr F kRetryClears = F::completed_at | F::error | F::next_attempt_at | F::retry_count;
    return std::to_array<Edge<S, E>>({
        {S::pending, E::claimed, {S::processing, F::started_at | F::lease, F::next_attempt_at}},
        {S::processing,
         E::finished,
         {S::completed, F::completed_at | F::progress_full | F::result, F::error | F::lease}},
        {S::processing,
         E::attempt_failed,
         {S::pending, F::error | F::next_attempt_at | F::retry_count, F::lease}},
        {S::processing, E::failed_for_good, {S::failed, F::completed_at | F::error, F::lease}},
        {S::processing, E::returned, {S::pending, F::none, F::lease}},
        {S::pending,
         E::failed_for_good,
         {S::failed, F::completed_at | F::error, F::next_attempt_at}},
        {S::pending, E::cancelled, {S::cancelled, F::completed_at, F::next_attempt_at}},
        {S::processing, E::cancelled, {S::cancelled, F::completed_at, F::lease}},
        {S::failed, E::retry_requested, {S::pending, F::none, kRetryClears}},
        {S::cancelled, E::retry_requested, {S::pending, F::none, kRetryClears}},
    });
}();

template <typename State, typename Event, std::size_t N>
constexpr std::optional<Transition<State>> find(const std::array<Edge<State, Event>, N>& edges,
                                                State from, Event event) {
    for (const auto& edge : edges) {
        if (edge.from == from && edge.event == event) {
            return edge.transition;
        }
    }
    return std::nullopt;
}

}  // namespace

std::optional<Transition<TaskState>> task_transition(TaskState from, TaskEvent event) {
    return find(kTaskEdges, from, event);
}

std::optional<Transition<UnitState>> unit_transition(UnitState from, UnitEvent event) {
    return find(kUnitEdges, from, event);
}

bool is_terminal(TaskState s) {
    switch (s) {
        case TaskState::pending:
        case TaskState::processing:
        case TaskState::retrying:
            return false;
        case TaskState::completed:
        case TaskState::partial_failure:
        case TaskState::failed:
        case TaskState::cancelled:
            return true;
    }
    DURASCRIBE_ASSERT(false && "unknown TaskState");
}

bool is_terminal(UnitState s) {
    switch (s) {
        case UnitState::pending:
        case UnitState::processing:
            return false;
        case UnitState::completed:
        case UnitState::failed:
        case UnitState::cancelled:
            return true;
    }
    DURASCRIBE_ASSERT(false && "unknown UnitState");
}

TaskEvent task_event_for(const UnitCounts& c) {
    if (c.processing > 0) {
        return TaskEvent::unit_claimed;
    }
    const bool waits = c.pending_ready > 0 || c.pending_waiting > 0;
    // A cancel that came too late, after the last result, has nothing left to stop. It may not hide
    // a finished transcript: a retry of such a task would find nothing to do.
    const bool too_late_to_cancel = c.delivered && !waits && c.cancelled == 0;
    if (c.cancel_requested && !too_late_to_cancel) {
        return TaskEvent::cancelled;
    }
    if (c.pending_ready > 0) {
        return TaskEvent::work_waits;
    }
    if (c.pending_waiting > 0) {
        return TaskEvent::retry_waits;
    }
    if (c.delivered) {
        return c.failed + c.cancelled > 0 ? TaskEvent::some_failed : TaskEvent::all_done;
    }
    if (c.cancelled > 0 && c.failed == 0) {
        return TaskEvent::cancelled;
    }
    // Also where nothing failed and yet nothing is left that could deliver: a broken promise of the
    // caller, which must end the task rather than leave it waiting for ever.
    return TaskEvent::failed_for_good;
}

std::string_view to_string(TaskState s) {
    switch (s) {
        case TaskState::pending:
            return "pending";
        case TaskState::processing:
            return "processing";
        case TaskState::retrying:
            return "retrying";
        case TaskState::completed:
            return "completed";
        case TaskState::partial_failure:
            return "partial_failure";
        case TaskState::failed:
            return "failed";
        case TaskState::cancelled:
            return "cancelled";
    }
    DURASCRIBE_ASSERT(false && "unknown TaskState");
}

std::string_view to_string(UnitState s) {
    switch (s) {
        case UnitState::pending:
            return "pending";
        case UnitState::processing:
            return "processing";
        case UnitState::completed:
            return "completed";
        case UnitState::failed:
            return "failed";
        case UnitState::cancelled:
            return "cancelled";
    }
    DURASCRIBE_ASSERT(false && "unknown UnitState");
}

std::string_view to_string(TaskEvent e) {
    switch (e) {
        case TaskEvent::unit_claimed:
            return "unit_claimed";
        case TaskEvent::work_waits:
            return "work_waits";
        case TaskEvent::retry_waits:
            return "retry_waits";
        case TaskEvent::all_done:
            return "all_done";
        case TaskEvent::some_failed:
            return "some_failed";
        case TaskEvent::failed_for_good:
            return "failed_for_good";
        case TaskEvent::cancel_requested:
            return "cancel_requested";
        case TaskEvent::cancelled:
            return "cancelled";
        case TaskEvent::retry_requested:
            return "retry_requested";
    }
    DURASCRIBE_ASSERT(false && "unknown TaskEvent");
}

std::string_view to_string(UnitEvent e) {
    switch (e) {
        case UnitEvent::claimed:
            return "claimed";
        case UnitEvent::finished:
            return "finished";
        case UnitEvent::attempt_failed:
            return "attempt_failed";
        case UnitEvent::failed_for_good:
            return "failed_for_good";
        case UnitEvent::returned:
            return "returned";
        case UnitEvent::cancelled:
            return "cancelled";
        case UnitEvent::retry_requested:
            return "retry_requested";
    }
    DURASCRIBE_ASSERT(false && "unknown UnitEvent");
}

std::optional<TaskState> task_state_from(std::string_view name) {
    for (int i = 0; i < kTaskStates; ++i) {
        if (const auto s = static_cast<TaskState>(i); to_string(s) == name) {
            return s;
        }
    }
    return std::nullopt;
}

std::optional<UnitState> unit_state_from(std::string_view name) {
    for (int i = 0; i < kUnitStates; ++i) {
        if (const auto s = static_cast<UnitState>(i); to_string(s) == name) {
            return s;
        }
    }
    return std::nullopt;
}

std::string_view legacy_media_status(std::optional<TaskState> newest_task) {
    if (!newest_task) {
        return "pending";
    }
    switch (*newest_task) {
        case TaskState::pending:
            return "pending";
        case TaskState::processing:
        case TaskState::retrying:
            return "transcribing";
        case TaskState::completed:
            return "ready";
        case TaskState::partial_failure:
            return "partial";
        case TaskState::failed:
            return "error";
        case TaskState::cancelled:
            return "cancelled";
    }
    DURASCRIBE_ASSERT(false && "unknown TaskState");
}

}  // namespace durascribe::domain
