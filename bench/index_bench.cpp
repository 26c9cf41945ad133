// What the search costs when a transcript is finished: finish_final of 10,000 words, with the rows
// of the full-text index written in its transaction and without.
//
//   index_bench <directory on a real disk> [rounds=30] [words=10000]
//
// The real store at synchronous=FULL, whole lives through its verbs. With and without alternate;
// each transcript with an index makes it larger. A media is left out as those are that were there
// before the search: without a number.
#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "durascribe/domain/subtitle_formats.h"
#include "durascribe/store/sqlite/connection.h"
#include "durascribe/store/sqlite/sqlite_store.h"
#include "made_speech.h"
#include "must.h"

namespace {

using namespace durascribe;
using bench::must;
using Clock = std::chrono::steady_clock;

constexpr int kWordsOfSegment = 12;
constexpr Millis kWord{300};

domain::Transcript transcript_of(bench::Speech& speech, int words) {
    domain::Transcript out;
    Millis at{0};
    for (int said = 0; said < words; said += kWordsOfSegment) {
        domain::Segment segment{.span = {at, at}, .confidence = 0.9};
        for (int i = 0; i < std::min(kWordsOfSegment, words - said); ++i, at += kWord) {
            const std::string word = speech.say(1);
            segment.words.push_back({.span = {at, at + kWord}, .text = word, .confidence = 0.9});
            segment.text += (i == 0 ? "" : " ") + word;
        }
        segment.span.end = at;
        out.segments.push_back(std::move(segment));
    }
    out.duration = at;
    return out;
}

// Until finalize is claimed.
ports::ClaimedUnit until_its_end(ports::Store& store, const NodeId& node,
                                 const domain::Transcript& transcript, MediaId& media) {
    media = new_id<MediaId>();
    must(store.submit({.id = media,
                       .task_id = new_id<TaskId>(),
                       .title = "A talk",
                       .filename = "talk.mp4",
                       .source = {std::string(64, 'a'), 1'000},
                       .options = {}}));
    const auto claim = [&](domain::Lane lane) {
        return must(store.claim({.node = node, .lane = lane, .model = {}})).value();
    };
    ports::ExtractResult extracted;
    extracted.info.container = "mov,mp4";
    extracted.info.duration = transcript.duration;
    extracted.pcm = {std::string(64, 'b'), 1'000};
    extracted.chunks = {{Millis{0}, transcript.duration}};
    must(store.finish_extract(claim(domain::Lane::media).lease, extracted));
    must(
        store.finish_chunk(claim(domain::Lane::speech).lease,
                           {.segments = transcript.segments, .engine = "bench", .model = "bench"}));
    return claim(domain::Lane::local);
}

double median(std::vector<double> values) {
    std::ranges::sort(values);
    return values[values.size() / 2];
}

}  // namespace

int main(int count, char** arguments) {
    if (count < 2) {
        fmt::print(stderr, "index_bench <directory on a real disk> [rounds] [words]\n");
        return 2;
    }
    const std::filesystem::path directory = std::filesystem::path(arguments[1]) / "index_bench";
    const int rounds = count > 2 ? std::atoi(arguments[2]) : 30;
    const int words = count > 3 ? std::atoi(arguments[3]) : 10'000;
    std::filesystem::remove_all(directory);
    const ports::SystemClock clock;
    auto store = must(store::SqliteStore::open(directory, clock, {}));
    const NodeId node = new_id<NodeId>();
    bench::Speech speech;
    std::vector<double> with, without;
    for (int i = 0; i < 2 * rounds; ++i) {
        const bool indexed = i % 2 == 0;
        const domain::Transcript transcript = transcript_of(speech, words);
        ports::FinalResult result{.segments = transcript.segments};
        for (const auto format : {domain::DocumentFormat::srt, domain::DocumentFormat::vtt,
                                  domain::DocumentFormat::txt, domain::DocumentFormat::json}) {
            result.documents.emplace_back(format, domain::write_document(transcript, format));
        }
        MediaId media;
        const ports::ClaimedUnit unit = until_its_end(*store, node, transcript, media);
        if (!indexed) {  // nobody else writes at this moment
            store::Connection db(directory / "durascribe.db", store::Connection::Mode::writer);
            db.execute("UPDATE media SET number = NULL WHERE id = ?", media);
        }
        const auto begun = Clock::now();
        must(store->finish_final(unit.lease, result));
        const double ms = std::chrono::duration<double, std::milli>(Clock::now() - begun).count();
        (indexed ? with : without).push_back(ms);
    }
    store.reset();
    std::filesystem::remove_all(directory);
    fmt::print(
        "{} rounds of {} words, medians: finish_final {:.1f} ms with the index, {:.1f} ms without, "
        "{:.1f} ms for it; the slowest {:.1f} ms and {:.1f} ms\n",
        rounds, words, median(with), median(without), median(with) - median(without),
        std::ranges::max(with), std::ranges::max(without));
    return 0;
}
