// A server on a real engine, a real SQLite store and real files, with scripted workers.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>

#include <gtest/gtest.h>
#include <unistd.h>

#include <fmt/format.h>
#include <boost/json.hpp>

#include "durascribe/api/server.h"
#include "durascribe/blobs/local/local_blob_store.h"
#include "durascribe/store/sqlite/sqlite_store.h"
#include "raw_client.h"
#include "scratch_directory.h"
#include "scripted_workers.h"

namespace durascribe::api {

namespace json = boost::json;
using testing::Answer;
using testing::RawClient;

class HttpTest : public ::testing::Test {
  protected:
    void SetUp() override {
        auto store = store::SqliteStore::open(directory_.path(), clock_, {});
        ASSERT_TRUE(store) << store.error().message;
        store_ = std::move(*store);
        auto blobs = blobs::LocalBlobStore::open(directory_.path());
        ASSERT_TRUE(blobs) << blobs.error().message;
        blobs_ = std::move(*blobs);
        engine_settings_.retry.base = engine_settings_.retry.cap = Millis{1};
        settings_.port = 0;
        settings_.blocking_threads = 4;
        workers_.on_extract = [](const ports::ExtractJob& job,
                                 const ports::RunControl&) -> Result<ports::ExtractOutcome> {
            const char sample[2] = {1, 0};
            if (::write(job.pcm_fd, sample, sizeof sample) != sizeof sample) {
                return std::unexpected(system_error(errno, "write the audio"));
            }
            ports::ExtractOutcome outcome;
            outcome.info.container = "wav";
            outcome.info.duration = Millis{20'000};
            outcome.peaks.min_max = {-3, 4};
            return outcome;
        };
        workers_.on_transcribe =
            [this](const ports::TranscribeJob& job,
                   const ports::RunControl& control) -> Result<ports::TranscribeOutcome> {
            if (!pass(control.stop)) {
                return fail(ErrorClass::lost, "stopped", "Stopped.");
            }
            ports::TranscribeOutcome outcome{.segments = {}, .engine = "scripted", .model = "none"};
            outcome.segments.push_back({.span = job.span, .text = "hello <b>there</b>"});
            return outcome;
        };
    }

    void TearDown() override {
        open_gate();
        server_.reset();
        engine_.reset();
    }

    // What the scripted workers say that they recognise with is installed, and speaks English.
    void know_the_scripted_model() {
        engine_settings_.models = [] {
            return std::vector<domain::ModelCandidate>{
                {.engine = "scripted", .model = "none", .languages = {"en"}}};
        };
    }
    void start() {
        engine_ =
            std::make_unique<engine::Engine>(store(), *blobs_, workers_, clock_, engine_settings_);
        const auto engine_started = engine_->start();
        ASSERT_TRUE(engine_started) << engine_started.error().message;
        start_server_again();
    }
    void start_server_again() {
        server_ = std::make_unique<Server>(
            *engine_, store(), *blobs_,
            NodeFacts{"1.2.3", "somewhere", "sqlite", "full", "scripted", "none"}, settings_);
        const auto started = server_->start();
        ASSERT_TRUE(started) << started.error().message;
    }

    ports::Store& store() { return in_front_ ? *in_front_ : *store_; }

    RawClient connect() { return RawClient{server_->port()}; }
    // Where connections_max is reached: whether one of them ends in time.
    bool await_room() {
        for (const MonoTime until = clock_.mono() + Millis{20'000}; clock_.mono() < until;) {
            RawClient client = connect();
            client.send("GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n");
            const auto answer = client.read();
            if (answer && answer->status == 200) {
                return true;
            }
        }
        return false;
    }

    // One request on a connection of its own.
    Answer ask(const std::string& method, const std::string& target, const std::string& fields = "",
               const std::string& body = "") {
        RawClient client = connect();
        std::string request =
            fmt::format("{} {} HTTP/1.1\r\nHost: localhost\r\n{}", method, target, fields);
        if (!body.empty() || method == "POST" || method == "PATCH") {
            request += fmt::format("Content-Length: {}\r\n", body.size());
        }
        client.send(request + "\r\n" + body);
        auto answer = client.read(method == "HEAD");
        EXPECT_TRUE(answer) << method << " " << target;
        return answer.value_or(Answer{});
    }
    json::object ask_json(const std::string& method, const std::string& target, int status = 200) {
        const Answer answer = ask(method, target);
        EXPECT_EQ(answer.status, status) << target << " " << answer.body;
        return object(answer);
    }
    static json::object object(const Answer& answer) {
        json::error_code ec;
        json::value value = json::parse(answer.body, ec);
        EXPECT_TRUE(!ec && value.is_object()) << answer.body;
        return value.is_object() ? value.get_object() : json::object{};
    }
    static std::string text(const json::object& o, std::string_view key) {
        const json::value* value = o.if_contains({key.data(), key.size()});
        return value != nullptr && value->is_string() ? std::string{value->get_string().c_str()}
                                                      : "";
    }

    // Uploads a raw body and gives the answer.
    json::object upload(const std::string& bytes = "media bytes",
                        const std::string& name = "talk.wav") {
        const Answer answer =
            ask("POST", "/api/v1/media?filename=" + name, "Content-Type: audio/wav\r\n", bytes);
        EXPECT_EQ(answer.status, 201) << answer.body;
        return object(answer);
    }

    // Awaits the events of the store until the task has that state.
    bool await(const std::string& task, domain::TaskState wanted) {
        const MonoTime until = clock_.mono() + Millis{20'000};
        for (std::int64_t seen = engine_->feed().newest(); clock_.mono() < until;) {
            const auto row = store_->task(TaskId{task});
            if (row && row->state == wanted) {
                return true;
            }
            seen = engine_->feed().wait_after(seen, Millis{1'000});
        }
        return false;
    }

    // Speech workers wait while the gate is shut; false: told to stop.
    bool pass(std::stop_token stop) {
        std::unique_lock lock{gate_mutex_};
        ++inside_;
        gate_changed_.notify_all();
        gate_changed_.wait(lock, stop, [this] { return gate_open_; });
        --inside_;
        return gate_open_;
    }
    void shut_gate() { gate_open_ = false; }
    void open_gate() {
        const std::scoped_lock lock{gate_mutex_};
        gate_open_ = true;
        gate_changed_.notify_all();
    }
    bool await_inside() {
        std::unique_lock lock{gate_mutex_};
        return gate_changed_.wait_for(lock, std::chrono::seconds{20},
                                      [this] { return inside_ > 0; });
    }

    testing::ScratchDirectory directory_;
    ports::SystemClock clock_;
    testing::ScriptedWorkers workers_;
    engine::EngineSettings engine_settings_;
    ServerSettings settings_;
    std::unique_ptr<store::SqliteStore> store_;
    std::unique_ptr<ports::Store> in_front_;  // of store_, for tests of what becomes of a verb
    std::unique_ptr<blobs::LocalBlobStore> blobs_;
    std::unique_ptr<engine::Engine> engine_;
    std::unique_ptr<Server> server_;

  private:
    std::mutex gate_mutex_;
    std::condition_variable_any gate_changed_;
    bool gate_open_ = true;
    int inside_ = 0;
};

}  // namespace durascribe::api
