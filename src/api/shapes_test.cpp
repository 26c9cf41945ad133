#include "durascribe/api/shapes.h"

#include <limits>

#include <gtest/gtest.h>

#include "durascribe/api/json_text.h"
#include "durascribe/api/parameters.h"
#include "durascribe/api/problem.h"

namespace durascribe::api {
namespace {

const MediaId kMedia{"0190c1d0-0000-7000-8000-000000000001"};
const TaskId kTask{"0190c1d0-0000-7000-8000-000000000002"};

std::vector<std::string> keys(const json::object& o) {
    std::vector<std::string> out;
    for (const auto& [key, value] : o) {
        out.emplace_back(key);
    }
    return out;
}

ports::TranscriptText said(const domain::Segment& segment) {
    return {.revision = 0, .newest = 0, .segments = {{.id = 0, .revision = 0, .segment = segment}}};
}

TEST(JsonText, NumbersAreWrittenAsPeopleWriteThem) {
    EXPECT_EQ(
        json_text(json::value{{"a", 12.5}, {"b", 0.0}, {"c", 100.0}, {"d", 7}, {"e", "x\"<\n"}}),
        "{\"a\":12.5,\"b\":0,\"c\":100,\"d\":7,\"e\":\"x\\\"<\\n\"}\n");
    EXPECT_EQ(json_text(json::array{std::numeric_limits<double>::quiet_NaN(), nullptr, true,
                                    json::object{}}),
              "[null,null,true,{}]\n");
}

TEST(JsonText, EachCharacterThatNeedsAnEscapeHasOneAndNoOther) {
    for (int c = 0; c < 128; ++c) {
        const std::string said(1, static_cast<char>(c));
        const std::string text = json_line(json::value(said));
        EXPECT_EQ(text == "\"" + said + "\"", c >= 0x20 && c != '"' && c != '\\') << c;
        EXPECT_EQ(json::parse(text).as_string(), said) << c;
    }
    EXPECT_EQ(
        json_line(json::array{-1, std::uint64_t{18'446'744'073'709'551'615U}, false, "\u00e9"}),
        "[-1,18446744073709551615,false,\"\u00e9\"]");
}

TEST(JsonText, ParsesObjectsAlone) {
    EXPECT_TRUE(parse_json_object(" {\"title\": \"x\"} "));
    for (const std::string bad : {"", "{", "{} x", "{\"a\":1,}", "nul"}) {
        const auto parsed = parse_json_object(bad);
        ASSERT_FALSE(parsed) << bad;
        EXPECT_EQ(parsed.error().code, "malformed_json") << bad;
    }
    EXPECT_EQ(parse_json_object("[]").error().code, "bad_value");
    EXPECT_FALSE(parse_json_object(std::string(100'000, '[')));
}

TEST(Shapes, ProgressHasExactlyThePromisedFields) {
    const auto shape = progress_shape(kMedia, std::nullopt, Dialect::current);
    EXPECT_EQ(keys(shape), (std::vector<std::string>{
                               "task_id", "media_id", "status", "progress", "current_step", "stage",
                               "subtasks", "items", "retry_count", "eta_seconds", "queue_position",
                               "started_at", "updated_at", "completed_at", "error"}));
    EXPECT_EQ(shape.at("status"), "pending");
    EXPECT_EQ(shape.at("progress"), 0.0);
    const auto& steps = shape.at("subtasks").as_array();
    ASSERT_FALSE(steps.empty());
    double weight = 0;
    for (const auto& step : steps) {
        EXPECT_EQ(keys(step.as_object()),
                  (std::vector<std::string>{"name", "weight", "status", "progress", "started_at",
                                            "completed_at", "error"}));
        EXPECT_EQ(step.at("status"), "pending");
        EXPECT_EQ(step.at("progress"), 0.0);
        weight += step.at("weight").as_double();
    }
    EXPECT_NEAR(weight, 100.0, 0.01);
    EXPECT_EQ(keys(shape.at("items").as_object()),
              (std::vector<std::string>{"total", "completed", "failed"}));
}

TEST(Shapes, AcceptedHasExactlyThePromisedFields) {
    ports::TaskRow task;
    task.id = kTask;
    task.media_id = kMedia;
    EXPECT_EQ(keys(accepted_shape(task, "Queued.", "/x", Dialect::current)),
              (std::vector<std::string>{"task_id", "media_id", "status", "message", "status_url"}));
    EXPECT_EQ(accepted_shape(task, "Queued.", "/x", Dialect::legacy).at("video_id").as_string(),
              json::string_view{kMedia.value});
}

TEST(Shapes, EarlierClientsReadTheirOwnWords) {
    ports::MediaRow media;
    media.id = kMedia;
    ports::TaskRow task;
    task.id = kTask;
    task.state = domain::TaskState::completed;
    EXPECT_EQ(media_shape(media, task, Dialect::current).at("status"), "completed");
    const auto legacy = media_shape(media, task, Dialect::legacy);
    EXPECT_EQ(legacy.at("status"), "ready");
    EXPECT_EQ(legacy.at("video_id").as_string(), json::string_view{kMedia.value});
    EXPECT_FALSE(media_shape(media, task, Dialect::current).contains("video_id"));
}

// Boost.JSON makes an array of value{x}: every optional field is held to its kind here.
TEST(Shapes, OptionalFieldsAreValuesWhereTheyAreKnown) {
    engine::TaskView view;
    view.row.id = kTask;
    view.row.media_id = kMedia;
    view.row.current_step = "transcribe";
    view.row.engine = "e";
    view.row.model = "m";
    view.row.model_reason = "It is the only one.";
    view.row.options.audio_track = 1;
    view.row.options.from_step = domain::Step::transcribe;
    view.row.started_at = view.row.completed_at = view.row.next_attempt_at = WallTime{Millis{1}};
    view.row.error = ports::StoredError{ErrorClass::crash, "died", "It died."};
    view.stage = "Transcribing 1 of 2";
    view.eta_seconds = 1.5;
    view.queue_position = 1;
    view.estimated_start_seconds = 2.5;
    view.predicted_seconds = 3.5;
    view.download = engine::DownloadState{.bytes_done = 5, .bytes_total = 10};
    view.steps.push_back({});
    view.steps[0].started_at = WallTime{Millis{1}};
    ports::MediaRow media;
    media.id = kMedia;
    media.info.emplace().duration = Millis{1500};
    media.source = {std::string(64, 'a'), 10};
    media.source_url = "https://media.example/talk.wav";
    domain::Segment segment;
    segment.speaker = "S1";
    engine::Engine::SlotStatus slot{.lane = domain::Lane::speech};
    slot.task = kTask;
    slot.step = domain::Step::transcribe;
    for (const json::value& shape :
         {json::value(status_shape(kMedia, view, Dialect::current)),
          json::value(progress_shape(kMedia, view, Dialect::current)),
          json::value(task_view_shape(view)),
          json::value(media_shape(media, view.row, Dialect::current)),
          json::value(slots_shape({slot}).at(0)),
          json::value(segments_shape(kMedia, view.row, said(segment), {}, false, Dialect::current)),
          json::value(page_shape({}, "cursor"))}) {
        for (const auto& [key, value] : shape.as_object()) {
            const std::string name{key};
            EXPECT_FALSE(value.is_null()) << name;
            if (name == "items") {
                continue;  // a list in a page, counts in a task
            }
            EXPECT_EQ(value.is_array(), name == "subtasks" || name == "segments" || name == "gaps")
                << name << " in " << json_text(shape);
            EXPECT_EQ(value.is_object(), name == "error" || name == "options" || name == "download")
                << name;
        }
    }
    EXPECT_EQ(segments_shape(kMedia, view.row, said(segment), {}, false, Dialect::current)
                  .at("segments")
                  .at(0)
                  .at("speaker"),
              "S1");
}

TEST(Shapes, SegmentsAreInSeconds) {
    ports::TaskRow task;
    task.id = kTask;
    task.state = domain::TaskState::processing;
    domain::Segment segment{{Millis{1500}, Millis{2250}},
                            "hello",
                            0.9,
                            {{{Millis{1500}, Millis{2250}}, "hello", 0.9}},
                            {}};
    const auto shape =
        segments_shape(kMedia, task, said(segment), {{{Millis{0}, Millis{1000}}, "crash"}}, true,
                       Dialect::current);
    EXPECT_EQ(shape.at("complete"), false);
    EXPECT_EQ(shape.at("segments").at(0).at("start"), 1.5);
    EXPECT_EQ(shape.at("segments").at(0).at("words").at(0).at("end"), 2.25);
    EXPECT_EQ(shape.at("gaps").at(0).at("reason"), "crash");
    EXPECT_FALSE(segments_shape(kMedia, task, said(segment), {}, false, Dialect::current)
                     .at("segments")
                     .at(0)
                     .as_object()
                     .contains("words"));
}

TEST(Problem, EveryClassHasItsStatus) {
    const auto status = [](ErrorClass cls, std::string code) {
        return http_status(Error{cls, std::move(code), {}, {}});
    };
    EXPECT_EQ(status(ErrorClass::request, "not_found"), 404);
    EXPECT_EQ(status(ErrorClass::request, "task_running"), 409);
    EXPECT_EQ(status(ErrorClass::request, "body_too_large"), 413);
    EXPECT_EQ(status(ErrorClass::request, "anything_else"), 400);
    EXPECT_EQ(status(ErrorClass::input, "no_audio"), 422);
    EXPECT_EQ(status(ErrorClass::input, "empty_file"), 400);
    EXPECT_EQ(status(ErrorClass::storage, "disk_full"), 507);
    EXPECT_EQ(status(ErrorClass::lost, "stopped"), 503);
    EXPECT_EQ(status(ErrorClass::storage, "in_doubt"), 503);
    EXPECT_EQ(status(ErrorClass::internal, "x"), 500);
    EXPECT_EQ(status(ErrorClass::timeout, "x"), 504);
    EXPECT_EQ(status(ErrorClass::network, "x"), 502);
}

TEST(Problem, NamesTheRunningTaskAndNoOtherDetail) {
    const Response conflict = problem_response(
        {ErrorClass::request, "task_running", "Busy.", kTask.value}, "/api/v1/media/x/reprocess");
    EXPECT_EQ(conflict.status, 409);
    const auto body = json::parse(conflict.body).as_object();
    EXPECT_EQ(keys(body), (std::vector<std::string>{"type", "title", "status", "detail", "code",
                                                    "instance", "task_id"}));
    EXPECT_EQ(body.at("task_id").as_string(), json::string_view{kTask.value});
    EXPECT_EQ(body.at("instance"), "/api/v1/media/x/reprocess");
    const Response internal =
        problem_response({ErrorClass::internal, "x", "Sorry.", "secret path"}, "/");
    EXPECT_EQ(internal.body.find("secret"), std::string::npos);
}

TEST(Parameters, BadValuesNameTheFieldAndWhatWasExpected) {
    const auto with = [](Fields query) {
        Request r;
        r.query = std::move(query);
        return r;
    };
    for (const std::string_view bad : {"0", "201", "-1", "ten", "", "5x", "99999999999"}) {
        const auto page = page_of(with({{"limit", std::string{bad}}}));
        ASSERT_FALSE(page) << bad;
        EXPECT_EQ(page.error().message, "limit must be a whole number from 1 to 200.");
    }
    EXPECT_EQ(page_of(with({{"limit", "7"}, {"cursor", "c"}}))->limit, 7);
    EXPECT_FALSE(page_of(with({{"limit", "7"}, {"limit", "8"}})));
    EXPECT_FALSE(state_parameter(with({{"status", "done"}})));
    EXPECT_EQ(*state_parameter(with({{"status", "failed"}})), domain::TaskState::failed);
    EXPECT_FALSE(flag_parameter(with({{"force", "yes"}}), "force"));
    EXPECT_EQ(*flag_parameter(with({{"force", "true"}}), "force"), true);
}

TEST(Parameters, ALaterStepIsForAMediaThatIsThere) {
    TaskFields coming;
    EXPECT_TRUE(coming.set("from_step", ""));
    EXPECT_FALSE(coming.set("from_step", "finalize"));
    TaskFields known = TaskFields::of_known_media();
    EXPECT_TRUE(known.set("from_step", "finalize"));
    EXPECT_TRUE(known.set("language", "de"));
    EXPECT_EQ(known.over({}).from_step, domain::Step::finalize);
    EXPECT_EQ(known.chosen().language, "de");
    EXPECT_EQ(known.chosen().engine, "auto");
    EXPECT_FALSE(known.chosen().from_step);
}

TEST(Parameters, TaskFieldsAreChecked) {
    TaskFields fields;
    EXPECT_TRUE(fields.set("language", "pt-BR"));
    EXPECT_TRUE(fields.set("audio_track", "2"));
    EXPECT_TRUE(fields.set("priority", "-5"));
    EXPECT_TRUE(fields.set("diarize", "true"));
    EXPECT_TRUE(fields.set("model", ""));
    EXPECT_TRUE(fields.set("title", "  Äh  "));
    EXPECT_EQ(fields.title(), "Äh");
    domain::TaskOptions before;
    before.engine = "kept";
    const auto options = fields.over(before);
    EXPECT_EQ(options.language, "pt-BR");
    EXPECT_EQ(options.audio_track, 2);
    EXPECT_EQ(options.priority, -5);
    EXPECT_TRUE(options.diarize);
    EXPECT_EQ(options.model, "auto");
    EXPECT_EQ(options.engine, "kept");
    for (const auto& [name, bad] : Fields{{"language", "e n"},
                                          {"engine", "../x"},
                                          {"model", "a/b"},
                                          {"audio_track", "-1"},
                                          {"priority", "high"},
                                          {"diarize", "maybe"},
                                          {"title", "a\nb"},
                                          {"title", std::string(501, 'a')},
                                          {"title", "\xff"},
                                          {"title", "  "}}) {
        const auto set = fields.set(name, bad);
        ASSERT_FALSE(set) << name;
        EXPECT_TRUE(set.error().message.starts_with(name));
    }
}

}  // namespace
}  // namespace durascribe::api
