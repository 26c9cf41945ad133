// Any sequence of verbs, on any ports::Store, is answered as the model says (store_model.h).
//
// RC_PARAMS says how many sequences ("max_success=5000") and from which seed ("seed=1"). A failing
// one shrinks, and prints the RC_PARAMS that plays it again.
#include "store_model_test.h"

#include <iostream>

#include <fmt/format.h>

#include "store_model_run.h"

namespace durascribe::contract {
namespace {

constexpr int kLongestSequence = 600;

}  // namespace

TEST_P(StoreModelTest, AnySequenceOfVerbsIsAnsweredAsTheModelSays) {
    Tally tally;
    const bool agree = rc::check("store and model agree", [&] {
        const auto sequence = *moves(kLongestSequence);
        const auto place = GetParam().make_place();
        StoreModelRun run(*place, tally);
        for (const Move& move : sequence) {
            run.play(move);
        }
        run.compare_everything();
    });
    std::cout << fmt::format("{} steps\n", tally.steps);
    for (int kind = 0; kind < kMoveKinds; ++kind) {
        std::cout << fmt::format("  {:24}{:9}\n", name_of(static_cast<MoveKind>(kind)),
                                 tally.played[static_cast<std::size_t>(kind)]);
    }
    for (const auto& [code, count] : tally.refused) {
        std::cout << fmt::format("  {:24}{:9} refused\n", code, count);
    }
    std::cout << fmt::format(
        "  {} claims, {} of them by age; {} quarantined, {} tasks took over, {} replayed, {} "
        "rescued, {} rows pruned, {} edits, {} other priorities\n",
        tally.claims, tally.aged, tally.quarantined, tally.taken_over, tally.replayed,
        tally.rescued, tally.pruned, tally.edited, tally.reprioritised);
    ASSERT_TRUE(agree);
    // A sequence that goes nowhere shows nothing.
    if (tally.steps >= 20'000) {
        EXPECT_EQ(tally.task_states.size(), std::size_t{domain::kTaskStates});
        EXPECT_EQ(tally.unit_states.size(), std::size_t{domain::kUnitStates});
        for (const char* code :
             {"stale_lease", "wrong_step", "not_cancelled", "task_running", "task_ended",
              "not_retryable", "not_found", "id_conflict", "idempotency_key_reused",
              "transcript_not_final", "precondition_failed", "nothing_to_merge"}) {
            EXPECT_GT(tally.refused[code], 0) << code;
        }
        EXPECT_GT(tally.quarantined, 0);
        EXPECT_GT(tally.aged, 0);
        EXPECT_GT(tally.taken_over, 0);
        EXPECT_GT(tally.replayed, 0);
        EXPECT_GT(tally.rescued, 0);
        EXPECT_GT(tally.pruned, 0);
        EXPECT_GT(tally.edited, 0);
        EXPECT_GT(tally.reprioritised, 0);
    }
}

}  // namespace durascribe::contract
