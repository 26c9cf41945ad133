#include "durascribe/engine/view_builder.h"

#include <gtest/gtest.h>

namespace durascribe::engine {
namespace {

using domain::Step;
using domain::UnitState;

// 200 s of audio in two chunks, extracted; the first chunk at work on one slot.
ViewFacts at_work(Millis done, Millis running_for) {
    ViewFacts facts;
    facts.row.state = domain::TaskState::processing;
    facts.media_duration = Millis{200'000};
    facts.speeds = {{Step::transcribe, 0.1, 0.0}};
    ports::UnitRow extract;
    extract.id = UnitId{1};
    extract.step = Step::extract;
    extract.state = UnitState::completed;
    ports::UnitRow chunk;
    chunk.id = UnitId{2};
    chunk.step = Step::transcribe;
    chunk.state = UnitState::processing;
    chunk.span = {Millis{0}, Millis{100'000}};
    ports::UnitRow next = chunk;
    next.id = UnitId{3};
    next.state = UnitState::pending;
    next.span = {Millis{100'000}, Millis{200'000}};
    facts.units = {extract, chunk, next};
    facts.live = {{.unit = chunk.id, .audio_done = done, .running_for = running_for}};
    return facts;
}

TEST(BuildView, TheTimeLeftFollowsThePaceOfNow) {
    // Five times slower than was learned, for long enough to be believed.
    const TaskView slow = build_view(at_work(Millis{40'000}, Millis{20'000}));
    ASSERT_TRUE(slow.eta_seconds);
    EXPECT_NEAR(*slow.eta_seconds, 80, 2);
    // As learned.
    const TaskView usual = build_view(at_work(Millis{40'000}, Millis{4'000}));
    ASSERT_TRUE(usual.eta_seconds);
    EXPECT_NEAR(*usual.eta_seconds, 16, 1);
}

TEST(BuildView, AFirstMomentDoesNotUpsetTheTimeLeft) {
    const TaskView view = build_view(at_work(Millis{100}, Millis{200}));
    ASSERT_TRUE(view.eta_seconds);
    EXPECT_NEAR(*view.eta_seconds, 20, 3);
}

TEST(BuildView, FinalizingIsNotSaidToWait) {
    ViewFacts facts = at_work(Millis{0}, Millis{0});
    facts.live.clear();
    facts.units[1].state = facts.units[2].state = UnitState::completed;
    ports::UnitRow last;
    last.id = UnitId{4};
    last.step = Step::finalize;
    last.state = UnitState::pending;
    facts.units.push_back(last);
    EXPECT_EQ(build_view(std::move(facts)).stage, "Finalizing");
}

}  // namespace
}  // namespace durascribe::engine
