// OpenAI's paths over real sockets, with scripted workers: shapes, errors, the job behind them.
#include <algorithm>
#include <chrono>
#include <future>
#include <thread>
#include <vector>

#include "http_fixture.h"

namespace durascribe::api {
namespace {

using Parts = std::vector<std::pair<std::string, std::string>>;

class OpenAiTest : public HttpTest {
  protected:
    void SetUp() override {
        HttpTest::SetUp();
        know_the_scripted_model();
        // Two chunks, the second of which may have to wait at the gate.
        workers_.on_extract = [](const ports::ExtractJob& job,
                                 const ports::RunControl&) -> Result<ports::ExtractOutcome> {
            const char sample[2] = {1, 0};
            if (::write(job.pcm_fd, sample, sizeof sample) != sizeof sample) {
                return std::unexpected(system_error(errno, "write the audio"));
            }
            ports::ExtractOutcome outcome;
            outcome.info.duration = Millis{40'000};
            outcome.peaks.min_max = {-3, 4};
            outcome.silences = {{Millis{19'500}, Millis{20'500}}};
            return outcome;
        };
        workers_.on_transcribe =
            [this](const ports::TranscribeJob& job,
                   const ports::RunControl& control) -> Result<ports::TranscribeOutcome> {
            const bool first = job.span.start == Millis{0};
            if ((gate_all_ || first == gate_first_) && !pass(control.stop)) {
                return fail(ErrorClass::lost, "stopped", "Stopped.");
            }
            if (fails_) {
                return fail(ErrorClass::input, "not_speech", "There is no speech in it.");
            }
            ports::TranscribeOutcome outcome{.segments = {}, .engine = "scripted", .model = "none"};
            outcome.segments.push_back({.span = job.span,
                                        .text = first ? "hello" : "again",
                                        .confidence = 0.5,
                                        .words = {{job.span, first ? "hello" : "again", 0.5}},
                                        .speaker = {}});
            return outcome;
        };
    }

    static std::string form(const Parts& parts, const std::string& file) {
        std::string body;
        for (const auto& [name, value] : parts) {
            body += fmt::format("--B\r\nContent-Disposition: form-data; name=\"{}\"\r\n\r\n{}\r\n",
                                name, value);
        }
        if (!file.empty()) {
            body += fmt::format(
                "--B\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.wav\"\r\n"
                "Content-Type: audio/wav\r\n\r\n{}\r\n",
                file);
        }
        return body + "--B--\r\n";
    }
    static std::string request(const Parts& parts, const std::string& file,
                               const std::string& fields = "") {
        const std::string body = form(parts, file);
        return fmt::format(
            "POST /v1/audio/transcriptions HTTP/1.1\r\nHost: localhost\r\n{}"
            "Content-Type: multipart/form-data; boundary=B\r\nContent-Length: {}\r\n\r\n{}",
            fields, body.size(), body);
    }
    Answer transcribe(const Parts& parts, const std::string& file = "bytes",
                      const std::string& fields = "") {
        RawClient client = connect();
        client.send(request(parts, file, fields));
        auto answer = client.read();
        EXPECT_TRUE(answer);
        return answer.value_or(Answer{});
    }
    // {status, param, code} of an error in OpenAI's shape.
    static std::tuple<int, std::string, std::string> error_of(const Answer& answer) {
        const json::object body = object(answer);
        const json::value* error = body.if_contains("error");
        if (error == nullptr || !error->is_object()) {
            ADD_FAILURE() << answer.body;
            return {answer.status, "", ""};
        }
        const json::object& e = error->get_object();
        EXPECT_TRUE(e.at("message").is_string());
        EXPECT_TRUE(e.at("type").is_string());
        EXPECT_EQ(answer.field("content-type"), "application/json");
        return {answer.status, e.at("param").is_null() ? "" : text(e, "param"), text(e, "code")};
    }
    std::size_t tasks() { return store_->list_tasks({}, {})->rows.size(); }
    // Awaits the first task that there is.
    std::string await_task() {
        for (std::int64_t seen = 0;;) {
            const auto list = store_->list_tasks({}, {});
            if (list && !list->rows.empty()) {
                return list->rows.front().id.value;
            }
            seen = engine_->feed().wait_after(seen, Millis{1'000});
        }
    }

    std::atomic<bool> gate_all_ = false;
    std::atomic<bool> gate_first_ = false;  // the first chunk, in place of the others
    std::atomic<bool> fails_ = false;
};

TEST_F(OpenAiTest, EachFormatHasItsShape) {
    engine_settings_.chunks.parallel = 1;
    start();
    const Answer plain = transcribe({{"model", "whisper-1"}});
    ASSERT_EQ(plain.status, 200) << plain.body;
    EXPECT_EQ(plain.field("content-type"), "application/json");
    const std::string task = plain.field("x-durascribe-task-id");
    EXPECT_EQ(store_->task(TaskId{task})->media_id.value, plain.field("x-durascribe-media-id"));
    EXPECT_EQ(plain.field("x-durascribe-task-status"), "completed");
    const std::string said = text(object(plain), "text");
    EXPECT_TRUE(said.starts_with("hello")) << plain.body;
    EXPECT_EQ(object(plain).at("usage").at("seconds"), 40);

    const Answer words = transcribe({{"model", "none"},
                                     {"response_format", "verbose_json"},
                                     {"timestamp_granularities[]", "word"},
                                     {"timestamp_granularities[]", "segment"}});
    ASSERT_EQ(words.status, 200) << words.body;
    EXPECT_EQ(text(object(words), "language"), "english");
    EXPECT_EQ(object(words).at("duration").to_number<double>(), 40.0);
    EXPECT_EQ(object(words).at("words").as_array()[0].at("word"), "hello");
    EXPECT_EQ(object(words).at("segments").as_array()[0].at("tokens").as_array().size(), 0U);

    EXPECT_EQ(transcribe({{"response_format", "text"}}).body, said + "\n");
    EXPECT_TRUE(transcribe({{"response_format", "srt"}}).body.starts_with("1\n00:00:00,000 --> "));
    EXPECT_TRUE(transcribe({{"response_format", "vtt"}}).body.starts_with("WEBVTT\n"));
    const Answer logprobs = transcribe({{"include[]", "logprobs"}, {"unknown", "is passed over"}});
    EXPECT_NEAR(object(logprobs).at("logprobs").as_array()[0].at("logprob").as_double(), -0.693,
                0.001);
    // "none" by its name is other work than the server's choice; all the rest was one job.
    EXPECT_EQ(tasks(), 2U);
    EXPECT_EQ(transcribe({}).field("x-durascribe-task-id"), task);
}

TEST_F(OpenAiTest, ErrorsAreInTheirShape) {
    settings_.upload_limit_bytes = 1'000;
    start();
    using E = std::tuple<int, std::string, std::string>;
    EXPECT_EQ(error_of(transcribe({{"model", "whisper-9"}})), (E{404, "model", "model_not_found"}));
    EXPECT_EQ(error_of(transcribe({{"response_format", "xml"}})),
              (E{400, "response_format", "invalid_value"}));
    EXPECT_EQ(error_of(transcribe({{"language", "de"}})),
              (E{400, "language", "unsupported_language"}));
    const Answer speakers = transcribe({{"response_format", "diarized_json"}});
    EXPECT_EQ(error_of(speakers), (E{400, "response_format", "no_diarizer"}));
    EXPECT_TRUE(text(object(speakers).at("error").as_object(), "message")
                    .starts_with("response_format diarized_json needs a diarizer"));
    EXPECT_EQ(error_of(transcribe({{"response_format", "srt"}, {"stream", "true"}})),
              (E{400, "stream", "unsupported_value"}));
    EXPECT_EQ(error_of(ask("GET", "/v1/models", "Accept: text/html\r\n")),
              (E{406, "", "not_acceptable"}));
    EXPECT_EQ(error_of(transcribe({{"model", "auto"}}, "")), (E{400, "file", "no_file"}));
    EXPECT_EQ(error_of(transcribe({}, std::string(2'000, 'x'))),
              (E{413, "file", "body_too_large"}));
    EXPECT_EQ(error_of(ask("POST", "/v1/audio/transcriptions", "Content-Type: application/json\r\n",
                           "{}")),
              (E{415, "", "unsupported_content_type"}));
    const Answer nowhere = ask("GET", "/v1/nope");
    EXPECT_EQ(error_of(nowhere), (E{404, "", "no_route"}));
    EXPECT_TRUE(nowhere.body.contains("/v1/audio/transcriptions")) << nowhere.body;
    EXPECT_EQ(error_of(ask("GET", "/v1/chat/completions")), (E{404, "", "no_route"}));
    const Answer method = ask("GET", "/v1/audio/transcriptions");
    EXPECT_EQ(error_of(method), (E{405, "", "method_not_allowed"}));
    EXPECT_EQ(method.field("allow"), "POST, OPTIONS");
    EXPECT_EQ(error_of(ask("POST", "/v1/audio/translations",
                           "Content-Type: multipart/form-data; boundary=B\r\n",
                           form({{"model", "whisper-1"}}, "bytes"))),
              (E{400, "model", "translation_not_supported"}));
    EXPECT_EQ(tasks(), 0U);
}

TEST_F(OpenAiTest, ModelsAreThoseInstalledAndTheServersChoice) {
    start();
    const auto list = ask_json("GET", "/v1/models");
    EXPECT_EQ(text(list, "object"), "list");
    const auto& data = list.at("data").as_array();
    ASSERT_EQ(data.size(), 5U);
    EXPECT_EQ(data[0],
              (json::object{
                  {"id", "none"}, {"object", "model"}, {"created", 0}, {"owned_by", "scripted"}}));
    EXPECT_EQ(text(ask_json("GET", "/v1/models/whisper-1"), "owned_by"), "durascribe");
    EXPECT_EQ(std::get<2>(error_of(ask("GET", "/v1/models/gpt-5"))), "model_not_found");
}

TEST_F(OpenAiTest, ADroppedConnectionIsFoundAgain) {
    shut_gate();
    gate_all_ = true;
    start();
    {
        RawClient client = connect();
        client.send(request({{"model", "auto"}}, "bytes"));
        ASSERT_TRUE(await_inside());
    }
    const std::string task = await_task();
    auto again =
        std::async(std::launch::async, [&] { return transcribe({{"model", "whisper-1"}}); });
    auto meanwhile =
        std::async(std::launch::async, [&] { return transcribe({{"response_format", "text"}}); });
    EXPECT_NE(again.wait_for(std::chrono::milliseconds{200}), std::future_status::ready);
    open_gate();
    const Answer answer = again.get();
    EXPECT_EQ(answer.status, 200) << answer.body;
    EXPECT_EQ(answer.field("x-durascribe-task-id"), task);
    EXPECT_EQ(meanwhile.get().field("x-durascribe-task-id"), task);
    EXPECT_EQ(tasks(), 1U);
}

TEST_F(OpenAiTest, AnIdempotencyKeyNamesAJob) {
    start();
    const std::string one = "Idempotency-Key: one\r\n";
    const Answer first = transcribe({}, "bytes", one);
    const std::string task = first.field("x-durascribe-task-id");
    EXPECT_EQ(transcribe({{"response_format", "text"}}, "bytes", one).field("x-durascribe-task-id"),
              task);
    EXPECT_NE(transcribe({}, "bytes", "Idempotency-Key: two\r\n").field("x-durascribe-task-id"),
              task)
        << "a new key is a new job";
    EXPECT_EQ(std::get<2>(error_of(transcribe({}, "other", one))), "idempotency_key_reused");
    EXPECT_EQ(tasks(), 2U);
}

TEST_F(OpenAiTest, WhatFailedIsDoneAgainWhenAskedAgain) {
    start();
    fails_ = true;
    const Answer failed = transcribe({});
    EXPECT_EQ(std::get<0>(error_of(failed)), 400) << failed.body;
    EXPECT_EQ(failed.field("x-should-retry"), "false");
    EXPECT_EQ(failed.field("x-durascribe-task-status"), "failed");
    fails_ = false;
    const Answer answer = transcribe({});
    EXPECT_EQ(answer.status, 200) << answer.body;
    EXPECT_EQ(answer.field("x-durascribe-task-id"), failed.field("x-durascribe-task-id"));
    EXPECT_EQ(tasks(), 1U);
}

TEST_F(OpenAiTest, ACancelledJobSaysSo) {
    shut_gate();
    gate_all_ = true;
    start();
    auto answer = std::async(std::launch::async, [&] { return transcribe({}); });
    ASSERT_TRUE(await_inside());
    EXPECT_EQ(ask("POST", "/api/v1/tasks/" + await_task() + "/cancel").status, 202);
    const Answer cancelled = answer.get();
    EXPECT_EQ(std::get<2>(error_of(cancelled)), "task_cancelled");
    EXPECT_EQ(cancelled.field("x-should-retry"), "false");
}

TEST_F(OpenAiTest, AStreamTellsEachChunkOnceItIsDone) {
    shut_gate();
    engine_settings_.chunks.target = Millis{20'000};
    settings_.keep_alive_interval = Millis{50};
    start();
    RawClient client = connect();
    client.send(request({{"stream", "true"}}, "bytes"));
    const auto head = client.read();
    ASSERT_TRUE(head);
    EXPECT_EQ(head->status, 200);
    EXPECT_EQ(head->field("content-type"), "text/event-stream; charset=utf-8");
    EXPECT_EQ(store_->task(TaskId{head->field("x-durascribe-task-id")})->media_id.value,
              head->field("x-durascribe-media-id"));
    std::string body;
    const auto read_until = [&](std::string_view wanted) {
        for (std::string more = "x"; !body.contains(wanted) && !more.empty(); body += more) {
            more = client.read_bytes(1);
        }
        return body.contains(wanted);
    };
    ASSERT_TRUE(read_until("data: {\"type\":\"transcript.text.delta\",\"delta\":\"hello\"}\n\n"))
        << body;
    body.clear();
    ASSERT_TRUE(read_until(": keep-alive\n\n")) << "while the second chunk is at the gate";
    EXPECT_FALSE(body.contains("again"));
    open_gate();
    ASSERT_TRUE(read_until("0\r\n\r\n")) << body;
    const auto delta =
        body.find("data: {\"type\":\"transcript.text.delta\",\"delta\":\" again\"}\n\n");
    const auto done =
        body.find("data: {\"type\":\"transcript.text.done\",\"text\":\"hello again\"");
    EXPECT_LT(delta, done) << body;
    EXPECT_NE(done, std::string::npos) << body;
}

TEST_F(OpenAiTest, AStreamKeepsTheOrderOfTheRecording) {
    shut_gate();
    gate_first_ = true;
    engine_settings_.chunks.target = Millis{20'000};
    settings_.keep_alive_interval = Millis{50};
    start();
    RawClient client = connect();
    client.send(request({{"stream", "true"}}, "bytes"));
    const auto head = client.read();
    ASSERT_TRUE(head);
    const TaskId task{head->field("x-durascribe-task-id")};
    const auto second_is_done = [&] {
        const auto units = store_->units(task);
        return units && std::ranges::any_of(*units, [](const ports::UnitRow& unit) {
                   return unit.step == domain::Step::transcribe && unit.ordinal == 1 &&
                          unit.state == domain::UnitState::completed;
               });
    };
    for (std::int64_t seen = 0; !second_is_done();) {
        seen = engine_->feed().wait_after(seen, Millis{20'000});
    }
    std::string body;
    for (std::string more = "x"; !body.contains(": keep-alive\n\n") && !more.empty();
         body += more) {
        more = client.read_bytes(1);
    }
    EXPECT_FALSE(body.contains("delta")) << body;
    open_gate();
    for (std::string more = "x"; !body.contains("0\r\n\r\n") && !more.empty(); body += more) {
        more = client.read_bytes(1);
    }
    EXPECT_LT(body.find("\"delta\":\"hello\""), body.find("\"delta\":\" again\"")) << body;
    EXPECT_TRUE(body.contains("\"text\":\"hello again\"")) << body;
}

TEST_F(OpenAiTest, AStreamEndsWithTheErrorOfItsJob) {
    shut_gate();
    gate_all_ = true;
    start();
    RawClient client = connect();
    client.send(request({{"stream", "true"}}, "bytes"));
    ASSERT_TRUE(client.read());
    ASSERT_TRUE(await_inside());
    fails_ = true;
    open_gate();
    std::string body;
    for (std::string more = "x"; !body.contains("0\r\n\r\n") && !more.empty(); body += more) {
        more = client.read_bytes(1);
    }
    EXPECT_TRUE(body.contains("data: {\"error\":{\"message\":\"None of the 2 parts")) << body;
    EXPECT_TRUE(body.contains("There is no speech in it.")) << body;
}

TEST_F(OpenAiTest, ManyWhoWaitHoldNoThread) {
    shut_gate();
    gate_all_ = true;
    settings_.blocking_threads = 2;
    start();
    std::vector<RawClient> waiting;
    for (int i = 0; i < 100; ++i) {
        waiting.push_back(connect());
        waiting.back().send(request({}, "bytes"));
    }
    ASSERT_TRUE(await_inside());
    // Were a thread held by each, this would not be answered.
    EXPECT_EQ(ask("GET", "/api/v1/tasks").status, 200);
    open_gate();
    for (RawClient& client : waiting) {
        const auto answer = client.read();
        ASSERT_TRUE(answer);
        EXPECT_EQ(answer->status, 200) << answer->body;
    }
    EXPECT_EQ(tasks(), 1U);
}

TEST_F(OpenAiTest, WhenTheServerStopsThoseWhoWaitAreToldToComeBack) {
    shut_gate();
    gate_all_ = true;
    start();
    RawClient client = connect();
    client.send(request({}, "bytes"));
    ASSERT_TRUE(await_inside());
    const std::jthread stopping{[this] { server_->stop(Millis{10'000}); }};
    const auto answer = client.read();
    client.close();
    ASSERT_TRUE(answer);
    EXPECT_EQ(error_of(*answer), (std::tuple<int, std::string, std::string>{503, "", "busy"}));
    EXPECT_EQ(answer->field("retry-after"), "1");
    EXPECT_EQ(answer->field("x-durascribe-task-id"), await_task());
}

}  // namespace
}  // namespace durascribe::api
