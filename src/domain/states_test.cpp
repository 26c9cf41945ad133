#include "durascribe/domain/states.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <vector>

namespace durascribe::domain {
namespace {

template <typename Enum>
std::vector<Enum> all(int n) {
    std::vector<Enum> values;
    for (int i = 0; i < n; ++i) {
        values.push_back(static_cast<Enum>(i));
    }
    return values;
}
const auto kAllTaskStates = all<TaskState>(kTaskStates);
const auto kAllTaskEvents = all<TaskEvent>(kTaskEvents);
const auto kAllUnitStates = all<UnitState>(kUnitStates);
const auto kAllUnitEvents = all<UnitEvent>(kUnitEvents);

// Written from the design, not from the code: for every state, event by event, where it leads;
// "-" is refused. Order of events as in TaskEvent and UnitEvent.
const std::map<std::string, std::vector<std::string>> kTaskTargets = {
    // claimed, work_waits, retry_waits, all_done, some_failed, failed, cancel_req, cancelled, retry
    {"pending", {"processing", "pending", "-", "-", "-", "failed", "-", "cancelled", "-"}},
    {"processing",
     {"processing", "pending", "retrying", "completed", "partial_failure", "failed", "processing",
      "cancelled", "-"}},
    {"retrying", {"processing", "pending", "-", "-", "-", "failed", "-", "cancelled", "-"}},
    {"completed", {"-", "-", "-", "-", "-", "-", "-", "-", "-"}},
    {"partial_failure", {"-", "-", "-", "-", "-", "-", "-", "-", "pending"}},
    {"failed", {"-", "-", "-", "-", "-", "-", "-", "-", "pending"}},
    {"cancelled", {"-", "-", "-", "-", "-", "-", "-", "-", "pending"}},
};
const std::map<std::string, std::vector<std::string>> kUnitTargets = {
    // claimed, finished, attempt_failed, failed, returned, cancelled, retry
    {"pending", {"processing", "-", "-", "failed", "-", "cancelled", "-"}},
    {"processing", {"-", "completed", "pending", "failed", "pending", "cancelled", "-"}},
    {"completed", {"-", "-", "-", "-", "-", "-", "-"}},
    {"failed", {"-", "-", "-", "-", "-", "-", "pending"}},
    {"cancelled", {"-", "-", "-", "-", "-", "-", "pending"}},
};

TEST(TaskStates, EveryPairLeadsWhereTheDesignSays) {
    for (const TaskState s : kAllTaskStates) {
        for (const TaskEvent e : kAllTaskEvents) {
            const auto t = task_transition(s, e);
            EXPECT_EQ(t ? to_string(t->to) : "-",
                      kTaskTargets.at(std::string(to_string(s))).at(static_cast<std::size_t>(e)))
                << to_string(s) << " on " << to_string(e);
        }
    }
}

TEST(UnitStates, EveryPairLeadsWhereTheDesignSays) {
    for (const UnitState s : kAllUnitStates) {
        for (const UnitEvent e : kAllUnitEvents) {
            const auto t = unit_transition(s, e);
            EXPECT_EQ(t ? to_string(t->to) : "-",
                      kUnitTargets.at(std::string(to_string(s))).at(static_cast<std::size_t>(e)))
                << to_string(s) << " on " << to_string(e);
        }
    }
}

TEST(TaskStates, ATerminalStateIsLeftOnlyByRetry) {
    for (const TaskState s : kAllTaskStates) {
        for (const TaskEvent e : kAllTaskEvents) {
            if (is_terminal(s) && task_transition(s, e)) {
                EXPECT_EQ(e, TaskEvent::retry_requested) << to_string(s);
            }
        }
    }
}

TEST(UnitStates, ATerminalStateIsLeftOnlyByRetry) {
    for (const UnitState s : kAllUnitStates) {
        for (const UnitEvent e : kAllUnitEvents) {
            if (is_terminal(s) && unit_transition(s, e)) {
                EXPECT_EQ(e, UnitEvent::retry_requested) << to_string(s);
            }
        }
    }
}

// An ended row says when it ended, a row that is not ended doesn't, and an ended task waits for
// nothing: the contradictions that a person would see.
TEST(TaskStates, EndsAreMarkedAndUnmarked) {
    for (const TaskState s : kAllTaskStates) {
        for (const TaskEvent e : kAllTaskEvents) {
            const auto t = task_transition(s, e);
            if (!t) {
                continue;
            }
            SCOPED_TRACE(std::string(to_string(s)) + " on " + std::string(to_string(e)));
            EXPECT_EQ(has(t->sets, Field::completed_at), is_terminal(t->to));
            EXPECT_EQ(has(t->clears, Field::completed_at), is_terminal(s));
            if (is_terminal(t->to)) {
                EXPECT_TRUE(has(t->clears, Field::next_attempt_at));
                EXPECT_EQ(has(t->sets, Field::error), t->to != TaskState::completed);
            }
            EXPECT_EQ(static_cast<std::uint32_t>(t->sets) & static_cast<std::uint32_t>(t->clears),
                      0U);
        }
    }
}

TEST(UnitStates, ALeaseIsHeldExactlyWhileProcessing) {
    for (const UnitState s : kAllUnitStates) {
        for (const UnitEvent e : kAllUnitEvents) {
            const auto t = unit_transition(s, e);
            if (!t) {
                continue;
            }
            SCOPED_TRACE(std::string(to_string(s)) + " on " + std::string(to_string(e)));
            EXPECT_EQ(has(t->sets, Field::lease), t->to == UnitState::processing);
            EXPECT_EQ(has(t->clears, Field::lease), s == UnitState::processing);
            EXPECT_EQ(has(t->sets, Field::completed_at), is_terminal(t->to));
            EXPECT_EQ(has(t->clears, Field::completed_at), is_terminal(s));
        }
    }
}

TEST(TaskEventFor, FollowsTheUnits) {
    using E = TaskEvent;
    EXPECT_EQ(task_event_for({.pending_ready = 3, .processing = 1}), E::unit_claimed);
    EXPECT_EQ(task_event_for({.processing = 1, .cancel_requested = true}), E::unit_claimed);
    EXPECT_EQ(task_event_for({.pending_ready = 1, .pending_waiting = 4}), E::work_waits);
    EXPECT_EQ(task_event_for({.pending_waiting = 1, .failed = 2}), E::retry_waits);
    EXPECT_EQ(task_event_for({.completed = 5, .delivered = true}), E::all_done);
    EXPECT_EQ(task_event_for({.completed = 5, .failed = 1, .delivered = true}), E::some_failed);
    EXPECT_EQ(task_event_for({.completed = 5, .cancelled = 1, .delivered = true}), E::some_failed);
    EXPECT_EQ(task_event_for({.completed = 1, .failed = 40}), E::failed_for_good);
    EXPECT_EQ(task_event_for({.completed = 1, .failed = 1, .cancelled = 1}), E::failed_for_good);
    EXPECT_EQ(task_event_for({.completed = 1, .cancelled = 2}), E::cancelled);
}

TEST(TaskEventFor, ACancelWinsAsSoonAsNothingRuns) {
    using E = TaskEvent;
    EXPECT_EQ(task_event_for({.pending_ready = 2, .cancel_requested = true}), E::cancelled);
    EXPECT_EQ(task_event_for({.pending_waiting = 2, .cancel_requested = true}), E::cancelled);
    EXPECT_EQ(task_event_for({.completed = 1, .failed = 1, .cancel_requested = true}),
              E::cancelled);
    EXPECT_EQ(task_event_for({.completed = 2, .cancelled = 3, .cancel_requested = true}),
              E::cancelled);
}

TEST(TaskEventFor, ACancelAfterTheLastResultIsTooLate) {
    using E = TaskEvent;
    EXPECT_EQ(task_event_for({.completed = 5, .delivered = true, .cancel_requested = true}),
              E::all_done);
    EXPECT_EQ(
        task_event_for({.completed = 5, .failed = 1, .delivered = true, .cancel_requested = true}),
        E::some_failed);
}

// Whatever the counts, a task that runs takes the event, and a task whose units have all ended
// ends.
TEST(TaskEventFor, IsLegalWhileProcessingForAnyCounts) {
    for (int bits = 0; bits < 1 << 8; ++bits) {
        const auto bit = [&](int i) { return (bits >> i & 1) != 0; };
        const UnitCounts c{bit(0), bit(1), bit(2), bit(3), bit(4), bit(5), bit(6), bit(7)};
        const auto t = task_transition(TaskState::processing, task_event_for(c));
        ASSERT_TRUE(t) << bits;
        const bool all_ended = c.pending_ready + c.pending_waiting + c.processing == 0;
        EXPECT_EQ(is_terminal(t->to), all_ended || (c.cancel_requested && c.processing == 0))
            << bits;
    }
}

TEST(States, NamesRoundTrip) {
    for (const TaskState s : kAllTaskStates) {
        EXPECT_EQ(task_state_from(to_string(s)), s);
    }
    for (const UnitState s : kAllUnitStates) {
        EXPECT_EQ(unit_state_from(to_string(s)), s);
    }
    EXPECT_EQ(task_state_from("Pending"), std::nullopt);
    EXPECT_EQ(unit_state_from("retrying"), std::nullopt);
}

TEST(States, EarlierClientsReadTheirOwnWords) {
    EXPECT_EQ(legacy_media_status(std::nullopt), "pending");
    const std::vector<std::string> words = {"pending", "transcribing", "transcribing", "ready",
                                            "partial", "error",        "cancelled"};
    for (const TaskState s : kAllTaskStates) {
        EXPECT_EQ(legacy_media_status(s), words[static_cast<std::size_t>(s)]);
    }
}

// ---- the document -----------------------------------------------------------------------------

struct DocumentedMachine {
    std::set<std::string> rows;   // "from | event | to | sets | clears", fields in order
    std::set<std::string> drawn;  // "from --> to: event"
};

std::string trimmed(const std::string& text) {
    const auto first = text.find_first_not_of(" \t");
    return first == std::string::npos
               ? ""
               : text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

std::vector<std::string> split(const std::string& text, char separator) {
    std::vector<std::string> parts;
    std::istringstream in(text);
    for (std::string part; std::getline(in, part, separator);) {
        parts.push_back(trimmed(part));
    }
    return parts;
}

std::string sorted_fields(const std::string& list) {
    auto names = split(list, ',');
    std::erase(names, "");
    std::ranges::sort(names);
    std::string joined;
    for (const auto& name : names) {
        joined += name + ",";
    }
    return joined;
}

DocumentedMachine read_document(const std::string& heading) {
    std::ifstream in(DURASCRIBE_STATE_MACHINE_DOC);
    EXPECT_TRUE(in) << DURASCRIBE_STATE_MACHINE_DOC;
    DocumentedMachine machine;
    bool here = false;
    bool in_table = false;
    for (std::string line; std::getline(in, line);) {
        if (line.starts_with("## ")) {
            here = line == heading;
        }
        if (!here) {
            continue;
        }
        if (line == "| from | event | to | sets | clears |") {
            in_table = true;
        } else if (!line.starts_with("|")) {
            in_table = false;
        } else if (in_table && !line.starts_with("|---")) {
            const auto cells = split(line, '|');  // the first is what stands before the first bar
            EXPECT_EQ(cells.size(), 6U) << line;
            machine.rows.insert(cells.at(1) + " | " + cells.at(2) + " | " + cells.at(3) + " | " +
                                sorted_fields(cells.at(4)) + " | " + sorted_fields(cells.at(5)));
        }
        if (line.find(" --> ") != std::string::npos && line.find("[*]") == std::string::npos) {
            machine.drawn.insert(trimmed(line));
        }
    }
    return machine;
}

std::string field_names(Field fields) {
    static const std::vector<std::pair<Field, std::string>> kNames = {
        {Field::started_at, "started_at"},
        {Field::completed_at, "completed_at"},
        {Field::error, "error"},
        {Field::cancel_requested_at, "cancel_requested_at"},
        {Field::next_attempt_at, "next_attempt_at"},
        {Field::lease, "lease"},
        {Field::retry_count, "retry_count"},
        {Field::progress_full, "progress_full"},
        {Field::current_step, "current_step"},
        {Field::run_number, "run_number"},
        {Field::result, "result"},
    };
    std::string list;
    for (const auto& [field, name] : kNames) {
        if (has(fields, field)) {
            list += name + ",";
        }
    }
    return sorted_fields(list);
}

template <typename State, typename Event>
DocumentedMachine machine_in_code(const std::vector<State>& states,
                                  const std::vector<Event>& events,
                                  std::optional<Transition<State>> (*transition)(State, Event)) {
    DocumentedMachine machine;
    for (const State s : states) {
        for (const Event e : events) {
            if (const auto t = transition(s, e)) {
                const std::string from(to_string(s));
                const std::string to(to_string(t->to));
                const std::string event(to_string(e));
                machine.rows.insert(from + " | " + event + " | " + to + " | " +
                                    field_names(t->sets) + " | " + field_names(t->clears));
                machine.drawn.insert(from + " --> " + to + ": " + event);
            }
        }
    }
    return machine;
}

TEST(StateMachineDocument, TellsTheTruthAboutTasks) {
    const auto code = machine_in_code(kAllTaskStates, kAllTaskEvents, &task_transition);
    const auto document = read_document("## Tasks");
    EXPECT_EQ(document.rows, code.rows);
    EXPECT_EQ(document.drawn, code.drawn);
}

TEST(StateMachineDocument, TellsTheTruthAboutUnits) {
    const auto code = machine_in_code(kAllUnitStates, kAllUnitEvents, &unit_transition);
    const auto document = read_document("## Units");
    EXPECT_EQ(document.rows, code.rows);
    EXPECT_EQ(document.drawn, code.drawn);
}

}  // namespace
}  // namespace durascribe::domain
