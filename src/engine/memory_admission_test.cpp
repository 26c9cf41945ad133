#include "durascribe/engine/memory_admission.h"

#include <gtest/gtest.h>

namespace durascribe::engine {
namespace {

class Admission : public ::testing::Test {
  protected:
    std::int64_t free_ = 1'000;
    MemoryAdmission admission_{[this] { return free_; }};
};

TEST_F(Admission, TheFirstAlwaysMay) {
    EXPECT_TRUE(admission_.admit(5'000));
}

TEST_F(Admission, WhatIsPromisedIsNotGivenTwice) {
    auto first = admission_.admit(600);
    ASSERT_TRUE(first);
    EXPECT_FALSE(admission_.admit(600)) << "400 are left when the first has loaded its model";
    EXPECT_TRUE(admission_.admit(400));
    first->note_resident(600);
    free_ = 400;
    EXPECT_TRUE(admission_.admit(400)) << "what was promised has been taken";
}

TEST_F(Admission, ALargerModelIsAskedFor) {
    auto first = admission_.admit(100);
    auto second = admission_.admit(100);
    ASSERT_TRUE(first && second);
    EXPECT_TRUE(first->change_need(900)) << "just beside the other's 100";
    EXPECT_FALSE(second->change_need(200));
    EXPECT_FALSE(admission_.admit(100));
    EXPECT_TRUE(first->change_need(100)) << "a smaller one always fits";
    EXPECT_TRUE(second->change_need(200));
}

TEST_F(Admission, WhatTheWorkerHasIsGivenUpForTheLargerModel) {
    auto first = admission_.admit(300);
    auto second = admission_.admit(300);
    ASSERT_TRUE(first && second);
    first->note_resident(300);
    second->note_resident(300);
    free_ = 400;
    EXPECT_FALSE(first->change_need(701));
    EXPECT_TRUE(first->change_need(700));
}

TEST_F(Admission, AloneAnythingMayBeLoaded) {
    auto only = admission_.admit(100);
    ASSERT_TRUE(only);
    const auto spare = admission_.admit_spare(100);
    ASSERT_TRUE(spare);
    EXPECT_TRUE(only->change_need(5'000)) << "a spare one does not work, and keeps nobody from it";
}

TEST_F(Admission, ASpareThatIsPutToWorkCounts) {
    auto only = admission_.admit(100);
    auto spare = admission_.admit_spare(100);
    ASSERT_TRUE(only && spare);
    spare->put_to_work();
    EXPECT_FALSE(only->change_need(5'000));
    spare.reset();
    EXPECT_TRUE(only->change_need(5'000));
}

TEST_F(Admission, WhoTakesMoreThanWasExpectedNeedsIt) {
    auto first = admission_.admit(100);
    ASSERT_TRUE(first);
    first->note_resident(500);
    first->note_resident(300);  // for a moment: it may take the rest again
    free_ = 700;
    EXPECT_FALSE(admission_.admit(501));
    EXPECT_TRUE(admission_.admit(500));
}

TEST(AdmissionWithoutALimit, EveryoneIsAdmitted) {
    MemoryAdmission admission(nullptr);
    auto first = admission.admit(1'000);
    auto second = admission.admit(1'000);
    ASSERT_TRUE(first && second);
    EXPECT_TRUE(first->change_need(1'000'000));
}

}  // namespace
}  // namespace durascribe::engine
