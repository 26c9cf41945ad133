// The state machine of tasks and units: the only place that knows which change is legal and what it
// sets and clears. Drawn in docs/state-machine.md. Pure: no clock, no I/O.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace durascribe::domain {

enum class TaskState {
    pending,
    processing,
    retrying,
    completed,
    partial_failure,
    failed,
    cancelled
};
enum class UnitState { pending, processing, completed, failed, cancelled };

inline constexpr int kTaskStates = 7;
inline constexpr int kUnitStates = 5;

enum class TaskEvent {
    unit_claimed,     // a worker took a unit, or others still run after one ended
    work_waits,       // nothing runs, something may start now (a lost worker's unit, the next step)
    retry_waits,      // nothing runs, all that is left waits for its next attempt
    all_done,         // every unit completed
    some_failed,      // every unit ended, some failed for good, something was delivered
    failed_for_good,  // every unit ended and nothing could be delivered
    cancel_requested,  // asked for while units run
    cancelled,         // no unit runs any more (at once where none ran)
    retry_requested,   // a person asks for what failed or was cancelled to be done again
};
inline constexpr int kTaskEvents = 9;

enum class UnitEvent {
    claimed,
    finished,
    attempt_failed,  // attempts left: back to pending, not before a time
    failed_for_good,
    returned,  // lost or drained: back to pending, no attempt spent
    cancelled,
    retry_requested,
};
inline constexpr int kUnitEvents = 7;

// Columns that a transition sets or clears, as a bit set. What is not named stays as it is.
enum class Field : std::uint32_t {
    none = 0,
    started_at = 1U << 0,  // set only if null
    completed_at = 1U << 1,
    error = 1U << 2,  // class, code and message; of a cancelled task: request, "cancelled", who
    cancel_requested_at = 1U << 3,
    next_attempt_at = 1U << 4,  // of a unit: not_before
    lease = 1U << 5,            // node, expiry, heartbeat; the lease number itself only grows
    retry_count = 1U << 6,      // set: incremented; clear: 0 (of a unit: its crashes too)
    progress_full = 1U << 7,    // set: 100
    current_step = 1U << 8,
    run_number = 1U << 9,  // incremented
    result = 1U << 10,
};
constexpr Field operator|(Field a, Field b) {
    return static_cast<Field>(static_cast<std::uint32_t>(a) | static_cast<std::uint32_t>(b));
}
constexpr bool has(Field set, Field one) {
    return (static_cast<std::uint32_t>(set) & static_cast<std::uint32_t>(one)) != 0;
}

template <typename State>
struct Transition {
    State to;
    Field sets = Field::none;
    Field clears = Field::none;
};

// nullopt: the change is not legal.
std::optional<Transition<TaskState>> task_transition(TaskState from, TaskEvent event);
std::optional<Transition<UnitState>> unit_transition(UnitState from, UnitEvent event);

bool is_terminal(TaskState s);
bool is_terminal(UnitState s);

// How many units of a task stand where, and what that says of the task.
struct UnitCounts {
    int pending_ready = 0;    // may start now
    int pending_waiting = 0;  // wait for their next attempt
    int processing = 0;
    int completed = 0;
    int failed = 0;
    int cancelled = 0;
    bool delivered = false;  // this run's `finalize` completed
    bool cancel_requested = false;
};

// The event that brings the task to the state its units imply. To be asked after a unit changed
// and, where it was the last of its step, after the next step's units were made. A cancel that was
// asked for wins as soon as nothing runs, unless the transcript is already delivered whole.
TaskEvent task_event_for(const UnitCounts& counts);

std::string_view to_string(TaskState s);
std::string_view to_string(UnitState s);
std::string_view to_string(TaskEvent e);
std::string_view to_string(UnitEvent e);
std::optional<TaskState> task_state_from(std::string_view name);
std::optional<UnitState> unit_state_from(std::string_view name);

// The status of a media in the words of earlier clients (`pending`, `transcribing`, `ready`,
// `error`, `partial`, `cancelled`), from its newest task; nullopt: it never had one. Their
// `downloading` is not a state: it is `transcribing` while the current step is `acquire`.
std::string_view legacy_media_status(std::optional<TaskState> newest_task);

}  // namespace durascribe::domain
