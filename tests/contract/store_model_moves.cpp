#include "store_model_moves.h"

#include <array>
#include <ostream>

namespace durascribe::contract {
namespace {

struct Odds {
    MoveKind kind;
    const char* name;
    std::size_t weight;
};

// In the order of MoveKind.
constexpr std::array<Odds, kMoveKinds> kOdds{{
    {MoveKind::submit, "submit", 5},
    {MoveKind::submit_same_ids, "submit_same_ids", 1},
    {MoveKind::submit_task, "submit_task", 5},
    {MoveKind::rename, "rename", 1},
    {MoveKind::delete_media, "delete_media", 2},
    {MoveKind::claim, "claim", 28},
    {MoveKind::renew, "renew", 3},
    {MoveKind::progress, "progress", 4},
    {MoveKind::finish, "finish", 20},
    {MoveKind::finish_as_another_step, "finish_as_another_step", 1},
    {MoveKind::fail, "fail", 12},
    {MoveKind::end_wait, "end_wait", 2},
    {MoveKind::give_back, "give_back", 2},
    {MoveKind::acknowledge, "acknowledge", 4},
    {MoveKind::use_stale_lease, "use_stale_lease", 5},
    {MoveKind::cancel, "cancel", 3},
    {MoveKind::retry, "retry", 7},
    {MoveKind::expire, "expire", 1},
    {MoveKind::set_priority, "set_priority", 3},
    {MoveKind::pause, "pause", 1},
    {MoveKind::resume, "resume", 4},
    {MoveKind::recover, "recover", 1},
    {MoveKind::restart, "restart", 1},
    {MoveKind::reopen, "reopen", 1},
    {MoveKind::rescue, "rescue", 3},
    {MoveKind::advance, "advance", 12},
    {MoveKind::wall_jump, "wall_jump", 1},
    {MoveKind::prune, "prune", 2},
    {MoveKind::edit, "edit", 4},
}};

}  // namespace

const char* name_of(MoveKind kind) {
    return kOdds.at(static_cast<std::size_t>(kind)).name;
}

std::ostream& operator<<(std::ostream& out, const Move& move) {
    return out << name_of(move.kind) << '(' << move.a << ',' << move.b << ',' << move.c << ')';
}

rc::Gen<std::vector<Move>> moves(int longest) {
    std::vector<MoveKind> pool;
    for (const Odds& odds : kOdds) {
        pool.insert(pool.end(), odds.weight, odds.kind);
    }
    const auto number = rc::gen::inRange(0, 1'000);
    return rc::gen::resize(
        longest,
        rc::gen::container<std::vector<Move>>(rc::gen::build<Move>(
            rc::gen::set(&Move::kind, rc::gen::elementOf(pool)), rc::gen::set(&Move::a, number),
            rc::gen::set(&Move::b, number), rc::gen::set(&Move::c, number))));
}

}  // namespace durascribe::contract
