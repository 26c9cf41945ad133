// The search over titles and transcripts, and the list of media in its orders.
#include "store_contract_transcripts.h"

namespace durascribe::contract {
namespace {

using domain::Lane;
using domain::TaskState;
using ports::ChangeSegment;
using ports::MediaOrder;

using Titles = std::vector<std::string>;

Titles titles_of(const Result<ports::PageOf<ports::MediaRow>>& page) {
    Titles titles;
    EXPECT_TRUE(page.has_value()) << page.error().message;
    for (const auto& row : page->rows) {
        titles.push_back(row.title);
    }
    return titles;
}

std::string marked(const ports::SearchHit& hit) {
    std::string out = hit.snippet;
    for (auto mark = hit.marks.rbegin(); mark != hit.marks.rend(); ++mark) {
        out.insert(mark->second, "]");
        out.insert(mark->first, "[");
    }
    return out;
}

TEST_P(StoreSearch, HitsTellWhereTheWordsAre) {
    const auto row =
        submit_named("Ein Morgen im Mai", {said(0, "nothing"), said(61, "im Mai regnet es")});
    const auto found = search("MAI reg");
    ASSERT_EQ(found.hits.size(), 1U);
    const ports::SearchHit& hit = found.hits[0];
    EXPECT_EQ(hit.media, row.media_id);
    EXPECT_EQ(hit.task, row.id);
    EXPECT_EQ(hit.title, "Ein Morgen im Mai");
    EXPECT_FALSE(hit.in_title);
    EXPECT_EQ(hit.segment, 1);
    EXPECT_EQ(hit.index, 1);
    EXPECT_EQ(hit.span.start, Millis{61'000});
    EXPECT_EQ(marked(hit), "im [Mai] [regnet] es");
    EXPECT_TRUE(found.next_cursor.empty());
    const auto both = search("mai");
    ASSERT_EQ(both.hits.size(), 2U);
    EXPECT_TRUE(both.hits[0].in_title) << "a title tells more than a segment";
    EXPECT_EQ(marked(both.hits[0]), "Ein Morgen im [Mai]");
    EXPECT_TRUE(search("…!?").hits.empty());
    EXPECT_TRUE(search("").hits.empty());
}

TEST_P(StoreSearch, KnowsWhatIsThereNow) {
    const auto row = submit_named("First", {said(0, "red"), said(10, "green apples", "B")});
    EXPECT_EQ(search("green").hits.size(), 1U);
    ASSERT_TRUE(edit(row.media_id, ChangeSegment{.id = 1, .text = "yellow pears"}).has_value());
    EXPECT_EQ(search("green").hits.size(), 0U);
    EXPECT_EQ(search("pears").hits.size(), 1U);
    ASSERT_TRUE(edit(row.media_id, ports::SplitSegment{.id = 1, .at = 1}).has_value());
    ASSERT_EQ(search("pears").hits.size(), 1U);
    EXPECT_EQ(search("pears").hits[0].segment, 2);
    EXPECT_EQ(search("pears").hits[0].index, 2);
    EXPECT_EQ(search("yellow pears").hits.size(), 0U) << "no longer in one segment";
    ASSERT_TRUE(edit(row.media_id, ports::MergeSegments{1}).has_value());
    EXPECT_EQ(search("yellow pears").hits.size(), 1U);
    ASSERT_TRUE(edit(row.media_id, ports::RestoreRevision{0}).has_value());
    EXPECT_EQ(search("green").hits.size(), 1U);
    EXPECT_EQ(search("yellow").hits.size(), 0U);

    ASSERT_TRUE(store_->rename_media(row.media_id, "Second").has_value());
    EXPECT_EQ(search("first").hits.size(), 0U);
    EXPECT_EQ(search("second").hits.size(), 1U);
    reopen();
    EXPECT_EQ(search("second").hits.size(), 1U);
    ASSERT_TRUE(store_->delete_media(row.media_id).has_value());
    EXPECT_EQ(search("second").hits.size(), 0U);
    EXPECT_EQ(search("green").hits.size(), 0U);
}

TEST_P(StoreSearch, ANewTaskReplacesWhatWasFoundWhenItHasFinished) {
    const auto row = submit_named("A", {said(0, "old words")});
    ASSERT_TRUE(
        store_->submit_task({.media_id = row.media_id, .id = new_id<TaskId>()}).has_value());
    extract(claim(Lane::media).lease, 1);
    transcribe(claim(Lane::speech).lease);
    EXPECT_EQ(search("old").hits.size(), 1U);
    finish(claim(Lane::local).lease, {said(0, "new words")});
    EXPECT_EQ(search("old").hits.size(), 0U);
    EXPECT_EQ(search("new").hits.size(), 1U);
    EXPECT_EQ(search("words").hits.size(), 1U);
}

TEST_P(StoreSearch, PrunedMediaAreNotFound) {
    pruned_ = true;
    submit_named("Old", {said(0, "long gone")});
    let_days_pass(3);
    ASSERT_TRUE(store_->prune({.media = Millis{24LL * 3'600 * 1'000}}, 100).has_value());
    EXPECT_EQ(search("gone").hits.size(), 0U);
    EXPECT_EQ(search("old").hits.size(), 0U);
}

TEST_P(StoreSearch, FewHitsComeBestFirstAndPagesDoNotOverlap) {
    submit_named("a", {said(0, "rain in a long sentence about many other things that go on")});
    submit_named("b", {said(0, "rain rain rain")});
    submit_named("c", {said(0, "rain today")});
    Titles seen;
    std::string cursor;
    do {
        const auto page = search("rain", {.limit = 1, .cursor = cursor});
        EXPECT_TRUE(page.best_first);
        for (const auto& hit : page.hits) {
            seen.push_back(hit.title);
        }
        cursor = page.next_cursor;
        submit_named("later", {said(0, "rain")});  // would be among the best
    } while (!cursor.empty());
    EXPECT_EQ(seen, (Titles{"b", "c", "a"}));
    EXPECT_ERROR(store_->search({.text = "x", .media = {}}, {.limit = 1, .cursor = "r_1"}),
                 ErrorClass::request, "bad_cursor");
    EXPECT_ERROR(store_->search({.text = "x", .media = {}}, {.limit = 1, .cursor = "n_x"}),
                 ErrorClass::request, "bad_cursor");
}

TEST_P(StoreSearch, ManyHitsComeNewestFirstAndEachOnce) {
    std::vector<domain::Segment> many;
    for (int i = 0; i < 150; ++i) {
        many.push_back(said(i * 3, "word number " + std::to_string(i)));
    }
    const auto older = submit_named("older", many);
    const auto newer = submit_named("newer", many);
    std::vector<std::pair<MediaId, std::int64_t>> seen;
    std::string cursor;
    do {
        const auto page = search("number", {.limit = 40, .cursor = cursor});
        EXPECT_FALSE(page.best_first && cursor.empty());
        for (const auto& hit : page.hits) {
            seen.emplace_back(hit.media, hit.segment);
        }
        cursor = page.next_cursor;
        submit_named("meanwhile", {said(0, "number")});
    } while (!cursor.empty());
    ASSERT_EQ(seen.size(), 300U);
    for (int i = 0; i < 300; ++i) {
        EXPECT_EQ(seen[static_cast<std::size_t>(i)],
                  std::pair(i < 150 ? newer.media_id : older.media_id, std::int64_t{i % 150}));
    }
    EXPECT_EQ(search("number", {.limit = 200}, older.media_id).hits.size(), 150U);
    EXPECT_ERROR(store_->search({.text = "x", .media = new_id<MediaId>()}, {}), ErrorClass::request,
                 "not_found");
}

TEST_P(StoreSearch, MediaAreFoundByTitleOrTranscript) {
    submit_named("Rain", {said(0, "sun"), said(10, "more sun")});
    const auto second = submit_named("Wind", {said(0, "rain"), said(10, "rain again")});
    submit_named("Snow", {said(0, "ice")});
    EXPECT_EQ(titles_of(store_->list_media({.search = "rain"}, {})), (Titles{"Wind", "Rain"}));
    const auto first = store_->list_media({.search = "rain"}, {.limit = 1, .cursor = {}});
    EXPECT_EQ(titles_of(first), (Titles{"Wind"}));
    submit_named("Rain later", {});
    EXPECT_EQ(titles_of(store_->list_media({.search = "rain"},
                                           {.limit = 1, .cursor = first->next_cursor})),
              (Titles{"Rain"}));
    ASSERT_TRUE(
        store_->submit_task({.media_id = second.media_id, .id = new_id<TaskId>()}).has_value());
    EXPECT_EQ(
        titles_of(store_->list_media({.states = {TaskState::completed}, .search = "rain"}, {})),
        (Titles{"Rain later", "Rain"}));
    EXPECT_ERROR(store_->list_media({.search = "x"}, {.limit = 1, .cursor = "1_2"}),
                 ErrorClass::request, "bad_cursor");
}

TEST_P(StoreSearch, TheListHasThreeOrdersEachStableWhileRowsComeIn) {
    const std::vector<std::string> names{"banana", "Apple", "cherry", "apple", "Banana"};
    for (const std::string& name : names) {
        clock_.advance(Millis{1});
        submit_named(name, {});
    }
    struct Case {
        MediaOrder order;
        bool ascending;
        Titles expected;
    };
    // Every media lasts 30 s: then by id, which grows.
    for (const Case& c :
         {Case{MediaOrder::created, false, {"Banana", "apple", "cherry", "Apple", "banana"}},
          Case{MediaOrder::created, true, {"banana", "Apple", "cherry", "apple", "Banana"}},
          Case{MediaOrder::title, true, {"Apple", "apple", "banana", "Banana", "cherry"}},
          Case{MediaOrder::title, false, {"cherry", "Banana", "banana", "apple", "Apple"}},
          Case{MediaOrder::duration, true, {"banana", "Apple", "cherry", "apple", "Banana"}}}) {
        const ports::MediaFilter filter{
            .has_transcript = true, .order = c.order, .ascending = c.ascending};
        Titles seen;
        std::string cursor;
        std::vector<MediaId> meanwhile;
        do {
            const auto page = store_->list_media(filter, {.limit = 2, .cursor = cursor});
            for (const std::string& title : titles_of(page)) {
                seen.push_back(title);
            }
            cursor = page->next_cursor;
            meanwhile.push_back(submit().media_id);  // without a transcript
        } while (!cursor.empty());
        EXPECT_EQ(seen, c.expected);
        for (const MediaId& id : meanwhile) {
            ASSERT_TRUE(store_->request_cancel((*store_->newest_task(id))->id).has_value());
            ASSERT_TRUE(store_->delete_media(id).has_value());
        }
    }
    for (const std::string cursor : {"x", "cd_", "cd_1", "td_zz_1", "ca_1_x"}) {
        EXPECT_ERROR(store_->list_media({}, {.limit = 1, .cursor = cursor}), ErrorClass::request,
                     "bad_cursor");
    }
}

TEST_P(StoreSearch, TheListFilters) {
    clock_.set_wall(WallTime{Millis{1'000'000}});
    const auto done = submit_named("done", {said(0, "x")});  // lasts 30 s
    clock_.set_wall(WallTime{Millis{2'000'000}});
    submit();
    const auto count = [this](const ports::MediaFilter& filter) {
        return titles_of(store_->list_media(filter, {})).size();
    };
    const WallTime between{Millis{1'500'000}};
    EXPECT_EQ(titles_of(store_->list_media({.created_before = between}, {})), Titles{"done"});
    EXPECT_EQ(titles_of(store_->list_media({.created_from = between}, {})), Titles{"A talk"});
    EXPECT_EQ(titles_of(store_->list_media({.has_transcript = true}, {})), Titles{"done"});
    EXPECT_EQ(titles_of(store_->list_media({.has_transcript = false}, {})), Titles{"A talk"});
    EXPECT_EQ(count({.duration_min = Millis{30'000}}), 1U);
    EXPECT_EQ(count({.duration_min = Millis{30'001}}), 0U);
    EXPECT_EQ(count({.duration_max = Millis{30'000}}), 1U) << "what is not known is not short";
    EXPECT_EQ(count({.language = "EN"}), 2U);
    EXPECT_EQ(count({.language = "de"}), 0U);
    EXPECT_EQ(count({.states = {TaskState::completed}, .language = "en"}), 1U);
    EXPECT_EQ(count({.duration_min = Millis{1}, .order = MediaOrder::duration}), 1U);
    EXPECT_EQ(count({.created_from = between, .order = MediaOrder::title}), 1U);
}

}  // namespace
}  // namespace durascribe::contract
