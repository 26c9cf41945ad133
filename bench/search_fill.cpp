// A store with very many finished media in it, each with a transcript, for `bench/run search`.
//
//   search_fill <new data directory> <media> <segments each>
//
// Rows are written straight into the tables, as finished tasks leave them; the search takes them in
// by the store's own verb (index_more), which is timed. Words are drawn by Zipf's law from a
// vocabulary of 30,000, so that some are in every tenth segment and most are rare. One in a
// thousand media has failed, one in ten thousand waits.
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

#include <fmt/format.h>

#include "durascribe/store/sqlite/connection.h"
#include "durascribe/store/sqlite/sqlite_store.h"
#include "made_speech.h"
#include "must.h"

namespace {

using namespace durascribe;
using bench::must;
using Clock = std::chrono::steady_clock;
using bench::Speech;

constexpr int kWordsOfSegment = 12;
constexpr int kWordsOfTitle = 3;
constexpr int kMediaOfBatch = 500;
constexpr int kMediaOfCommit = 10'000;

double seconds_since(Clock::time_point begin) {
    return std::chrono::duration<double>(Clock::now() - begin).count();
}

void fill(const std::filesystem::path& database, int media, int segments) {
    store::Connection db(database, store::Connection::Mode::writer);
    db.execute("PRAGMA journal_mode = OFF");
    db.execute("PRAGMA synchronous = OFF");
    db.execute("PRAGMA cache_size = -400000");
    Speech speech;
    const std::string options =
        R"({"engine":"auto","model":"auto","language":"en","diarize":false,"from_url":false,)"
        R"("priority":0})";
    for (int i = 0; i < media; ++i) {
        const std::int64_t created = 1'700'000'000'000 + std::int64_t{i} * 1'000;
        if (i % kMediaOfCommit == 0) {
            db.execute("BEGIN");
        }
        const std::string id = fmt::format("01900000-0000-7000-8000-{:012x}", i);
        const std::string task = fmt::format("01900000-0000-7000-9000-{:012x}", i);
        const bool waits = i % 10'000 == 9'999;
        const bool failed = i % 1'000 == 7;
        const std::int64_t duration =
            std::int64_t{4'000} * segments + std::int64_t{i} * 7'919 % 1'000'000;
        db.execute(
            "INSERT INTO media (id, title, filename, source_sha256, source_size, created_at,"
            " updated_at, newest_task, info) VALUES (?, ?, 'f.wav', ?, 1, ?, ?, ?, ?)",
            id, speech.say(kWordsOfTitle), fmt::format("{:064x}", i), created, i, task,
            fmt::format(R"({{"container":"wav","duration_ms":{},"has_video":false,)"
                        R"("audio_tracks":[],"chosen_track":0,"loudness_lufs":-20,)"
                        R"("peak_dbfs":-1,"warnings":[]}})",
                        duration));
        db.execute(
            "INSERT INTO tasks (id, media_id, state, current_step, options, priority, progress,"
            " created_at, updated_at, completed_at, error_class, error_code, error_message, lane,"
            " u_pending, u_claimable) VALUES (?1, ?2, ?3, 'finalize', ?4, 0, ?5, ?6, ?6, ?7, ?8,"
            " ?8, ?8, 3, ?9, 0)",
            task, id,
            waits    ? "pending"
            : failed ? "failed"
                     : "completed",
            options, waits || failed ? 0 : 100, created,
            waits ? std::nullopt : std::optional<std::int64_t>(i),
            failed ? std::optional<std::string>("input") : std::nullopt, waits ? 1 : 0);
        for (int s = 0; s < segments && !waits && !failed; ++s) {
            db.execute(
                "INSERT INTO segments (task_id, unit_id, position, start_ms, end_ms, text,"
                " confidence, speaker, words) VALUES (?, 0, ?, ?, ?, ?, 0.9, NULL, '[]')",
                task, s, s * 4'000, s * 4'000 + 3'500, speech.say(kWordsOfSegment));
        }
        if (i % kMediaOfCommit == kMediaOfCommit - 1 || i == media - 1) {
            db.execute("COMMIT");
        }
    }
}

}  // namespace

int main(int count, char** arguments) {
    if (count != 4) {
        fmt::print(stderr, "search_fill <new data directory> <media> <segments each>\n");
        return 2;
    }
    const std::filesystem::path directory = arguments[1];
    const int media = std::atoi(arguments[2]);
    const int segments = std::atoi(arguments[3]);
    const ports::SystemClock clock;
    const store::SqliteOptions quick{.cache_kib = 400'000, .power_safe = false};
    must(store::SqliteStore::open(directory, clock, quick)).reset();  // the schema
    auto begin = Clock::now();
    fill(directory / "durascribe.db", media, segments);
    fmt::print("{} media, {} segments written in {:.0f} s\n", media,
               static_cast<std::int64_t>(media) * segments, seconds_since(begin));
    std::fflush(stdout);
    begin = Clock::now();
    const auto store = must(store::SqliteStore::open(directory, clock, quick));
    while (must(store->index_more(kMediaOfBatch))) {
    }
    fmt::print("taken into the search in {:.0f} s\n", seconds_since(begin));
    return 0;
}
