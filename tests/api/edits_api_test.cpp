// Transcripts are corrected over HTTP, and what is downloaded says so.
#include "http_fixture.h"

namespace durascribe::api {
namespace {

const std::string kJson = "Content-Type: application/json\r\n";

class EditsApi : public HttpTest {
  protected:
    void SetUp() override {
        HttpTest::SetUp();
        workers_.on_transcribe =
            [this](const ports::TranscribeJob&,
                   const ports::RunControl& control) -> Result<ports::TranscribeOutcome> {
            if (!pass(control.stop)) {
                return fail(ErrorClass::lost, "stopped", "Stopped.");
            }
            if (broken_) {
                return fail(ErrorClass::input, "no_good", "No good.");
            }
            const auto said = [](int start, const std::string& text, const std::string& who) {
                return domain::Segment{
                    .span = {Millis{start}, Millis{start + 2'000}}, .text = text, .speaker = who};
            };
            return ports::TranscribeOutcome{
                .segments = {said(0, words_ + " one two", "S1"), said(5'000, "three four", "S2"),
                             said(10'000, "five six", "S1")},
                .engine = "scripted",
                .model = "none"};
        };
    }
    // A finished media: its path.
    std::string finished() {
        const auto media = upload();
        task_ = text(media, "task_id");
        EXPECT_TRUE(await(task_, domain::TaskState::completed));
        return "/api/v1/media/" + text(media, "id");
    }
    Answer change(const std::string& path, const std::string& body,
                  const std::string& fields = "") {
        return ask("PATCH", path, kJson + fields, body);
    }
    Answer post(const std::string& path, const std::string& body = "", const std::string& f = "") {
        return ask("POST", path, (body.empty() ? "" : kJson) + f, body);
    }
    std::string transcript(const std::string& media, const std::string& query = "") {
        const Answer answer = ask("GET", media + "/transcript.txt" + query);
        EXPECT_EQ(answer.status, 200) << answer.body;
        return answer.body;
    }
    static std::string code(const Answer& answer) { return text(object(answer), "code"); }

    std::string task_;
    std::string words_ = "first";
    std::atomic<bool> broken_{false};
};

TEST_F(EditsApi, ACorrectionIsInEveryFormatAndSurvivesARestart) {
    start();
    const std::string media = finished();
    const Answer changed = change(media + "/segments/1", R"({"text": "drei <i>vier</i>"})");
    ASSERT_EQ(changed.status, 200) << changed.body;
    const auto body = object(changed);
    EXPECT_EQ(body.at("revision"), 1);
    EXPECT_EQ(body.at("edited"), true);
    EXPECT_EQ(body.at("segments").at(0).at("text"), "drei <i>vier</i>");
    EXPECT_EQ(changed.field("etag"), "\"" + task_ + ".1.1\"");
    const auto everywhere = [&] {
        for (const std::string format : {"srt", "vtt", "txt", "json"}) {
            const Answer file = ask("GET", media + "/transcript." + format);
            EXPECT_TRUE(file.body.contains("drei")) << format << file.body;
            EXPECT_FALSE(file.body.contains("three")) << format;
            EXPECT_EQ(file.field("x-transcript-task"), task_);
            const Answer original = ask("GET", media + "/transcript." + format + "?original=true");
            EXPECT_TRUE(original.body.contains("three")) << format;
        }
        EXPECT_TRUE(transcript(media, "?revision=0").contains("three"));
        EXPECT_TRUE(transcript(media, "?revision=1").contains("drei"));
        const auto segments = ask_json("GET", media + "/segments");
        EXPECT_EQ(segments.at("revision"), 1);
        EXPECT_EQ(segments.at("segments").at(1).at("revision"), 1);
        EXPECT_EQ(segments.at("segments").at(1).at("text"), "drei <i>vier</i>");
        const auto original = ask_json("GET", media + "/segments?original=true");
        EXPECT_EQ(original.at("revision"), 0);
        EXPECT_EQ(original.at("newest_revision"), 1);
        EXPECT_EQ(original.at("segments").at(1).at("text"), "three four");
    };
    everywhere();
    EXPECT_EQ(code(ask("GET", media + "/segments?revision=2")), "not_found");
    EXPECT_EQ(code(ask("GET", media + "/segments?revision=1&original=true")), "bad_value");
    EXPECT_EQ(code(ask("GET", media + "/segments?revision=-1")), "bad_value");
    EXPECT_EQ(code(ask("GET", media + "/transcript.srt?revision=7")), "not_found");
    server_.reset();
    engine_.reset();
    start();
    everywhere();
}

TEST_F(EditsApi, SplitMergeSpeakersAndRestore) {
    start();
    const std::string media = finished();
    const Answer split = post(media + "/segments/1/split", R"({"at": 6.0})");
    ASSERT_EQ(split.status, 200) << split.body;
    EXPECT_EQ(object(split).at("segments").as_array().size(), 2U);
    EXPECT_EQ(object(split).at("segments").at(1).at("id"), 3);
    EXPECT_EQ(object(ask("GET", media + "/segments/3")).at("text"), "four");
    const Answer merged = post(media + "/segments/1/merge");
    EXPECT_EQ(object(merged).at("removed").at(0), 3);
    EXPECT_EQ(merged.field("etag"), "\"" + task_ + ".2\"");
    EXPECT_EQ(post(media + "/segments/1/split", R"({"word": 1})").status, 200);
    EXPECT_EQ(change(media + "/speakers/S1", R"({"name": "Zoë"})").status, 200);
    EXPECT_TRUE(ask("GET", media + "/transcript.vtt").body.contains("<v Zoë>"));
    EXPECT_EQ(change(media + "/speakers/Zo%C3%AB", R"({"name": "Z"})").status, 200);
    EXPECT_EQ(change(media + "/segments/0", R"({"speaker": null, "end": 3.5})").status, 200);
    const auto revisions = ask_json("GET", media + "/revisions?limit=2");
    EXPECT_EQ(revisions.at("items").at(0).at("revision"), 6);
    EXPECT_EQ(revisions.at("items").at(0).at("kind"), "changed");
    EXPECT_EQ(revisions.at("items").at(1).at("kind"), "speaker_renamed");
    EXPECT_EQ(ask_json("GET", media + "/revisions?limit=2&cursor=" + text(revisions, "next_cursor"))
                  .at("items")
                  .at(1)
                  .at("kind"),
              "split");
    const Answer restored = post(media + "/revisions/0/restore");
    ASSERT_EQ(restored.status, 200) << restored.body;
    EXPECT_EQ(object(restored).at("revision"), 7);
    EXPECT_EQ(transcript(media), transcript(media, "?original=true"));
}

TEST_F(EditsApi, WhatIsWrongIsNamed) {
    start();
    const std::string media = finished();
    const std::string segment = media + "/segments/1";
    for (const std::string body :
         {"{}", R"({"text": ""})", R"({"text": " \n"})", R"({"text": 3})", R"({"start": -1})",
          R"({"start": "x"})", R"({"end": 1e300})", R"({"speaker": ""})", R"({"unknown": 1})",
          R"({"speaker": 1})"}) {
        const Answer answer = change(segment, body);
        EXPECT_EQ(answer.status, 400) << body;
        EXPECT_EQ(code(answer), "bad_value") << body;
    }
    const std::string unknown =
        text(object(change(segment, R"({"text": "x", "sterat": 1})")), "detail");
    EXPECT_TRUE(unknown.contains("\"sterat\"") && unknown.contains("speaker")) << unknown;
    EXPECT_EQ(change(segment, "{\"text\": \"" + std::string(10'001, 'x') + "\"}").status, 400);
    EXPECT_EQ(code(change(segment, "{")), "malformed_json");
    EXPECT_EQ(ask("PATCH", segment, "Content-Type: text/plain\r\n", "{}").status, 415);
    const Answer overlap = change(segment, R"({"start": 1.0})");
    EXPECT_EQ(overlap.status, 422);
    EXPECT_EQ(code(overlap), "segments_overlap");
    EXPECT_TRUE(text(object(overlap), "detail").contains("between 2.000 and 10.000"))
        << overlap.body;
    for (const std::string body : {R"({"at": 5})", R"({"word": 9})"}) {
        EXPECT_EQ(code(post(segment + "/split", body)), "bad_split") << body;
    }
    for (const std::string body : {"{}", R"({"at": 6, "word": 1})", R"({"word": 0})",
                                   R"({"word": 1.5})", R"({"at": null})"}) {
        EXPECT_EQ(code(post(segment + "/split", body)), "bad_value") << body;
    }
    EXPECT_EQ(code(post(media + "/segments/2/merge")), "nothing_to_merge");
    for (const std::string id : {"9", "-1", "x", "99999999999999999999"}) {
        EXPECT_EQ(change(media + "/segments/" + id, R"({"text": "x"})").status, 404) << id;
        EXPECT_EQ(ask("GET", media + "/segments/" + id).status, 404) << id;
    }
    EXPECT_EQ(change(media + "/speakers/Nobody", R"({"name": "x"})").status, 404);
    EXPECT_EQ(change(media + "/speakers/S1", R"({"name": ""})").status, 400);
    EXPECT_EQ(post(media + "/revisions/5/restore").status, 404);
    EXPECT_EQ(post(media + "/revisions/x/restore").status, 404);
    const std::string nowhere = "/api/v1/media/00000000-0000-7000-8000-000000000000";
    EXPECT_EQ(change(nowhere + "/segments/0", R"({"text": "x"})").status, 404);
    EXPECT_EQ(ask("GET", media + "/segments?task_id=x").status, 400);
    EXPECT_EQ(ask("GET", media + "/segments?task_id=00000000-0000-7000-8000-000000000000").status,
              404);
    EXPECT_EQ(ask_json("GET", media + "/segments").at("newest_revision"), 0) << "nothing was done";
}

TEST_F(EditsApi, IfMatchKeepsTwoWindowsFromOverwritingOneAnother) {
    start();
    const std::string media = finished();
    const std::string whole = ask("GET", media + "/segments").field("etag");
    const std::string first = ask("GET", media + "/segments/0").field("etag");
    EXPECT_EQ(whole, "\"" + task_ + ".0\"");
    const auto if_match = [](const std::string& tag) { return "If-Match: " + tag + "\r\n"; };
    EXPECT_EQ(change(media + "/segments/1", R"({"text": "mine"})", if_match(whole)).status, 200);
    const Answer late = change(media + "/segments/1", R"({"text": "yours"})", if_match(whole));
    EXPECT_EQ(late.status, 412);
    EXPECT_EQ(code(late), "precondition_failed");
    EXPECT_EQ(late.field("content-type"), "application/problem+json");
    EXPECT_EQ(change(media + "/segments/0", R"({"text": "other"})", if_match(first)).status, 200)
        << "another segment has not changed";
    EXPECT_EQ(post(media + "/segments/0/merge", "", if_match(whole)).status, 412);
    EXPECT_EQ(post(media + "/revisions/0/restore", "", if_match("W/" + whole)).status, 412);
    EXPECT_EQ(post(media + "/segments/0/merge", "", if_match("nonsense")).status, 412);
    EXPECT_EQ(change(media + "/speakers/S1", R"({"name": "x"})", if_match("*")).status, 200);
    EXPECT_EQ(
        post(media + "/segments/0/merge", "", if_match("\"other\", \"" + task_ + ".3\"")).status,
        200);
    // The title has a version of its own.
    const std::string title = ask("GET", media).field("etag");
    EXPECT_EQ(change(media, R"({"title": "One"})", if_match(title)).status, 200);
    EXPECT_EQ(change(media, R"({"title": "Two"})", if_match(title)).status, 412);
    EXPECT_EQ(text(ask_json("GET", media), "title"), "One");
}

TEST_F(EditsApi, AServerMayDemandIfMatch) {
    settings_.require_if_match = true;
    start();
    const std::string media = finished();
    for (const Answer& answer :
         {change(media, R"({"title": "One"})"), change(media + "/segments/0", R"({"text": "x"})"),
          post(media + "/segments/0/merge")}) {
        EXPECT_EQ(answer.status, 428) << answer.body;
        EXPECT_EQ(code(answer), "precondition_required");
    }
    const std::string tag = ask("GET", media).field("etag");
    EXPECT_EQ(change(media, R"({"title": "One"})", "If-Match: " + tag + "\r\n").status, 200);
}

TEST_F(EditsApi, NothingIsEditedWhileItIsWritten) {
    shut_gate();
    start();
    const auto media = upload();
    ASSERT_TRUE(await_inside());
    const std::string path = "/api/v1/media/" + text(media, "id");
    const Answer refused = change(path + "/segments/0", R"({"text": "x"})");
    EXPECT_EQ(refused.status, 409);
    EXPECT_EQ(code(refused), "transcript_not_final");
    EXPECT_EQ(text(object(refused), "task_id"), text(media, "task_id"));
    EXPECT_EQ(ask("GET", path + "/segments/0").status, 409);
    EXPECT_EQ(ask("GET", path + "/segments").field("etag"), "");
}

TEST_F(EditsApi, ARunThatFailsOrIsCancelledHidesNoTranscript) {
    start();
    const std::string media = finished();
    const std::string first = task_;
    ASSERT_EQ(change(media + "/segments/0", R"({"text": "edited"})").status, 200);
    const auto shown = [&] {
        const auto segments = ask_json("GET", media + "/segments");
        EXPECT_EQ(ask("GET", media + "/transcript.srt").field("x-transcript-task"),
                  text(segments, "task_id"));
        return text(segments, "task_id");
    };
    broken_ = true;
    const std::string failed = text(object(post(media + "/reprocess")), "task_id");
    ASSERT_TRUE(await(failed, domain::TaskState::failed));
    EXPECT_EQ(text(ask_json("GET", media + "/status"), "task_id"), failed);
    EXPECT_EQ(shown(), first);
    EXPECT_TRUE(transcript(media).contains("edited"));
    EXPECT_EQ(ask_json("GET", media + "/segments?task_id=" + failed).at("segments"), json::array());

    broken_ = false;
    words_ = "second";
    shut_gate();
    const std::string second = text(object(post(media + "/reprocess")), "task_id");
    ASSERT_TRUE(await_inside());
    EXPECT_EQ(shown(), first) << "while another one runs";
    EXPECT_EQ(ask_json("GET", media + "/segments").at("complete"), true);
    EXPECT_EQ(ask_json("GET", media + "/segments?task_id=" + second).at("complete"), false);
    EXPECT_EQ(change(media + "/segments/1", R"({"text": "edited too"})").status, 200);
    open_gate();
    ASSERT_TRUE(await(second, domain::TaskState::completed));
    EXPECT_EQ(shown(), second);
    EXPECT_TRUE(transcript(media).contains("second"));
    EXPECT_TRUE(transcript(media, "?task_id=" + first).contains("edited too"));
    EXPECT_EQ(change(media + "/segments/0?task_id=" + first, R"({"text": "later"})").status, 200);
    EXPECT_TRUE(transcript(media, "?task_id=" + first).contains("later"));
    const std::string other = finished();
    EXPECT_EQ(ask("GET", other + "/segments?task_id=" + first).status, 404) << "of another media";
}

TEST_F(EditsApi, AnEditIsOnTheWireBeforeItsAnswer) {
    start();
    const std::string media = finished();
    RawClient client = connect();
    client.send("GET /api/v1/events?type=transcript.* HTTP/1.1\r\nHost: localhost\r\n\r\n");
    ASSERT_TRUE(client.read(true));
    client.read_until("data: ");
    client.read_until("\n\n");
    ASSERT_EQ(change(media + "/segments/1", R"({"text": "live"})").status, 200);
    client.read_until("data: ");
    const auto event = json::parse(client.read_until("\n")).get_object();
    EXPECT_EQ(text(event, "type"), "transcript.updated");
    EXPECT_EQ(event.at("data").at("revision"), 1);
    EXPECT_EQ(event.at("data").at("changed").at(0), 1);
    EXPECT_EQ(ask("GET", "/api/v1/events?type=transcript.nothing").status, 400);
}

TEST_F(EditsApi, AnAudioTrackCanBeLeftToTheFileAgainAndAWrongOneIsRefusedAtOnce) {
    const auto extract = workers_.on_extract;
    workers_.on_extract = [extract](const ports::ExtractJob& job, const ports::RunControl& c) {
        auto outcome = extract(job, c);
        if (outcome) {
            outcome->info.audio_tracks = {{.index = 0, .codec = "aac", .language = "eng"},
                                          {.index = 1, .codec = "ac3", .title = "Commentary"}};
        }
        return outcome;
    };
    start();
    const std::string media = finished();
    const auto track_of = [&](const Answer& made) {
        EXPECT_EQ(made.status, 202) << made.body;
        const std::string id = text(object(made), "task_id");
        EXPECT_TRUE(await(id, domain::TaskState::completed));
        return ask_json("GET", "/api/v1/tasks/" + id).at("options").at("audio_track");
    };
    EXPECT_EQ(track_of(post(media + "/reprocess", R"({"audio_track": 1})")), 1);
    EXPECT_EQ(track_of(post(media + "/reprocess")), 1) << "as it was";
    EXPECT_EQ(track_of(post(media + "/reprocess", R"({"audio_track": null})")), nullptr);
    EXPECT_EQ(track_of(post(media + "/reprocess?audio_track=0")), 0);
    EXPECT_EQ(track_of(post(media + "/reprocess?audio_track=auto")), nullptr);
    const Answer wrong = post(media + "/reprocess?audio_track=2");
    EXPECT_EQ(wrong.status, 422);
    EXPECT_EQ(code(wrong), "no_such_audio_track");
    EXPECT_TRUE(text(object(wrong), "detail").contains("0 (aac, eng), 1 (ac3, Commentary)"))
        << wrong.body;
    EXPECT_EQ(post(media + "/reprocess?audio_track=x").status, 400);
}

}  // namespace
}  // namespace durascribe::api
