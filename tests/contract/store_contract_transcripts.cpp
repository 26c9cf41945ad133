// Transcripts: which one is shown, how it is corrected, what stays of it.
#include <boost/json.hpp>

#include "store_contract_transcripts.h"

namespace durascribe::contract {
namespace {

using domain::Lane;
using domain::Step;
using domain::TaskState;
using ports::ChangeSegment;
using ports::MergeSegments;
using ports::RenameSpeaker;
using ports::RestoreRevision;
using ports::SplitSegment;

TEST_P(StoreTranscripts, AnEditIsANewRevisionAndTheOriginalStays) {
    const auto row = submit_completed();
    EXPECT_EQ(store_->transcript(row.id)->newest, 0);
    const auto edited = edit(row.media_id, ChangeSegment{.id = 1, .text = "three corrected"});
    ASSERT_TRUE(edited.has_value()) << edited.error().message;
    EXPECT_EQ(edited->task, row.id);
    EXPECT_EQ(edited->revision, 1);
    ASSERT_EQ(edited->changed.size(), 1U);
    EXPECT_EQ(edited->changed[0].segment.text, "three corrected");
    EXPECT_EQ(edited->changed[0].revision, 1);
    EXPECT_EQ(texts(row.id), "0:one two 1:three corrected 2:five six");
    EXPECT_EQ(texts(row.id, 0), "0:one two 1:three four 2:five six");
    EXPECT_EQ(store_->segments(row.id)->at(1).text, "three four") << "what was recognised";
    reopen();
    EXPECT_EQ(texts(row.id), "0:one two 1:three corrected 2:five six");
    EXPECT_ERROR(store_->transcript(row.id, 2), ErrorClass::request, "not_found");
}

TEST_P(StoreTranscripts, EveryEditIsToldWithWhatItChanged) {
    const auto row = submit_completed();
    ASSERT_TRUE(edit(row.media_id, SplitSegment{.id = 1, .at = 1}).has_value());
    const auto events = recorder_.events();
    ASSERT_EQ(events.back().type, "transcript.updated");
    EXPECT_EQ(events.back().media_id, row.media_id);
    EXPECT_EQ(events.back().task_id, row.id);
    const auto payload = boost::json::parse(events.back().payload);
    EXPECT_EQ(payload.at("revision").to_number<int>(), 1);
    EXPECT_EQ(payload.at("kind"), "split");
    EXPECT_EQ(payload.at("changed"), boost::json::parse("[1, 3]"));
    EXPECT_EQ(payload.at("removed"), boost::json::parse("[]"));
    const auto count = events.size();
    ASSERT_TRUE(edit(row.media_id, ChangeSegment{.id = 1, .text = "three"})->edited == false);
    EXPECT_EQ(recorder_.events().size(), count) << "nothing changed, nothing is told";
    EXPECT_EQ(store_->transcript(row.id)->newest, 1);
}

TEST_P(StoreTranscripts, SplitAndMergeKeepTheOthersIds) {
    const auto row = submit_completed();
    const auto split = edit(row.media_id, SplitSegment{.id = 0, .at = Millis{1'000}});
    ASSERT_TRUE(split.has_value()) << split.error().message;
    EXPECT_EQ(texts(row.id), "0:one 3:two 1:three four 2:five six");
    const auto merged = edit(row.media_id, MergeSegments{3});
    ASSERT_TRUE(merged.has_value());
    EXPECT_EQ(merged->removed, (std::vector<std::int64_t>{1}));
    EXPECT_EQ(texts(row.id), "0:one 3:two three four 2:five six");
    EXPECT_ERROR(edit(row.media_id, MergeSegments{2}), ErrorClass::input, "nothing_to_merge");
    EXPECT_ERROR(edit(row.media_id, MergeSegments{1}), ErrorClass::request, "not_found");
    EXPECT_ERROR(edit(row.media_id, SplitSegment{.id = 0, .at = 1}), ErrorClass::input,
                 "bad_split");
}

TEST_P(StoreTranscripts, SegmentsDoNotOverlap) {
    const auto row = submit_completed();
    EXPECT_TRUE(
        edit(row.media_id, ChangeSegment{.id = 1, .start = Millis{2'000}, .end = Millis{20'000}})
            .has_value());
    EXPECT_ERROR(edit(row.media_id, ChangeSegment{.id = 1, .start = Millis{1'999}}),
                 ErrorClass::input, "segments_overlap");
    EXPECT_ERROR(edit(row.media_id, ChangeSegment{.id = 1, .end = Millis{20'001}}),
                 ErrorClass::input, "segments_overlap");
    EXPECT_ERROR(edit(row.media_id, ChangeSegment{.id = 1, .end = Millis{2'000}}),
                 ErrorClass::input, "segments_overlap");
    EXPECT_ERROR(edit(row.media_id, ChangeSegment{.id = 2, .end = Millis{30'001}}),
                 ErrorClass::input, "segments_overlap");  // the media lasts 30 s
    EXPECT_TRUE(edit(row.media_id, ChangeSegment{.id = 2, .end = Millis{30'000}}).has_value());
}

TEST_P(StoreTranscripts, SpeakersAreRenamedAndChanged) {
    const auto row = submit_completed();
    const auto renamed = edit(row.media_id, RenameSpeaker{"A", "Ann"});
    ASSERT_TRUE(renamed.has_value());
    EXPECT_EQ(renamed->changed.size(), 2U);
    ASSERT_TRUE(edit(row.media_id, ChangeSegment{.id = 1, .speaker = std::optional<std::string>()})
                    .has_value());
    const auto text = store_->transcript(row.id);
    EXPECT_EQ(text->segments[0].segment.speaker, "Ann");
    EXPECT_EQ(text->segments[1].segment.speaker, std::nullopt);
    EXPECT_EQ(text->segments[2].segment.speaker, "Ann");
    EXPECT_ERROR(edit(row.media_id, RenameSpeaker{"A", "Ann"}), ErrorClass::request, "not_found");
}

TEST_P(StoreTranscripts, AnyRevisionCanBeRestoredAndRevisionsAreListed) {
    const auto row = submit_completed();
    ASSERT_TRUE(edit(row.media_id, SplitSegment{.id = 0, .at = Millis{1'000}}).has_value());
    ASSERT_TRUE(edit(row.media_id, ChangeSegment{.id = 1, .text = "other"}).has_value());
    ASSERT_TRUE(edit(row.media_id, MergeSegments{0}).has_value());
    EXPECT_EQ(texts(row.id), "0:one two 1:other 2:five six");
    const auto restored = edit(row.media_id, RestoreRevision{2});
    ASSERT_TRUE(restored.has_value()) << restored.error().message;
    EXPECT_EQ(restored->revision, 4);
    EXPECT_EQ(texts(row.id), "0:one 3:two 1:other 2:five six");
    ASSERT_TRUE(edit(row.media_id, RestoreRevision{0}).has_value());
    EXPECT_EQ(texts(row.id), "0:one two 1:three four 2:five six");
    EXPECT_EQ(texts(row.id, 3), "0:one two 1:other 2:five six");
    EXPECT_EQ(texts(row.id, 2), texts(row.id, 4));
    EXPECT_ERROR(edit(row.media_id, RestoreRevision{9}), ErrorClass::request, "not_found");
    EXPECT_FALSE(edit(row.media_id, RestoreRevision{0})->edited);

    std::vector<std::string> kinds;
    std::string cursor;
    do {
        const auto page = store_->revisions(row.id, {.limit = 2, .cursor = cursor});
        ASSERT_TRUE(page.has_value());
        for (const auto& r : page->rows) {
            kinds.push_back(std::to_string(r.revision) + r.kind);
        }
        cursor = page->next_cursor;
    } while (!cursor.empty());
    EXPECT_THAT(kinds,
                ::testing::ElementsAre("5restored", "4restored", "3merged", "2changed", "1split"));
    EXPECT_ERROR(store_->revisions(row.id, {.limit = 2, .cursor = "x"}), ErrorClass::request,
                 "bad_cursor");
}

TEST_P(StoreTranscripts, AnEditOfWhatIsNoLongerTheNewestIsRefused) {
    const auto row = submit_completed();
    const ports::SeenVersion whole{row.id, std::nullopt, 0};
    ASSERT_TRUE(edit(row.media_id, ChangeSegment{.id = 1, .text = "first"}, {{whole}}).has_value());
    EXPECT_ERROR(edit(row.media_id, ChangeSegment{.id = 1, .text = "second"}, {{whole}}),
                 ErrorClass::request, "precondition_failed");
    // Another segment: it is as it was seen.
    const ports::SeenVersion other{row.id, 2, 0};
    EXPECT_TRUE(edit(row.media_id, ChangeSegment{.id = 2, .text = "third"}, {{other}}).has_value());
    EXPECT_ERROR(edit(row.media_id, ChangeSegment{.id = 1, .text = "x"}, {{other}}),
                 ErrorClass::request, "precondition_failed");
    EXPECT_ERROR(edit(row.media_id, RenameSpeaker{"A", "B"}, std::vector<ports::SeenVersion>{}),
                 ErrorClass::request, "precondition_failed");
    EXPECT_EQ(texts(row.id), "0:one two 1:first 2:third");
    EXPECT_TRUE(
        edit(row.media_id, RenameSpeaker{"A", "B"}, {{{row.id, std::nullopt, 2}}}).has_value());
}

TEST_P(StoreTranscripts, ARenameCanBeBoundToWhatWasSeen) {
    const auto row = submit();
    const int seen = store_->media(row.media_id)->revision;
    const auto renamed = store_->rename_media(row.media_id, "One", std::vector{seen});
    ASSERT_TRUE(renamed.has_value());
    EXPECT_GT(renamed->revision, seen);
    EXPECT_ERROR(store_->rename_media(row.media_id, "Two", std::vector{seen}), ErrorClass::request,
                 "precondition_failed");
    EXPECT_EQ(store_->media(row.media_id)->title, "One");
}

TEST_P(StoreTranscripts, ADeletionCanBeBoundToWhatWasSeen) {
    const auto row = submit();
    ASSERT_TRUE(store_->request_cancel(row.id).has_value());
    const int seen = store_->media(row.media_id)->revision;
    ASSERT_TRUE(store_->rename_media(row.media_id, "Another").has_value());
    for (const std::vector<int>& revisions : {std::vector{seen}, std::vector<int>{}}) {
        EXPECT_ERROR(store_->delete_media(row.media_id, revisions), ErrorClass::request,
                     "precondition_failed");
    }
    ASSERT_TRUE(store_->media(row.media_id).has_value());
    EXPECT_TRUE(store_->delete_media(row.media_id, std::vector{seen, seen + 1}).has_value());
    EXPECT_ERROR(store_->media(row.media_id), ErrorClass::request, "not_found");
}

TEST_P(StoreTranscripts, OnlyWhatHasEndedIsEdited) {
    const auto row = submit_extracted(2);
    transcribe(claim(Lane::speech).lease);
    EXPECT_ERROR(edit(row.media_id, ChangeSegment{.id = 0, .text = "x"}), ErrorClass::request,
                 "transcript_not_final");
    ASSERT_TRUE(store_->request_cancel(row.id).has_value());
    EXPECT_TRUE(edit(row.media_id, ChangeSegment{.id = 0, .text = "x"}).has_value())
        << "a cancelled task keeps what it has";
    EXPECT_ERROR(edit(new_id<MediaId>(), MergeSegments{0}), ErrorClass::request, "not_found");
    EXPECT_ERROR(store_->edit_transcript(
                     {.media = row.media_id, .task = new_id<TaskId>(), .what = MergeSegments{0}}),
                 ErrorClass::request, "not_found");
}

// A chunk has failed; what was recognised is corrected; the retry brings the rest.
TEST_P(StoreTranscripts, ARetryAddsBesideTheEdits) {
    const auto row = submit_extracted(2);
    transcribe(claim(Lane::speech).lease);
    fail_for_good(claim(Lane::speech).lease);
    finish(claim(Lane::local).lease, {said(0, "one two"), said(10, "three four")});
    ASSERT_EQ(task(row.id).state, TaskState::partial_failure);
    ASSERT_TRUE(edit(row.media_id, ChangeSegment{.id = 1, .text = "corrected"}).has_value());
    ASSERT_TRUE(store_->retry(row.id).has_value());
    EXPECT_EQ(store_->shown_task(row.media_id)->value().id, row.id);
    EXPECT_EQ(texts(row.id), "0:one two 1:corrected") << "shown while it is retried";
    EXPECT_ERROR(edit(row.media_id, MergeSegments{0}), ErrorClass::request, "transcript_not_final");
    transcribe(claim(Lane::speech).lease);
    finish(claim(Lane::local).lease,
           {said(0, "one two"), said(10, "three four"), said(30, "new here")});
    EXPECT_EQ(texts(row.id), "0:one two 1:corrected 2:new here");
    EXPECT_EQ(texts(row.id, 0), "0:one two 1:three four 2:new here") << "all that was recognised";
    EXPECT_EQ(store_->transcript(row.id)->newest, 2);
    EXPECT_EQ(store_->search({.text = "new", .media = {}}, {})->hits.size(), 1U);
}

TEST_P(StoreTranscripts, AFailedFinalizeOfARetryAddsBesideTheEdits) {
    const auto row = submit_extracted(2);
    transcribe(claim(Lane::speech).lease, "one two");
    fail_for_good(claim(Lane::speech).lease);
    finish(claim(Lane::local).lease, {said(0, "one two")});
    ASSERT_TRUE(edit(row.media_id, ChangeSegment{.id = 0, .text = "corrected"}).has_value());
    ASSERT_TRUE(store_->retry(row.id).has_value());
    transcribe(claim(Lane::speech).lease, "new here");
    fail_for_good(claim(Lane::local).lease);
    EXPECT_EQ(texts(row.id), "0:corrected 1:new here");
    EXPECT_EQ(texts(row.id, 0), "0:one two 1:new here");
    EXPECT_EQ(store_->search({.text = "new", .media = {}}, {})->hits.size(), 1U);
    ASSERT_TRUE(store_->retry(row.id).has_value());
    EXPECT_EQ(texts(row.id), "0:corrected 1:new here");
    EXPECT_EQ(store_->search({.text = "corrected", .media = {}}, {})->hits.size(), 1U);
    finish(claim(Lane::local).lease, {said(0, "one two"), said(1, "new here")});
    EXPECT_EQ(texts(row.id), "0:corrected 1:new here") << "once";
}

TEST_P(StoreTranscripts, ALaterTaskThatDoesNotFinishHidesNothing) {
    const auto first = submit_completed();
    const auto shown = [&] { return store_->shown_task(first.media_id)->value().id; };
    EXPECT_EQ(shown(), first.id);
    clock_.advance(Millis{1});
    ports::NewTask again{.media_id = first.media_id, .id = new_id<TaskId>()};
    ASSERT_TRUE(store_->submit_task(again).has_value());
    EXPECT_EQ(shown(), first.id) << "while it waits";
    fail_for_good(claim(Lane::media).lease);
    EXPECT_EQ(shown(), first.id) << "when it has failed";
    EXPECT_EQ((*store_->newest_task(first.media_id))->id, again.id);

    clock_.advance(Millis{1});
    again.id = new_id<TaskId>();
    ASSERT_TRUE(store_->submit_task(again).has_value());
    extract(claim(Lane::media).lease, 1);
    transcribe(claim(Lane::speech).lease);
    EXPECT_EQ(shown(), first.id) << "while it runs";
    finish(claim(Lane::local).lease, {said(0, "anew")});
    EXPECT_EQ(shown(), again.id);
    EXPECT_EQ(store_->shown_task(submit().media_id)->has_value(), false);
}

TEST_P(StoreTranscripts, APosterAndTheDecodedAudioAreKeptWithTheMedia) {
    const auto row = submit();
    ports::ExtractResult result{.pcm = {std::string(64, 'b'), 32'000},
                                .chunks = {{Millis{0}, Millis{1'000}}},
                                .poster = domain::Poster{"image/png", std::string("\x89PNG\0", 5)}};
    EXPECT_FALSE(store_->poster(row.media_id)->has_value());
    EXPECT_FALSE(store_->decoded_audio(row.media_id)->has_value());
    ASSERT_TRUE(store_->finish_extract(claim(Lane::media).lease, result).has_value());
    EXPECT_EQ((*store_->poster(row.media_id))->bytes, std::string("\x89PNG\0", 5));
    EXPECT_EQ((*store_->poster(row.media_id))->mime_type, "image/png");
    EXPECT_EQ((*store_->decoded_audio(row.media_id))->size_bytes, 32'000);
    run_to_end(1);
    EXPECT_FALSE(store_->decoded_audio(row.media_id)->has_value()) << "nothing needs it any more";
    EXPECT_TRUE(store_->poster(row.media_id)->has_value());
}

}  // namespace
}  // namespace durascribe::contract
