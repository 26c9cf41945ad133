#include "durascribe/cli/http_client.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>

#include <fmt/format.h>
#include <boost/json.hpp>

#include "durascribe/cli/source_file.h"
#include "durascribe/cli/terminal_text.h"

namespace durascribe::cli {
namespace {

namespace json = boost::json;

constexpr Millis kQuickAnswer{1'000};
constexpr Millis kPoll{300};  // where nothing pushes events
constexpr unsigned kFirstError = 300;

std::string text_in(const json::object& object, std::string_view key) {
    const json::value* value = object.if_contains(json::string_view(key.data(), key.size()));
    return value != nullptr && value->is_string() ? std::string(value->get_string())
                                                  : std::string();
}

std::optional<double> number_in(const json::object& object, std::string_view key) {
    const json::value* value = object.if_contains(json::string_view(key.data(), key.size()));
    return value != nullptr && value->is_number() ? std::optional(value->to_number<double>())
                                                  : std::nullopt;
}

const json::object* object_in(const json::object& object, std::string_view key) {
    const json::value* value = object.if_contains(json::string_view(key.data(), key.size()));
    return value != nullptr && value->is_object() ? &value->get_object() : nullptr;
}

std::unexpected<Error> strange_answer(std::string_view what) {
    return fail(ErrorClass::internal, "strange_answer",
                fmt::format("The server's answer is not understood ({}). Its version may differ "
                            "from this program's: "
                            "restart it with this version.",
                            what));
}

// The answer's JSON object, or the error that it tells of (RFC 9457).
Result<json::object> object_of(const Result<HttpReply>& reply) {
    if (!reply) {
        return std::unexpected(reply.error());
    }
    boost::system::error_code problem;
    json::value content = json::parse(reply->body, problem);
    if (problem || !content.is_object()) {
        return strange_answer(fmt::format("status {}, no JSON object", reply->status));
    }
    const json::object& object = content.get_object();
    if (reply->status >= kFirstError) {
        return fail(ErrorClass::request, text_in(object, "code"), text_in(object, "detail"));
    }
    return object;
}

Result<TaskStatus> status_from(const json::object& task) {
    const auto state = domain::task_state_from(text_in(task, "status"));
    if (!state) {
        return strange_answer("task status");
    }
    TaskStatus out{
        .id = text_in(task, "task_id"),
        .media_id = text_in(task, "media_id"),
        .state = *state,
        .step = text_in(task, "current_step"),
        .stage = text_in(task, "stage"),
        .percent = number_in(task, "progress").value_or(0),
        .eta_seconds = number_in(task, "eta_seconds"),
        .created_at = wall_time_from_rfc3339(text_in(task, "created_at")).value_or(WallTime{})};
    if (const json::object* items = object_in(task, "items")) {
        out.chunks_total = static_cast<int>(number_in(*items, "total").value_or(0));
        out.chunks_failed = static_cast<int>(number_in(*items, "failed").value_or(0));
    }
    if (const json::object* error = object_in(task, "error")) {
        out.error_code = text_in(*error, "code");
        out.error_message = text_in(*error, "message");
    }
    return out;
}

std::string query_of(const domain::TaskOptions& options) {
    std::string query = fmt::format("engine={}&model={}&language={}", url_encoded(options.engine),
                                    url_encoded(options.model), url_encoded(options.language));
    if (options.audio_track) {
        query += fmt::format("&audio_track={}", *options.audio_track);
    }
    return query;
}

bool same_result(const json::object& used, const domain::TaskOptions& wanted) {
    const auto track = number_in(used, "audio_track");
    return text_in(used, "engine") == wanted.engine && text_in(used, "model") == wanted.model &&
           text_in(used, "language") == wanted.language &&
           track.has_value() == wanted.audio_track.has_value() &&
           (!track || static_cast<int>(*track) == *wanted.audio_track);
}

// What the server has of a file: its media, and the newest task on it.
struct Known {
    std::string media_id;
    std::optional<TaskStatus> task;
    bool usable = false;  // made with the same options
    bool has_track = false;
};

std::unexpected<Error> not_finished(const SubmitRequest& request) {
    return fail(ErrorClass::request, "not_finished",
                fmt::format("There is no finished transcript of {} yet.",
                            request.url.empty() ? printable(request.file.native()) : request.url));
}

// The newest of which `field` is `value`.
Result<std::optional<Known>> find_by(std::string_view field, const std::string& value,
                                     HttpConnection& server, const std::string& title,
                                     const domain::TaskOptions& options) {
    const auto page = object_of(server.get("/api/v1/media?limit=200&search=" + url_encoded(title)));
    if (!page) {
        return std::unexpected(page.error());
    }
    const json::value* items = page->if_contains("items");
    if (items == nullptr || !items->is_array()) {
        return strange_answer("list of media");
    }
    for (const json::value& item : items->get_array()) {  // newest first
        if (!item.is_object() || text_in(item.get_object(), field) != value) {
            continue;
        }
        Known known{.media_id = text_in(item.get_object(), "id")};
        const auto media = object_of(server.get("/api/v1/media/" + known.media_id));
        if (!media) {
            return std::unexpected(media.error());
        }
        if (const json::object* task = object_in(*media, "task")) {
            auto status = status_from(*task);
            if (!status) {
                return std::unexpected(status.error());
            }
            known.task = std::move(*status);
            if (const json::object* used = object_in(*task, "options")) {
                known.usable = same_result(*used, options);
                known.has_track = number_in(*used, "audio_track").has_value();
            }
        }
        return known;
    }
    return std::nullopt;
}

Result<Submission> upload(HttpConnection& server, SourceFile& file, const std::string& title,
                          const SubmitRequest& request) {
    // The connection asks for pieces; the file is read on its own terms, by one reader that fills
    // the next piece.
    std::optional<Error> failed;
    std::int64_t sent = 0;
    auto reader = file.reader(request.stop);
    const auto target =
        fmt::format("/api/v1/media?filename={}&title={}&{}", url_encoded(file.name()),
                    url_encoded(title), query_of(request.options));
    const auto created =
        object_of(server.post_bytes(target, file.size_bytes(), [&]() -> std::span<const std::byte> {
            auto piece = reader.next();
            if (!piece) {
                failed = piece.error();
                return {};
            }
            sent += static_cast<std::int64_t>(piece->size());
            if (request.on_read) {
                request.on_read(100.0 * static_cast<double>(sent) /
                                static_cast<double>(file.size_bytes()));
            }
            return *piece;
        }));
    if (failed) {
        return std::unexpected(*failed);
    }
    if (!created) {
        return std::unexpected(created.error());
    }
    return Submission{text_in(*created, "task_id"), Found::started};
}

}  // namespace

HttpClient::HttpClient(ServerAddress server) : server_(std::move(server.host), server.port) {}

bool HttpClient::answers(const ServerAddress& server) {
    const auto reply = HttpConnection(server.host, server.port, kQuickAnswer).get("/health/live");
    return reply && reply->status == 200;
}

Result<Submission> HttpClient::submit(const SubmitRequest& request) {
    auto submission = find_or_make(request);
    if (submission && submission->found == Found::started) {
        begun_.insert(submission->task_id);
    }
    return submission;
}

// A task that was made with the same options; nullopt: only a finished one would do.
std::optional<Result<Submission>> HttpClient::take_up(const TaskStatus& task,
                                                      const SubmitRequest& request) {
    if (task.state == domain::TaskState::completed) {
        return Submission{task.id, Found::reused};
    }
    if (request.finished_only) {
        return std::nullopt;
    }
    if (!domain::is_terminal(task.state)) {
        return Submission{task.id, Found::followed};
    }
    const auto again = object_of(server_.post("/api/v1/tasks/" + task.id + "/retry"));
    return again ? Result<Submission>(Submission{task.id, Found::retried})
                 : std::unexpected(again.error());
}

Result<Submission> HttpClient::find_or_fetch(const SubmitRequest& request) {
    const auto known = find_by("source_url", request.url, server_, "", request.options);
    if (!known) {
        return std::unexpected(known.error());
    }
    if (*known && (*known)->usable && !request.force) {
        if (auto taken_up = take_up(*(*known)->task, request)) {
            return std::move(*taken_up);
        }
    }
    if (request.finished_only) {
        return not_finished(request);
    }
    json::object body{{"url", request.url},
                      {"engine", request.options.engine},
                      {"model", request.options.model},
                      {"language", request.options.language}};
    if (request.options.audio_track) {
        body["audio_track"] = *request.options.audio_track;
    }
    const auto created = object_of(server_.post_json("/api/v1/media", json::serialize(body)));
    if (!created) {
        return std::unexpected(created.error());
    }
    return Submission{text_in(*created, "task_id"), Found::started};
}

Result<Submission> HttpClient::find_or_make(const SubmitRequest& request) {
    if (!request.url.empty()) {
        return find_or_fetch(request);
    }
    auto file = SourceFile::open(request.file);
    if (!file) {
        return std::unexpected(file.error());
    }
    const auto sha256 = file->sha256(request.stop);
    if (!sha256) {
        return std::unexpected(sha256.error());
    }
    const std::string title = printable(request.file.stem().native());
    const auto known = find_by("sha256", *sha256, server_, title, request.options);
    if (!known) {
        return std::unexpected(known.error());
    }
    const std::optional<Known>& media = *known;
    const bool usable = media && media->usable &&
                        (!request.force || (media->task && begun_.contains(media->task->id)));
    if (usable) {
        if (auto taken_up = take_up(*media->task, request)) {
            return std::move(*taken_up);
        }
    }
    if (request.finished_only) {
        return not_finished(request);
    }
    // A new task takes over what was chosen for the last one: a track that was chosen then can't be
    // unchosen, only a new upload starts without it.
    if (media && (request.options.audio_track || !media->has_track)) {
        const auto task = object_of(
            server_.post(fmt::format("/api/v1/media/{}/reprocess?force={}&{}", media->media_id,
                                     request.force, query_of(request.options))));
        if (!task) {
            return std::unexpected(task.error());
        }
        return Submission{text_in(*task, "task_id"), Found::started};
    }
    return upload(server_, *file, title, request);
}

Result<TaskStatus> HttpClient::status(const std::string& task_id) {
    const auto task = object_of(server_.get("/api/v1/tasks/" + url_encoded(task_id)));
    if (!task) {
        return std::unexpected(task.error());
    }
    return status_from(*task);
}

Result<std::string> HttpClient::transcript(const std::string& task_id,
                                           domain::DocumentFormat format) {
    const auto task = status(task_id);
    if (!task) {
        return std::unexpected(task.error());
    }
    auto reply = server_.get(
        fmt::format("/api/v1/media/{}/transcript.{}", task->media_id, domain::to_string(format)));
    if (reply && reply->status >= kFirstError) {
        return std::unexpected(object_of(reply).error());
    }
    if (!reply) {
        return std::unexpected(reply.error());
    }
    return std::move(reply->body);
}

Result<std::vector<std::string>> HttpClient::warnings(const std::string& media_id) {
    const auto media = object_of(server_.get("/api/v1/media/" + url_encoded(media_id)));
    if (!media) {
        return std::unexpected(media.error());
    }
    std::vector<std::string> out;
    const json::object* info = object_in(*media, "media_info");
    const json::value* list = info == nullptr ? nullptr : info->if_contains("warnings");
    if (list != nullptr && list->is_array()) {
        for (const json::value& warning : list->get_array()) {
            if (warning.is_string()) {
                out.emplace_back(warning.get_string());
            }
        }
    }
    return out;
}

Result<std::vector<TaskStatus>> HttpClient::list() {
    const auto page = object_of(server_.get("/api/v1/tasks?limit=200"));
    if (!page) {
        return std::unexpected(page.error());
    }
    const json::value* items = page->if_contains("items");
    if (items == nullptr || !items->is_array()) {
        return strange_answer("list of tasks");
    }
    std::vector<TaskStatus> out;
    for (const json::value& item : items->get_array()) {
        if (!item.is_object()) {
            return strange_answer("list of tasks");
        }
        auto task = status_from(item.get_object());
        if (!task) {
            return std::unexpected(task.error());
        }
        if (const auto media = object_of(server_.get("/api/v1/media/" + task->media_id))) {
            task->title = text_in(*media, "title");
        } else if (media.error().code != "not_found") {  // deleted since the list was made
            return std::unexpected(media.error());
        }
        out.push_back(std::move(*task));
    }
    return out;
}

Result<TaskStatus> HttpClient::cancel(const std::string& task_id) {
    const auto done =
        object_of(server_.post(fmt::format("/api/v1/tasks/{}/cancel", url_encoded(task_id))));
    if (!done) {
        return std::unexpected(done.error());
    }
    return status(task_id);
}

Result<TaskStatus> HttpClient::retry(const std::string& task_id) {
    const auto done =
        object_of(server_.post(fmt::format("/api/v1/tasks/{}/retry", url_encoded(task_id))));
    if (!done) {
        return std::unexpected(done.error());
    }
    return status(task_id);
}

Result<void> HttpClient::set_paused(bool paused) {
    const auto done =
        object_of(server_.post(paused ? "/api/v1/queue/pause" : "/api/v1/queue/resume"));
    return done ? Result<void>{} : std::unexpected(done.error());
}

void HttpClient::wait_for_change(Millis patience, std::stop_token stop) {
    std::mutex mutex;
    std::condition_variable_any never;
    std::unique_lock lock(mutex);
    never.wait_for(lock, stop, std::max(patience, kPoll), [] { return false; });
}

}  // namespace durascribe::cli
