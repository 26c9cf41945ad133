// The endpoints, over real sockets: what they do and what they say.
#include <atomic>
#include <memory>
#include <set>

#include "http_fixture.h"

namespace durascribe::api {
namespace {

TEST_F(HttpTest, AnUploadBecomesATranscript) {
    start();
    const std::string body =
        "--B\r\nContent-Disposition: form-data; name=\"title\"\r\n\r\n會議 \"A\"\r\n"
        "--B\r\nContent-Disposition: form-data; name=\"file\"; "
        "filename=\"會議.wav\"\r\n\r\nbytes\r\n--B--\r\n";
    const Answer created =
        ask("POST", "/api/v1/media", "Content-Type: multipart/form-data; boundary=B\r\n", body);
    ASSERT_EQ(created.status, 201) << created.body;
    const auto media = object(created);
    const std::string id = text(media, "id");
    EXPECT_EQ(created.field("location"), "/api/v1/media/" + id);
    EXPECT_EQ(text(media, "status"), "pending");
    EXPECT_EQ(text(media, "title"), "會議 \"A\"");
    EXPECT_EQ(text(media, "filename"), "會議.wav");
    EXPECT_EQ(media.at("size_bytes"), 5);
    EXPECT_EQ(text(media, "sha256"),
              "277089d91c0bdf4f2e6862ba7e4a07605119431f5d13f726dd352b06f1b206a9");
    ASSERT_TRUE(await(text(media, "task_id"), domain::TaskState::completed));

    const auto status = ask_json("GET", text(media, "status_url"));
    EXPECT_EQ(text(status, "status"), "completed");
    EXPECT_EQ(status.at("progress").to_number<double>(), 100.0);
    const auto segments = ask_json("GET", "/api/v1/media/" + id + "/segments");
    EXPECT_EQ(segments.at("complete"), true);
    EXPECT_EQ(segments.at("segments").as_array().size(), 1U);
    const Answer srt = ask("GET", "/api/v1/media/" + id + "/transcript.srt");
    EXPECT_EQ(srt.status, 200);
    EXPECT_EQ(srt.field("x-transcript-complete"), "true");
    EXPECT_EQ(srt.field("content-disposition"),
              "attachment; filename=\"__ _A_.srt\"; filename*=UTF-8''%E6%9C%83%E8%AD%B0%20_A_.srt");
    EXPECT_TRUE(srt.body.contains("-->")) << srt.body;
    EXPECT_FALSE(srt.body.contains("<b>")) << srt.body;
    for (const std::string format : {"vtt", "txt", "json"}) {
        EXPECT_EQ(ask("GET", "/api/v1/media/" + id + "/transcript." + format).status, 200)
            << format;
    }
    EXPECT_EQ(ask("GET", "/api/v1/media/" + id + "/transcript.doc").status, 404);
    EXPECT_EQ(ask_json("GET", "/api/v1/media/" + id + "/waveform").at("data").as_array().size(),
              2U);
    const auto progress = ask_json("GET", "/api/v1/media/" + id + "/reprocess");
    EXPECT_EQ(progress.at("items").at("completed"), 1);
}

TEST_F(HttpTest, TheSourceIsServedInRanges) {
    start();
    const std::string id = text(upload("0123456789", "a.mp3"), "id");
    const std::string source = "/api/v1/media/" + id + "/source";
    const Answer whole = ask("GET", source);
    EXPECT_EQ(whole.status, 200);
    EXPECT_EQ(whole.body, "0123456789");
    EXPECT_EQ(whole.field("content-type"), "audio/mpeg");
    EXPECT_EQ(whole.field("x-content-type-options"), "nosniff");
    const Answer part = ask("GET", source, "Range: bytes=2-4\r\n");
    EXPECT_EQ(part.status, 206);
    EXPECT_EQ(part.body, "234");
    EXPECT_EQ(part.field("content-range"), "bytes 2-4/10");
    const Answer beyond = ask("GET", source, "Range: bytes=10-\r\n");
    EXPECT_EQ(beyond.status, 416);
    EXPECT_EQ(text(object(beyond), "code"), "range_not_satisfiable");
    EXPECT_EQ(beyond.field("content-range"), "bytes */10");
    const Answer head = ask("HEAD", source);
    EXPECT_EQ(head.status, 200);
    EXPECT_EQ(head.field("content-length"), "10");
    const Answer part_of_head = ask("HEAD", source, "Range: bytes=2-4\r\n");
    EXPECT_EQ(part_of_head.status, 200) << "ranges are of GET alone";
    EXPECT_EQ(part_of_head.field("content-length"), "10");
    EXPECT_EQ(part_of_head.field("content-range"), "");
    EXPECT_EQ(ask("HEAD", source, "Range: bytes=10-\r\n").status, 200);
    EXPECT_EQ(ask("GET", source, "If-None-Match: " + whole.field("etag") + "\r\n").status, 304);
    EXPECT_EQ(ask("GET", source, "Range: bytes=0-1\r\nIf-Range: \"other\"\r\n").status, 200);
}

TEST_F(HttpTest, ASecondRunConflictsAndNamesTheFirst) {
    shut_gate();
    start();
    const auto media = upload();
    const std::string path = "/api/v1/media/" + text(media, "id");
    ASSERT_TRUE(await_inside());
    for (const std::string verb : {"/run_sync", "/reprocess", "/retranscribe"}) {
        const Answer conflict = ask("POST", path + verb);
        EXPECT_EQ(conflict.status, 409) << conflict.body;
        EXPECT_EQ(conflict.field("content-type"), "application/problem+json");
        EXPECT_EQ(text(object(conflict), "task_id"), text(media, "task_id"));
        EXPECT_EQ(text(object(conflict), "code"), "task_running");
    }
    EXPECT_EQ(ask("DELETE", path).status, 409);
    // Forced: the running one is cancelled first.
    const Answer forced = ask("POST", path + "/reprocess?force=true");
    EXPECT_EQ(forced.status, 202) << forced.body;
    EXPECT_NE(text(object(forced), "task_id"), text(media, "task_id"));
    EXPECT_TRUE(await(text(media, "task_id"), domain::TaskState::cancelled));
    open_gate();
    EXPECT_TRUE(await(text(object(forced), "task_id"), domain::TaskState::completed));
    const Answer again = ask("POST", path + "/retranscribe", "Content-Type: application/json\r\n",
                             R"({"language": "de", "priority": 3})");
    EXPECT_EQ(again.status, 202) << again.body;
    const auto task = ask_json("GET", "/api/v1/tasks/" + text(object(again), "task_id"));
    EXPECT_EQ(task.at("options").at("language"), "de");
    EXPECT_EQ(task.at("options").at("priority"), 3);
}

TEST_F(HttpTest, TheQueueIsInTheOrderInWhichItIsServed) {
    shut_gate();
    start();
    for (int i = 0; i < 6; ++i) {
        upload();
    }
    ASSERT_TRUE(await_inside());
    const auto queue = ask_json("GET", "/api/v1/queue");
    std::vector<std::int64_t> places;
    for (const auto& entry : queue.at("waiting").as_array()) {
        const auto& place = entry.at("queue_position");
        places.push_back(place.is_null() ? std::numeric_limits<std::int64_t>::max()
                                         : place.to_number<std::int64_t>());
    }
    ASSERT_GE(places.size(), 2U);
    // One lane after the other: a recording that is still to be decoded begins a list of its own.
    for (std::size_t i = 1; i < places.size(); ++i) {
        EXPECT_TRUE(places[i] > places[i - 1] || places[i] == 1)
            << places[i] << " after " << places[i - 1];
    }
    open_gate();
}

TEST_F(HttpTest, CancelThenRetry) {
    shut_gate();
    start();
    const auto media = upload();
    const std::string task = "/api/v1/tasks/" + text(media, "task_id");
    ASSERT_TRUE(await_inside());
    const auto queue = ask_json("GET", "/api/v1/queue");
    EXPECT_EQ(queue.at("running").as_array().size(), 1U);
    EXPECT_EQ(text(queue.at("running").at(0).as_object(), "title"), "talk");
    const Answer running = ask("GET", "/api/v1/media/" + text(media, "id") + "/transcript.txt");
    EXPECT_EQ(running.status, 200);
    EXPECT_EQ(running.field("x-transcript-complete"), "false");
    EXPECT_EQ(ask("POST", task + "/retry").status, 409);
    EXPECT_EQ(ask("POST", task + "/cancel").status, 202);
    ASSERT_TRUE(await(text(media, "task_id"), domain::TaskState::cancelled));
    EXPECT_EQ(ask("POST", task + "/cancel").status, 409);
    open_gate();
    const Answer retried = ask("POST", task + "/retry");
    EXPECT_EQ(retried.status, 202);
    EXPECT_EQ(object(retried).at("queued").at("transcribe"), 1);
    EXPECT_TRUE(await(text(media, "task_id"), domain::TaskState::completed));
}

// The media's address shows its newest task.
TEST_F(HttpTest, AnAnswerAboutOneTaskLeadsToThatTask) {
    start();
    const auto media = upload();
    const std::string first = text(media, "task_id");
    ASSERT_TRUE(await(first, domain::TaskState::completed));
    shut_gate();
    const std::string again = text(media, "media_url") + "/reprocess";
    const auto second = ask_json("POST", again, 202);
    EXPECT_EQ(text(second, "status_url"), again);
    ASSERT_TRUE(await_inside());
    const std::string old = "/api/v1/tasks/" + text(second, "task_id");
    const auto cancelled = ask_json("POST", old + "/cancel", 202);
    EXPECT_EQ(text(cancelled, "status_url"), old);
    ASSERT_TRUE(await(text(second, "task_id"), domain::TaskState::cancelled));
    open_gate();
    const auto third = ask_json("POST", again, 202);
    ASSERT_TRUE(await(text(third, "task_id"), domain::TaskState::completed));

    const auto retried = ask_json("POST", old + "/retry", 202);
    EXPECT_EQ(text(retried, "task_id"), text(second, "task_id"));
    EXPECT_EQ(text(retried, "status_url"), old);
    EXPECT_EQ(text(ask_json("GET", text(retried, "status_url")), "task_id"),
              text(second, "task_id"));
    EXPECT_EQ(text(ask_json("GET", again), "task_id"), text(third, "task_id"));
}

TEST_F(HttpTest, TheSameIdempotencyKeyGivesTheFirstAnswerAgain) {
    start();
    const std::string key = "Idempotency-Key: upload-1\r\nContent-Type: audio/wav\r\n";
    const std::string target = "/api/v1/media?filename=a.wav";
    const Answer first = ask("POST", target, key, "the bytes");
    ASSERT_EQ(first.status, 201) << first.body;
    const std::string id = text(object(first), "id");
    const std::string task = "/api/v1/tasks/" + text(object(first), "task_id");
    ASSERT_TRUE(await(text(object(first), "task_id"), domain::TaskState::completed));
    const Answer second = ask("POST", target, key, "the bytes");
    EXPECT_EQ(second.status, 201);
    EXPECT_EQ(second.body, first.body) << "also after it has changed";
    EXPECT_EQ(second.field("idempotency-replayed"), "true");
    EXPECT_EQ(second.field("location"), first.field("location"));
    EXPECT_EQ(ask_json("GET", "/api/v1/media").at("items").as_array().size(), 1U);
    const Answer other = ask("POST", target, key, "other bytes");
    EXPECT_EQ(other.status, 422);
    EXPECT_EQ(text(object(other), "code"), "idempotency_key_reused");

    const std::string path = "/api/v1/media/" + id + "/reprocess";
    const Answer task_once = ask("POST", path, "Idempotency-Key: again\r\n");
    const Answer task_twice = ask("POST", path, "Idempotency-Key: again\r\n");
    EXPECT_EQ(task_once.status, 202) << task_once.body;
    EXPECT_EQ(task_twice.status, 202) << "and not 409";
    EXPECT_EQ(task_twice.body, task_once.body);
    EXPECT_EQ(ask("POST", path, "Idempotency-Key: \r\n").status, 400);
    EXPECT_EQ(ask("POST", path, "Idempotency-Key: " + std::string(256, 'k') + "\r\n").status, 400);
}

TEST_F(HttpTest, WhatIsNotInstalledIsRefusedAtOnceAndNamed) {
    engine_settings_.models = [] {
        return std::vector<domain::ModelCandidate>{
            {.engine = "scripted", .model = "none", .accuracy = 1, .languages = {"en"}}};
    };
    start();
    const auto media = upload();
    ASSERT_TRUE(await(text(media, "task_id"), domain::TaskState::completed));
    const auto done = ask_json("GET", "/api/v1/tasks/" + text(media, "task_id"));
    EXPECT_EQ(done.at("model"), "none") << "chosen by auto";
    EXPECT_EQ(text(done, "model_reason"), "none is the only model installed for it.");
    const std::string path = "/api/v1/media/" + text(media, "id");
    const auto refused = [&](const Answer& answer, const std::string& code,
                             const std::string& given) {
        EXPECT_EQ(answer.status, 422) << answer.body;
        EXPECT_EQ(answer.field("content-type"), "application/problem+json");
        const auto problem = object(answer);
        EXPECT_EQ(text(problem, "code"), code);
        EXPECT_TRUE(text(problem, "detail").contains(given)) << answer.body;
        if (code != "no_diarizer") {
            EXPECT_TRUE(text(problem, "detail").contains("scripted none (en)")) << answer.body;
        }
    };
    for (const auto& [option, code, given] :
         {std::tuple{"engine=kaldi", "unknown_engine", "engine \"kaldi\""},
          std::tuple{"model=large", "unknown_model", "model \"large\""},
          std::tuple{"language=de", "unsupported_language", "language \"de\""},
          std::tuple{"diarize=true", "no_diarizer", "diarize"}}) {
        SCOPED_TRACE(option);
        refused(ask("POST", std::string{"/api/v1/media?filename=a.wav&"} + option,
                    "Content-Type: audio/wav\r\n", "refused bytes"),
                code, given);
        const std::string name{option, std::string_view{option}.find('=')};
        const std::string value{option + name.size() + 1};
        const std::string part =
            "--B\r\nContent-Disposition: form-data; name=\"" + name + "\"\r\n\r\n" + value + "\r\n";
        const std::string file =
            "--B\r\nContent-Disposition: form-data; name=\"file\"; "
            "filename=\"a.wav\"\r\n\r\nrefused bytes\r\n";
        for (const std::string& form : {part + file, file + part}) {
            refused(ask("POST", "/api/v1/media",
                        "Content-Type: multipart/form-data; boundary=B\r\n", form + "--B--\r\n"),
                    code, given);
        }
        for (const std::string verb : {"/run_sync", "/reprocess", "/retranscribe"}) {
            refused(ask("POST", path + verb + "?" + option), code, given);
        }
    }
    refused(ask("POST", path + "/reprocess", "Content-Type: application/json\r\n",
                R"({"diarize": true})"),
            "no_diarizer", "diarize");
    // A late start does not need what ran before; what is asked for now is looked at all the same.
    for (const auto& [option, code, given] :
         {std::tuple{"engine=kaldi", "unknown_engine", "engine \"kaldi\""},
          std::tuple{"model=large", "unknown_model", "model \"large\""},
          std::tuple{"language=de", "unsupported_language", "language \"de\""}}) {
        refused(ask("POST", path + "/reprocess?from_step=finalize&" + option), code, given);
    }
    EXPECT_EQ(ask_json("GET", "/api/v1/media").at("items").as_array().size(), 1U)
        << "nothing of what was refused is kept";
    EXPECT_EQ(blobs_->list("", 10)->size(), 1U);
    EXPECT_EQ(ask("POST", "/api/v1/media?filename=a.wav&language=en-GB&model=none",
                  "Content-Type: audio/wav\r\n", "taken bytes")
                  .status,
              201);
}

TEST_F(HttpTest, WhatAnUploadLeavesOutIsAsTheSettingsSay) {
    settings_.task_defaults.language = "de";
    settings_.task_defaults.model = "none";
    start();
    const auto options_of = [&](const Answer& made) {
        return ask_json("GET", "/api/v1/tasks/" + text(object(made), "task_id"))
            .at("options")
            .as_object();
    };
    const std::string as_audio = "Content-Type: audio/wav\r\n";
    const auto plain = options_of(ask("POST", "/api/v1/media?filename=a.wav", as_audio, "one"));
    EXPECT_EQ(text(plain, "language"), "de");
    EXPECT_EQ(text(plain, "model"), "none");
    const auto named =
        options_of(ask("POST", "/api/v1/media?filename=a.wav&language=en", as_audio, "two"));
    EXPECT_EQ(text(named, "language"), "en");
    EXPECT_EQ(text(named, "model"), "none");
}

TEST_F(HttpTest, AMediaSaysWhetherItsFileIsThere) {
    start();
    const auto media = upload();
    const std::string path = "/api/v1/media/" + text(media, "id");
    ASSERT_TRUE(await(text(media, "task_id"), domain::TaskState::completed));
    EXPECT_EQ(ask_json("GET", path).at("source_available"), true);
    ASSERT_TRUE(blobs_->remove({text(media, "sha256"), 0}).has_value());
    EXPECT_EQ(ask_json("GET", path).at("source_available"), false);
    EXPECT_EQ(ask_json("GET", "/api/v1/media").at("items").at(0).at("source_available"), false);
    const Answer source = ask("GET", path + "/source");
    EXPECT_EQ(source.status, 410);
    EXPECT_EQ(text(object(source), "code"), "blob_missing");
    EXPECT_EQ(ask("GET", path + "/transcript.txt").status, 200);
    upload();
    EXPECT_EQ(ask_json("GET", path).at("source_available"), true);
}

TEST_F(HttpTest, ARetryTellsWhatItDoesAgainAndAttemptsAreKept) {
    shut_gate();
    start();
    const auto media = upload();
    const std::string task = "/api/v1/tasks/" + text(media, "task_id");
    ASSERT_TRUE(await_inside());
    EXPECT_EQ(ask("POST", task + "/cancel").status, 202);
    ASSERT_TRUE(await(text(media, "task_id"), domain::TaskState::cancelled));
    open_gate();
    const auto retried = ask_json("POST", task + "/retry", 202);
    EXPECT_EQ(retried.at("cancelled"), 1);
    EXPECT_EQ(retried.at("failed"), 0);
    EXPECT_TRUE(await(text(media, "task_id"), domain::TaskState::completed));
    const auto attempts = ask_json("GET", task + "/attempts").at("items").as_array();
    ASSERT_EQ(attempts.size(), 4U);
    std::vector<std::string> told;
    for (const auto& attempt : attempts) {
        told.push_back(text(attempt.as_object(), "step") + " " +
                       text(attempt.as_object(), "outcome"));
        EXPECT_FALSE(attempt.at("ended_at").is_null());
    }
    EXPECT_EQ(told, (std::vector<std::string>{"extract completed", "transcribe cancelled",
                                              "transcribe completed", "finalize completed"}));
    EXPECT_EQ(ask("GET", "/api/v1/tasks/" + new_id<TaskId>().value + "/attempts").status, 404);
}

TEST_F(HttpTest, AnAttemptTellsAllThatIsKnownOfIt) {
    std::atomic<int> calls = 0;
    workers_.on_transcribe =
        [&](const ports::TranscribeJob& job,
            const ports::RunControl& control) -> Result<ports::TranscribeOutcome> {
        control.on_progress(Millis{5'250});
        if (calls++ == 0) {
            return fail(ErrorClass::crash, "worker_died", "The worker died of a signal.");
        }
        ports::TranscribeOutcome outcome{.segments = {}, .engine = "scripted", .model = "none"};
        outcome.segments.push_back({.span = job.span, .text = "hello"});
        return outcome;
    };
    engine_settings_.model = "none";
    start();
    const auto media = upload();
    ASSERT_TRUE(await(text(media, "task_id"), domain::TaskState::completed));
    const auto attempts = ask_json("GET", "/api/v1/tasks/" + text(media, "task_id") + "/attempts")
                              .at("items")
                              .as_array();
    std::vector<json::object> chunk;
    for (const auto& attempt : attempts) {
        if (attempt.at("step") == "transcribe") {
            chunk.push_back(attempt.as_object());
        }
    }
    ASSERT_EQ(chunk.size(), 2U);
    EXPECT_EQ(chunk[0].at("run"), 1);
    EXPECT_EQ(chunk[0].at("ordinal"), 0);
    EXPECT_EQ(chunk[0].at("number"), 1);
    EXPECT_TRUE(is_uuid(text(chunk[0], "node"))) << text(chunk[0], "node");
    EXPECT_EQ(chunk[0].at("model"), "none");
    EXPECT_LE(text(chunk[0], "started_at"), text(chunk[0], "ended_at"));
    EXPECT_EQ(chunk[0].at("outcome"), "failed");
    EXPECT_EQ(chunk[0].at("error").at("class"), "crash");
    EXPECT_EQ(chunk[0].at("error").at("message"), "The worker died of a signal.");
    EXPECT_EQ(chunk[0].at("audio_done_seconds").to_number<double>(), 5.25);
    EXPECT_EQ(chunk[1].at("number"), 2);
    EXPECT_EQ(chunk[1].at("outcome"), "completed");
    EXPECT_TRUE(chunk[1].at("error").is_null());
}

// Every POST that makes something: the first answer again for the same request, 422 for another.
TEST_F(HttpTest, EveryCreatingRequestIsDoneOncePerKey) {
    start();
    const auto form = [](const std::string& boundary, const std::string& bytes) {
        return "--" + boundary +
               "\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.wav\"\r\n\r\n" +
               bytes + "\r\n--" + boundary + "--\r\n";
    };
    const auto once = [&](const std::string& what, const Answer& first, const Answer& second,
                          const Answer& other) {
        SCOPED_TRACE(what);
        EXPECT_LT(first.status, 300) << first.body;
        EXPECT_EQ(second.status, first.status);
        EXPECT_EQ(second.body, first.body);
        EXPECT_EQ(second.field("idempotency-replayed"), "true");
        EXPECT_EQ(other.status, 422) << other.body;
        EXPECT_EQ(text(object(other), "code"), "idempotency_key_reused");
    };
    const auto send_form = [&](const std::string& boundary, const std::string& bytes) {
        return ask("POST", "/api/v1/media",
                   "Idempotency-Key: form\r\nContent-Type: multipart/form-data; boundary=" +
                       boundary + "\r\n",
                   form(boundary, bytes));
    };
    const Answer made = send_form("B", "bytes");
    once("form", made, send_form("C", "bytes"), send_form("B", "others"));
    const std::string path = "/api/v1/media/" + text(object(made), "id");
    ASSERT_TRUE(await(text(object(made), "task_id"), domain::TaskState::completed));

    for (const std::string verb : {"/run_sync", "/reprocess", "/retranscribe"}) {
        const auto post = [&](const std::string& body) {
            return ask("POST", path + verb,
                       "Content-Type: application/json\r\nIdempotency-Key: " + verb + "\r\n", body);
        };
        const Answer first = post(R"({"priority": 1})");
        ASSERT_TRUE(await(text(object(first), "task_id"), domain::TaskState::completed));
        once(verb, first, post(R"({"priority": 1})"), post(R"({"priority": 2})"));
    }

    shut_gate();
    const auto running = object(ask("POST", path + "/reprocess"));
    const std::string task = "/api/v1/tasks/" + text(running, "task_id");
    ASSERT_TRUE(await_inside());
    EXPECT_EQ(ask("POST", task + "/cancel").status, 202);
    ASSERT_TRUE(await(text(running, "task_id"), domain::TaskState::cancelled));
    open_gate();
    const std::string key = "Idempotency-Key: again\r\n";
    const Answer first = ask("POST", task + "/retry", key);
    ASSERT_TRUE(await(text(running, "task_id"), domain::TaskState::completed));
    once("retry", first, ask("POST", task + "/retry", key), ask("POST", path + "/reprocess", key));
}

TEST_F(HttpTest, APausedQueueStartsNothingUntilItIsResumed) {
    start();
    EXPECT_EQ(ask_json("POST", "/api/v1/queue/pause").at("paused"), true);
    const auto media = upload();
    const auto queue = ask_json("GET", "/api/v1/queue");
    EXPECT_EQ(queue.at("paused"), true);
    ASSERT_EQ(queue.at("waiting").as_array().size(), 1U);
    EXPECT_EQ(queue.at("waiting").at(0).at("queue_position"), 1);
    EXPECT_TRUE(queue.at("waiting").at(0).at("estimated_start_seconds").is_null())
        << "nobody knows when it is resumed";
    for (const std::string& view : {"/api/v1/tasks/" + text(media, "task_id"),
                                    "/api/v1/media/" + text(media, "id") + "/status"}) {
        const auto waiting = ask_json("GET", view);
        EXPECT_EQ(waiting.at("queue_position"), 1) << view;
        EXPECT_TRUE(waiting.at("estimated_start_seconds").is_null()) << view;
        EXPECT_TRUE(waiting.at("eta_seconds").is_null()) << view;
        EXPECT_EQ(text(waiting, "stage"), "Waiting: the queue is paused");
    }
    EXPECT_EQ(ask_json("POST", "/api/v1/queue/resume").at("paused"), false);
    EXPECT_TRUE(await(text(media, "task_id"), domain::TaskState::completed));
}

TEST_F(HttpTest, ATaskMayStartFromALaterStep) {
    start();
    const auto media = upload();
    ASSERT_TRUE(await(text(media, "task_id"), domain::TaskState::completed));
    const std::string path = "/api/v1/media/" + text(media, "id");
    const int transcribes = workers_.transcribes;
    const auto made = ask_json("POST", path + "/reprocess?from_step=finalize", 202);
    EXPECT_TRUE(await(text(made, "task_id"), domain::TaskState::completed));
    EXPECT_EQ(workers_.transcribes, transcribes) << "nothing is recognised again";
    const auto task = ask_json("GET", "/api/v1/tasks/" + text(made, "task_id"));
    EXPECT_EQ(task.at("options").at("from_step"), "finalize");
    EXPECT_NE(ask("GET", path + "/transcript.txt").body.find("hello"), std::string::npos);
    EXPECT_EQ(ask("POST", path + "/reprocess?from_step=acquire").status, 400);
}

TEST_F(HttpTest, ALateStartNeedsNoEngineThatRanBefore) {
    const auto there = std::make_shared<std::atomic<bool>>(true);  // the engine outlives the test
    engine_settings_.models = [there] {
        return std::vector<domain::ModelCandidate>{{.engine = *there ? "scripted" : "other",
                                                    .model = "none",
                                                    .accuracy = 1,
                                                    .languages = {"en"}}};
    };
    start();
    const auto media =
        object(ask("POST", "/api/v1/media?filename=a.wav&engine=scripted", "", "bytes"));
    ASSERT_TRUE(await(text(media, "task_id"), domain::TaskState::completed));
    *there = false;
    const std::string path = "/api/v1/media/" + text(media, "id");
    EXPECT_EQ(ask("POST", path + "/reprocess").status, 422);
    const auto late = ask_json("POST", path + "/reprocess?from_step=finalize", 202);
    EXPECT_TRUE(await(text(late, "task_id"), domain::TaskState::completed));
    EXPECT_EQ(ask("POST", path + "/reprocess?from_step=finalize&engine=scripted").status, 422);
}

TEST_F(HttpTest, WhatComesInStartsWithItsFirstStep) {
    start();
    const auto refused = [&](const Answer& answer) {
        EXPECT_EQ(answer.status, 400) << answer.body;
        EXPECT_EQ(text(object(answer), "code"), "bad_value");
        EXPECT_TRUE(text(object(answer), "detail").contains("from_step")) << answer.body;
    };
    const std::string json = "Content-Type: application/json\r\n";
    const std::string form = "Content-Type: multipart/form-data; boundary=B\r\n";
    const auto part = [](const std::string& field, const std::string& value) {
        return "--B\r\nContent-Disposition: form-data; name=" + field + "\r\n\r\n" + value + "\r\n";
    };
    const std::string step = part("\"from_step\"", "finalize");
    const std::string file = part("\"file\"; filename=\"a.wav\"", "bytes");
    refused(ask("POST", "/api/v1/media?filename=a.wav&from_step=finalize", "", "bytes"));
    refused(ask("POST", "/media?filename=a.wav&from_step=finalize", "", "bytes"));
    refused(ask("POST", "/api/v1/media", form, step + file + "--B--\r\n"));
    refused(ask("POST", "/api/v1/media", form, file + step + "--B--\r\n"));
    refused(ask("POST", "/api/v1/media", json,
                R"({"url": "https://media.example/a.wav", "from_step": "finalize"})"));
    refused(ask("POST", "/api/v1/batches", form, file + step + "--B--\r\n"));
    refused(ask("POST", "/api/v1/batches", json,
                R"({"items": [{"url": "https://media.example/a.wav", "from_step": "finalize"}]})"));
    refused(ask("POST", "/api/v1/batches", json,
                R"({"items": [{"url": "https://media.example/a.wav"}],
                    "options": {"from_step": "finalize"}})"));
    refused(ask("POST", "/api/v1/uploads",
                "Tus-Resumable: 1.0.0\r\nUpload-Length: 5\r\n"
                "Upload-Metadata: from_step ZmluYWxpemU=\r\n"));
    EXPECT_EQ(ask_json("GET", "/api/v1/media").at("items").as_array().size(), 0U);
}

TEST_F(HttpTest, ListsSearchRenameDelete) {
    start();
    std::vector<std::string> ids;
    for (int i = 0; i < 3; ++i) {
        const auto media = upload("bytes " + std::to_string(i), "f" + std::to_string(i) + ".wav");
        ids.push_back(text(media, "id"));
        ASSERT_TRUE(await(text(media, "task_id"), domain::TaskState::completed));
    }
    const auto first = ask_json("GET", "/api/v1/media?limit=2&status=completed");
    EXPECT_EQ(first.at("items").as_array().size(), 2U);
    const auto second =
        ask_json("GET", "/api/v1/media?limit=2&cursor=" + text(first, "next_cursor"));
    ASSERT_EQ(second.at("items").as_array().size(), 1U);
    EXPECT_EQ(text(second.at("items").at(0).as_object(), "id"), ids[0]);
    EXPECT_TRUE(second.at("next_cursor").is_null());
    EXPECT_EQ(ask_json("GET", "/api/v1/media?status=failed").at("items").as_array().size(), 0U);
    EXPECT_EQ(ask_json("GET", "/api/v1/tasks?media_id=" + ids[0]).at("items").as_array().size(),
              1U);

    const std::string path = "/api/v1/media/" + ids[1];
    const std::string as_json = "Content-Type: application/json\r\n";
    EXPECT_EQ(text(object(ask("PATCH", path, as_json, R"({"title": "Ünï <b>"})")), "title"),
              "Ünï <b>");
    EXPECT_EQ(ask_json("GET", "/api/v1/media?search=%C3%9Cn%C3%AF").at("items").as_array().size(),
              1U);
    EXPECT_EQ(ask("PATCH", path, as_json, R"({"title": ""})").status, 400);
    EXPECT_EQ(ask("PATCH", path, as_json, R"({"name": "x"})").status, 400);
    EXPECT_EQ(ask("PATCH", path, as_json, "{").status, 400);
    EXPECT_EQ(ask("PATCH", path, "Content-Type: text/plain\r\n", R"({"title": "x"})").status, 415);

    const std::string seen = ask("GET", path).field("etag");
    EXPECT_EQ(ask("PATCH", path, as_json, R"({"title": "Another"})").status, 200);
    for (const std::string& tag : {seen, std::string{"\"nothing\""}, "W/" + seen}) {
        const Answer refused = ask("DELETE", path, "If-Match: " + tag + "\r\n");
        EXPECT_EQ(refused.status, 412) << tag;
        EXPECT_EQ(text(object(refused), "code"), "precondition_failed");
    }
    const std::string now = ask("GET", path).field("etag");
    EXPECT_EQ(ask("DELETE", path, "If-Match: " + seen + "\r\nIf-Match: " + now + "\r\n").status,
              204)
        << "two lines are one list";
    EXPECT_EQ(ask("GET", path).status, 404);
    EXPECT_EQ(ask("DELETE", path).status, 404);
    EXPECT_EQ(ask("DELETE", "/api/v1/media/" + ids[2], "If-Match: *\r\n").status, 204);
    EXPECT_EQ(ask("DELETE", "/api/v1/media/" + ids[0]).status, 204);
}

TEST_F(HttpTest, WhatHasNoTagIsNotChangedUnderIfMatch) {
    shut_gate();
    start();
    const std::string task = "/api/v1/tasks/" + text(upload(), "task_id");
    const std::string as_json = "Content-Type: application/json\r\n";
    const std::string priority = R"({"priority": 7})";
    const Answer refused = ask("PATCH", task, as_json + "If-Match: \"seen\"\r\n", priority);
    EXPECT_EQ(refused.status, 412);
    EXPECT_EQ(text(object(refused), "code"), "precondition_failed");
    EXPECT_EQ(ask_json("GET", task).at("options").at("priority"), 0);
    EXPECT_EQ(ask("PATCH", task, as_json + "If-Match: *\r\n", priority).status, 200);
    EXPECT_EQ(ask_json("GET", task).at("options").at("priority"), 7);
    for (const char* path : {"/api/v1/webhooks/", "/api/v1/tokens/"}) {
        EXPECT_EQ(ask("DELETE", path + std::string{"0190c1d0-0000-7000-8000-000000000001"},
                      "If-Match: \"seen\"\r\n")
                      .status,
                  412);
    }
}

TEST_F(HttpTest, TwoIdempotencyKeysAreNone) {
    start();
    const Answer refused =
        ask("POST", "/api/v1/media", "Idempotency-Key: a\r\nIdempotency-Key: b\r\n", "bytes");
    EXPECT_EQ(refused.status, 400);
    EXPECT_TRUE(text(object(refused), "detail").starts_with("Idempotency-Key must be one,"));
    EXPECT_TRUE(store_->list_media({}, {})->rows.empty());
}

TEST_F(HttpTest, EarlierClientsPathsAndWords) {
    start();
    const Answer created = ask("POST", "/media?filename=a.wav", "", "bytes");
    EXPECT_EQ(created.status, 201);
    const auto media = object(created);
    EXPECT_EQ(text(media, "video_id"), text(media, "id"));
    ASSERT_TRUE(await(text(media, "task_id"), domain::TaskState::completed));
    EXPECT_EQ(text(ask_json("GET", "/media/" + text(media, "id")), "status"), "ready");
    const std::string video = "/api/v1/videos/" + text(media, "id");
    EXPECT_EQ(text(ask_json("GET", video), "status"), "ready");
    EXPECT_EQ(text(ask_json("POST", video + "/reprocess", 202), "video_id"), text(media, "id"));
    EXPECT_EQ(text(ask_json("GET", video + "/reprocess"), "video_id"), text(media, "id"));
    for (const std::string part : {"/segments", "/segments/0", "/revisions", "/status"}) {
        EXPECT_EQ(text(ask_json("GET", video + part), "video_id"), text(media, "id")) << part;
        EXPECT_EQ(text(ask_json("GET", "/media/" + text(media, "id") + part), "video_id"),
                  text(media, "id"))
            << part;
        EXPECT_FALSE(
            ask_json("GET", "/api/v1/media/" + text(media, "id") + part).contains("video_id"))
            << part;
    }
    EXPECT_EQ(
        text(ask_json("POST", "/media/" + text(media, "id") + "/retranscribe?force=true", 202),
             "video_id"),
        text(media, "id"));
}

TEST_F(HttpTest, WhatIsNotThereYetIsSaid) {
    start();
    ASSERT_EQ(ask("POST", "/api/v1/queue/pause").status, 200);
    const Answer made = ask("POST", "/api/v1/media", "Content-Type: application/json\r\n",
                            R"({"url": "https://media.example/a.wav"})");
    ASSERT_EQ(made.status, 201) << made.body;
    const std::string path = text(object(made), "media_url");
    for (const auto& [what, code] : {std::pair{"/source", "source_not_ready"},
                                     {"/waveform", "waveform_not_ready"},
                                     {"/audio", "audio_not_kept"}}) {
        const Answer answer = ask("GET", path + what);
        EXPECT_EQ(answer.status, 404) << what;
        EXPECT_EQ(text(object(answer), "code"), code);
    }
    const Answer transcript = ask("GET", path + "/transcript.txt");
    EXPECT_EQ(transcript.status, 200) << "what there is so far";
    EXPECT_EQ(transcript.field("x-transcript-complete"), "false");
}

TEST_F(HttpTest, WhatEarlierClientsCallDownloadingIsFound) {
    workers_.on_fetch = [](const ports::FetchJob&, const ports::RunControl&) {
        return ports::FetchOutcome{
            .error = Error{ErrorClass::input, "download_refused", "There is nothing.", {}}};
    };
    start();
    const auto there = upload();
    ASSERT_TRUE(await(text(there, "task_id"), domain::TaskState::completed));
    EXPECT_EQ(ask("POST", "/api/v1/queue/pause").status, 200);
    const auto coming = object(ask("POST", "/media", "Content-Type: application/json\r\n",
                                   R"({"url": "https://media.example/a.wav"})"));
    const auto waiting = upload("other bytes");
    const auto ids = [&](const std::string& status) {
        std::set<std::string> found;
        for (const auto& item : ask_json("GET", "/media?status=" + status).at("items").as_array()) {
            found.insert(text(item.as_object(), "id"));
        }
        return found;
    };
    using Ids = std::set<std::string>;
    EXPECT_EQ(text(ask_json("GET", "/media/" + text(coming, "id")), "status"), "downloading");
    EXPECT_EQ(ids("downloading"), (Ids{text(coming, "id")}));
    EXPECT_EQ(ids("downloading,ready"), (Ids{text(coming, "id"), text(there, "id")}));
    EXPECT_EQ(ids("downloading,pending"), (Ids{text(coming, "id"), text(waiting, "id")}));
    EXPECT_EQ(ask_json("GET", "/media?status=downloading&search=a").at("items").as_array().size(),
              1U);
    EXPECT_EQ(ask("POST", "/api/v1/queue/resume").status, 200);
    ASSERT_TRUE(await(text(coming, "task_id"), domain::TaskState::failed));
    EXPECT_EQ(ids("downloading"), Ids{}) << "it comes no more";
}

TEST_F(HttpTest, WhatIsNotThereAndWhatIsWrong) {
    start();
    const std::string unknown = "0190c1d0-0000-7000-8000-000000000001";
    for (const std::string& target :
         {std::string{"/nothing"}, std::string{"/api"}, "/api/v1/media/" + unknown,
          "/api/v1/media/" + unknown + "/status", "/api/v1/media/" + unknown + "/segments",
          "/api/v1/media/" + unknown + "/source", "/api/v1/media/" + unknown + "/waveform",
          "/api/v1/media/" + unknown + "/reprocess", "/api/v1/media/" + unknown + "/transcript.srt",
          "/api/v1/tasks/" + unknown, std::string{"/api/v1/media/42"},
          std::string{"/api/v1/tasks/..%2f.."}}) {
        const Answer answer = ask("GET", target);
        EXPECT_EQ(answer.status, 404) << target;
        EXPECT_EQ(answer.field("content-type"), "application/problem+json");
    }
    for (const std::string& target :
         {"/api/v1/media/" + unknown + "/run_sync", "/api/v1/tasks/" + unknown + "/cancel",
          "/api/v1/tasks/" + unknown + "/retry"}) {
        EXPECT_EQ(ask("POST", target).status, 404) << target;
    }
    for (const std::string target :
         {"/api/v1/media?limit=0", "/api/v1/media?limit=x", "/api/v1/media?status=done",
          "/api/v1/media?limit=1&limit=2", "/api/v1/media?cursor=%00%01garbage",
          "/api/v1/tasks?active=maybe", "/api/v1/tasks?media_id=7"}) {
        const Answer answer = ask("GET", target);
        EXPECT_EQ(answer.status, 400) << target << " " << answer.body;
    }
    EXPECT_EQ(text(object(ask("GET", "/api/v1/media?cursor=x")), "code"), "bad_cursor");
    const Answer wrong = ask("DELETE", "/api/v1/media");
    EXPECT_EQ(wrong.status, 405);
    EXPECT_EQ(wrong.field("allow"), "POST, GET, HEAD, OPTIONS");
    EXPECT_EQ(ask("BREW", "/api/v1/media").status, 405);
    const Answer options = ask("OPTIONS", "/api/v1/media");
    EXPECT_EQ(options.status, 204);
    EXPECT_EQ(options.field("allow"), "POST, GET, HEAD, OPTIONS");
    EXPECT_EQ(ask("POST", "/api/v1/media", "Content-Type: application/json\r\n", "{}").status, 400);
    const Answer empty = ask("POST", "/api/v1/media");
    EXPECT_EQ(empty.status, 400);
    EXPECT_EQ(text(object(empty), "code"), "empty_file");
    EXPECT_EQ(ask("POST", "/api/v1/media", "Origin: https://evil.example\r\n", "x").status, 403);
    EXPECT_EQ(ask_json("GET", "/api/v1/media").at("items").as_array().size(), 0U);
}

TEST_F(HttpTest, HealthAndTheStartPage) {
    start();
    EXPECT_EQ(text(ask_json("GET", "/health/live"), "status"), "ok");
    const auto ready = ask_json("GET", "/health/ready");
    EXPECT_EQ(text(ready, "status"), "ready");
    EXPECT_EQ(text(ready, "version"), "1.2.3");
    EXPECT_EQ(text(ready, "sandbox"), "full");
    EXPECT_EQ(ready.at("store_ok"), true);
    EXPECT_GT(ready.at("disk_free_bytes").to_number<std::int64_t>(), 0);
    EXPECT_EQ(ready.at("workers").at("speech").at("slots"), engine_settings_.speech_slots);
    const Answer page = ask("GET", "/");
    EXPECT_EQ(page.status, 200);
    EXPECT_TRUE(page.body.contains("durascribe"));
}

TEST_F(HttpTest, AnAddressInUseIsAnErrorThatNamesIt) {
    start();
    ServerSettings same = settings_;
    same.port = server_->port();
    Server second{*engine_, *store_, *blobs_, {}, same};
    const auto started = second.start();
    ASSERT_FALSE(started);
    EXPECT_EQ(started.error().code, "address_in_use");
    EXPECT_TRUE(started.error().message.contains(std::to_string(same.port)));
    same.host = "not an address";
    EXPECT_EQ((Server{*engine_, *store_, *blobs_, {}, same}.start().error().code), "bad_address");
}

}  // namespace
}  // namespace durascribe::api
