// One move of a random sequence against a store. A move names what to do and, by three small
// numbers, with which of what is there by then: so any part of a sequence is a sequence, and a
// failing one shrinks by leaving moves out.
#pragma once

#include <iosfwd>
#include <vector>

#include <rapidcheck.h>

namespace durascribe::contract {

enum class MoveKind {
    submit,
    submit_same_ids,  // again, with the ids of one that is there or with mixed ones
    submit_task,
    rename,
    delete_media,
    claim,
    renew,
    progress,
    finish,
    finish_as_another_step,
    fail,
    end_wait,
    give_back,
    acknowledge,
    use_stale_lease,
    cancel,
    retry,
    expire,
    set_priority,
    pause,
    resume,
    recover,  // one node finds the other dead
    restart,  // the store is closed and opened, and a new node run recovers
    reopen,   // the store is closed and opened
    rescue,
    advance,    // both clocks
    wall_jump,  // the wall clock alone, forward or back
    prune,
    edit,  // of a transcript
};
inline constexpr int kMoveKinds = 29;

struct Move {
    MoveKind kind{};
    int a = 0, b = 0, c = 0;  // 0 to 999
};

const char* name_of(MoveKind kind);
std::ostream& operator<<(std::ostream& out, const Move& move);

// 0 to `longest` moves, with the odds under which tasks get far.
rc::Gen<std::vector<Move>> moves(int longest);

}  // namespace durascribe::contract
