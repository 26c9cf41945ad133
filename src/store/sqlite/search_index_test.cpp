// A store from before there was a search.
#include <gtest/gtest.h>

#include "durascribe/ports/clock.h"
#include "durascribe/store/sqlite/migrations.h"
#include "durascribe/store/sqlite/sqlite_store.h"
#include "scratch_directory.h"

namespace durascribe::store {
namespace {

constexpr int kBefore = 5;

class OlderStore : public ::testing::Test {
  protected:
    // Completed media "old 0" to "old 4", the last the newest, of a schema before migration 6.
    void SetUp() override {
        Connection db(directory_.path() / "durascribe.db", Connection::Mode::writer);
        auto before = embedded_migrations();
        while (before.back().version >= 6) {
            before = before.first(before.size() - 1);
        }
        ASSERT_TRUE(migrate(db, before).has_value());
        for (int i = 0; i < kBefore; ++i) {
            const std::string media = "m" + std::to_string(i);
            const std::string task = "t" + std::to_string(i);
            db.execute(
                "INSERT INTO media (id, title, filename, source_sha256, source_size, created_at,"
                " updated_at, newest_task, info) VALUES (?, ?, 'f', '', 0, ?, 0, ?, ?)",
                media, "old " + std::to_string(i), i, task,
                R"({"container":"wav","duration_ms":9000,"has_video":false,"audio_tracks":[],)"
                R"("chosen_track":0,"loudness_lufs":-20,"peak_dbfs":-1,"warnings":[]})");
            db.execute(
                "INSERT INTO tasks (id, media_id, state, current_step, options, priority, progress,"
                " created_at, updated_at, completed_at, lane) VALUES (?, ?, 'completed', "
                "'finalize',"
                R"( '{"engine":"auto","model":"auto","language":"en","diarize":false,)"
                R"("from_url":false,"priority":0}', 0, 100, ?, 0, 1, 0))",
                task, media, i);
            db.execute(
                "INSERT INTO segments VALUES (?, 0, 0, 0, 9000, 'Words of long ago', 1, NULL,"
                " '[]')",
                task);
            db.execute("INSERT INTO documents VALUES (?, 'srt', '')", task);
        }
    }

    std::unique_ptr<SqliteStore> open() {
        auto store = SqliteStore::open(directory_.path(), clock_, {});
        EXPECT_TRUE(store.has_value()) << store.error().message << store.error().detail;
        return std::move(*store);
    }
    std::vector<std::string> titles(SqliteStore& store, const std::string& query) {
        const auto found = store.search({.text = query, .media = {}}, {});
        EXPECT_TRUE(found.has_value());
        std::vector<std::string> list;
        for (const ports::SearchHit& hit : found->hits) {
            list.push_back(hit.title + (hit.in_title ? " title" : ""));
        }
        return list;
    }

    durascribe::testing::ScratchDirectory directory_;
    ports::FakeClock clock_;
};

TEST_F(OlderStore, IsTakenInAFewAtATimeTheNewestFirst) {
    auto store = open();
    EXPECT_TRUE(titles(*store, "ago").empty());
    EXPECT_TRUE(*store->index_more(2));
    EXPECT_EQ(titles(*store, "ago"), (std::vector<std::string>{"old 4", "old 3"}));
    store.reset();  // a stop in the middle: the next start goes on
    store = open();
    ports::NewMedia media{.id = new_id<MediaId>(),
                          .task_id = new_id<TaskId>(),
                          .title = "not long ago",
                          .filename = "f",
                          .source = {std::string(64, 'a'), 1}};
    ASSERT_TRUE(store->submit(media).has_value());
    EXPECT_TRUE(*store->index_more(2));
    EXPECT_FALSE(*store->index_more(2));
    EXPECT_FALSE(*store->index_more(2));
    EXPECT_EQ(titles(*store, "long"),
              (std::vector<std::string>{"not long ago title", "old 4", "old 3", "old 2", "old 1",
                                        "old 0"}));
    EXPECT_EQ(titles(*store, "old 3"), (std::vector<std::string>{"old 3 title"}));
}

TEST_F(OlderStore, CanBeChangedBeforeItIsTakenIn) {
    auto store = open();
    ASSERT_TRUE(store->rename_media(MediaId{"m1"}, "renamed early").has_value());
    ASSERT_TRUE(
        store
            ->edit_transcript({.media = MediaId{"m2"},
                               .what = ports::ChangeSegment{.id = 0, .text = "edited early"}})
            .has_value());
    ASSERT_TRUE(store->delete_media(MediaId{"m3"}).has_value());
    while (*store->index_more(1)) {
    }
    EXPECT_EQ(titles(*store, "early"), (std::vector<std::string>{"renamed early title", "old 2"}));
    EXPECT_EQ(titles(*store, "ago").size(), 3U);
    EXPECT_EQ(store->list_media({.duration_min = Millis{9'000}}, {})->rows.size(), 4U);
}

}  // namespace
}  // namespace durascribe::store
