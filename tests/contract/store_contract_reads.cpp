// Lists, counts, learned speeds, events.
#include <set>
#include <string>
#include <thread>

#include "store_contract.h"

namespace durascribe::contract {
namespace {

using domain::Lane;
using domain::Step;
using domain::TaskState;

TEST_P(StoreContract, PagesStayWhereTheyAreWhileRowsComeIn) {
    std::vector<TaskId> expected;
    for (int i = 0; i < 7; ++i) {
        expected.insert(expected.begin(), submit().id);
    }
    std::vector<TaskId> seen;
    std::string cursor;
    do {
        const auto page = store_->list_tasks({}, {.limit = 3, .cursor = cursor});
        ASSERT_TRUE(page.has_value());
        for (const auto& row : page->rows) {
            seen.push_back(row.id);
        }
        cursor = page->next_cursor;
        submit();
    } while (!cursor.empty());
    EXPECT_EQ(seen, expected);
    EXPECT_ERROR(store_->list_tasks({}, {.limit = 3, .cursor = "nonsense"}), ErrorClass::request,
                 "bad_cursor");
    EXPECT_ERROR(store_->list_media({}, {.limit = 0, .cursor = {}}), ErrorClass::request,
                 "bad_limit");
}

TEST_P(StoreContract, ListsFilter) {
    const auto waiting = submit();
    const auto ended = submit();
    ASSERT_TRUE(store_->request_cancel(ended.id).has_value());
    ASSERT_TRUE(store_->rename_media(ended.media_id, "100% _real_").has_value());
    EXPECT_EQ(store_->list_tasks({.active_only = true}, {})->rows.at(0).id, waiting.id);
    EXPECT_EQ(store_->list_tasks({.active_only = true}, {})->rows.size(), 1U);
    EXPECT_EQ(store_->list_tasks({.state = TaskState::cancelled}, {})->rows.at(0).id, ended.id);
    EXPECT_EQ(store_->list_tasks({.media_id = waiting.media_id}, {})->rows.size(), 1U);
    EXPECT_EQ(store_->list_media({.states = {TaskState::cancelled}}, {})->rows.at(0).id,
              ended.media_id);
    EXPECT_EQ(
        store_->list_media({.states = {TaskState::cancelled, TaskState::pending}}, {})->rows.size(),
        2U);
    EXPECT_EQ(store_->list_media({.search = "100% rea"}, {})->rows.size(), 1U);
    EXPECT_EQ(store_->list_media({.search = "talking"}, {})->rows.size(), 0U);
    EXPECT_EQ(store_->list_media({}, {})->rows.size(), 2U);
    const auto counts = store_->counts();
    EXPECT_EQ(counts->pending, 1);
    EXPECT_EQ(counts->cancelled, 1);
}

TEST_P(StoreContract, SpeedsAreLearned) {
    EXPECT_TRUE(store_->speeds()->empty());
    for (int i = 0; i < 20; ++i) {
        ASSERT_TRUE(store_->learn(Step::transcribe, "e", "m", node_, 0.5).has_value());
    }
    const auto speeds = store_->speeds();
    ASSERT_EQ(speeds->size(), 1U);
    EXPECT_EQ(speeds->at(0).step, Step::transcribe);
    EXPECT_NEAR(speeds->at(0).seconds_per_audio_second, 0.5, 0.05);
}

TEST_P(StoreContract, EventsAreReplayedFromAnyPoint) {
    submit_extracted(1);
    run_to_end(1);
    const auto all = store_->events_after(0, 1'000);
    ASSERT_GT(all->size(), 5U);
    const auto rest = store_->events_after(all->at(2).seq, 2);
    ASSERT_EQ(rest->size(), 2U);
    EXPECT_EQ(rest->at(0).seq, all->at(3).seq);
    EXPECT_EQ(rest->at(1).payload, all->at(4).payload);
    std::set<std::string> types;
    for (const auto& e : *all) {
        types.insert(e.type);
    }
    EXPECT_THAT(types,
                ::testing::UnorderedElementsAre("media.created", "media.updated", "task.created",
                                                "task.state", "unit.completed"));
}

TEST_P(StoreContract, WhatOneViewReadsIsOfOneMoment) {
    const auto row = submit();
    ASSERT_TRUE(store_->rename_media(row.media_id, "before"));
    const auto title = [&] { return store_->media(row.media_id)->title; };
    {
        const auto outer = store_->read_view();
        EXPECT_EQ(title(), "before");
        ASSERT_TRUE(store_->rename_media(row.media_id, "after"));
        EXPECT_EQ(title(), "before");
        {
            const auto inner = store_->read_view();
            EXPECT_EQ(title(), "before");
        }
        EXPECT_EQ(title(), "before");
        std::string elsewhere;
        std::jthread([&] { elsewhere = title(); }).join();
        EXPECT_EQ(elsewhere, "after");
    }
    EXPECT_EQ(title(), "after");
}

}  // namespace
}  // namespace durascribe::contract
