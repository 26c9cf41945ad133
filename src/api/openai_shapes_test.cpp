#include "durascribe/api/openai_shapes.h"

#include <gtest/gtest.h>

#include "durascribe/api/json_text.h"
#include "durascribe/api/openai_errors.h"
#include "durascribe/api/problem.h"

namespace durascribe::api {
namespace {

namespace json = boost::json;

Heard heard() {
    std::vector<domain::Segment> segments;
    segments.push_back({.span = {Millis{0}, Millis{1'500}},
                        .text = "hello  there",
                        .confidence = 0.5,
                        .words = {{{Millis{0}, Millis{700}}, "hello", 1.0},
                                  {{Millis{800}, Millis{1'500}}, "there", 0.0}},
                        .speaker = "A"});
    segments.push_back(
        {.span = {Millis{40'000}, Millis{41'000}}, .text = "again", .words = {}, .speaker = {}});
    return {.language = "en-US",
            .duration = Millis{41'200},
            .pieces = pieces_of(std::move(segments), {{{Millis{20'000}, Millis{40'000}}, "died"}})};
}

TEST(OpenAiShapes, AChunkThatFailedIsInItsPlace) {
    EXPECT_EQ(text_of(heard().pieces), "hello there [inaudible] again");
}

TEST(OpenAiShapes, Json) {
    const auto body = openai_transcript_shape(heard(), {.language = {}, .logprobs = true});
    EXPECT_EQ(body.at("text"), "hello there [inaudible] again");
    EXPECT_EQ(body.at("usage").at("type"), "duration");
    EXPECT_EQ(body.at("usage").at("seconds"), 42);
    const auto& logprobs = body.at("logprobs").as_array();
    ASSERT_EQ(logprobs.size(), 2U);
    EXPECT_EQ(logprobs[0].at("token"), "hello");
    EXPECT_EQ(logprobs[0].at("logprob"), 0.0);
    EXPECT_EQ(logprobs[0].at("bytes").as_array()[0], 'h');
    EXPECT_LT(logprobs[1].at("logprob").as_double(), -11);
    EXPECT_FALSE(openai_transcript_shape(heard(), {.language = {}}).contains("logprobs"));
}

TEST(OpenAiShapes, VerboseJson) {
    OpenAiRequest request{.language = {}, .format = OpenAiFormat::verbose_json, .words = true};
    const auto body = openai_transcript_shape(heard(), request);
    EXPECT_EQ(body.at("task"), "transcribe");
    EXPECT_EQ(body.at("language"), "english");
    EXPECT_EQ(body.at("duration"), 41.2);
    const auto& segments = body.at("segments").as_array();
    ASSERT_EQ(segments.size(), 3U);
    EXPECT_EQ(json_text(segments[1]),
              R"({"id":1,"seek":0,"start":20,"end":40,"text":" [inaudible]","tokens":[],)"
              R"("temperature":0,"avg_logprob":-11.512925464970229,"compression_ratio":1,)"
              R"("no_speech_prob":0})"
              "\n");
    EXPECT_NEAR(segments[0].at("avg_logprob").as_double(), -0.693, 0.001);
    ASSERT_EQ(body.at("words").as_array().size(), 2U);
    EXPECT_EQ(body.at("words").as_array()[1],
              (json::object{{"word", "there"}, {"start", 0.8}, {"end", 1.5}}));
    request.segments = false;
    EXPECT_FALSE(openai_transcript_shape(heard(), request).contains("segments"));
}

TEST(OpenAiShapes, DiarizedJson) {
    const auto body =
        openai_transcript_shape(heard(), {.language = {}, .format = OpenAiFormat::diarized_json});
    const auto& segments = body.at("segments").as_array();
    ASSERT_EQ(segments.size(), 3U);
    EXPECT_EQ(segments[0].at("type"), "transcript.text.segment");
    EXPECT_EQ(segments[0].at("id"), "seg_001");
    EXPECT_EQ(segments[0].at("speaker"), "A");
    EXPECT_EQ(segments[2].at("speaker"), "");
}

TEST(OpenAiShapes, EventsAreOneLine) {
    const auto all = heard();
    const auto delta = openai_delta_text(" line\nend", all.pieces, false);
    EXPECT_EQ(delta, R"({"type":"transcript.text.delta","delta":" line\nend"})");
    const auto done = json::parse(openai_done_text(all, false)).as_object();
    EXPECT_EQ(done.at("type"), "transcript.text.done");
    EXPECT_EQ(done.at("text"), "hello there [inaudible] again");
    EXPECT_EQ(done.at("usage").at("total_tokens"), 0);
}

TEST(OpenAiShapes, LanguagesHaveWhispersNames) {
    EXPECT_EQ(openai_language_name("en"), "english");
    EXPECT_EQ(openai_language_name("pt-BR"), "portuguese");
    EXPECT_EQ(openai_language_name("haw"), "hawaiian");
    EXPECT_EQ(openai_language_name("tlh"), "tlh");
    EXPECT_EQ(openai_language_name("auto"), "auto");
}

TEST(OpenAiErrors, HaveTheirShapeAtTheirPathsAlone) {
    const Error error{ErrorClass::input, "no_audio", "The file has no sound.", "secret"};
    const Response theirs = problem_response(error, "/v1/audio/transcriptions");
    EXPECT_EQ(theirs.status, 400);
    EXPECT_EQ(theirs.body,
              R"({"error":{"message":"The file has no sound.","type":"invalid_request_error",)"
              R"("param":"file","code":"no_audio"}})"
              "\n");
    const Response ours = problem_response(error, "/api/v1/media");
    EXPECT_EQ(ours.status, 422);
    EXPECT_TRUE(ours.body.contains("\"detail\""));
    EXPECT_FALSE(speaks_openai("/v10/models"));
    const Response full =
        problem_response({ErrorClass::storage, "disk_full", "Full.", {}}, "/v1/models");
    EXPECT_EQ(full.status, 507);
    EXPECT_TRUE(full.body.contains(R"("type":"server_error","param":null)")) << full.body;
}

}  // namespace
}  // namespace durascribe::api
