#include "durascribe/cli/local_client.h"

#include <chrono>

#include <fmt/format.h>

#include "durascribe/cli/source_file.h"
#include "durascribe/cli/terminal_text.h"

namespace durascribe::cli {
namespace {

using domain::TaskState;

constexpr int kPageMost = 200;

std::unexpected<Error> not_finished(const SubmitRequest& request) {
    return fail(ErrorClass::request, "not_finished",
                fmt::format("There is no finished transcript of {} yet.",
                            request.url.empty() ? printable(request.file.native()) : request.url));
}

// What decides the text; the rest (priority, where it came from) does not.
bool same_result(const domain::TaskOptions& a, const domain::TaskOptions& b) {
    return a.engine == b.engine && a.model == b.model && a.language == b.language &&
           a.audio_track == b.audio_track && a.diarize == b.diarize;
}

}  // namespace

LocalClient::LocalClient(std::unique_ptr<Node> node) : node_(std::move(node)) {}

Result<Submission> LocalClient::submit(const SubmitRequest& request) {
    auto submission = find_or_make(request);
    if (submission && submission->found == Found::started) {
        begun_.insert(submission->task_id);
    }
    return submission;
}

Result<Submission> LocalClient::find_or_make(const SubmitRequest& request) {
    if (!request.url.empty()) {
        return find_or_fetch(request);
    }
    auto file = SourceFile::open(request.file);
    if (!file) {
        return std::unexpected(file.error());
    }
    // The content says whether this file was here before, whatever it is called now.
    const auto sha256 = file->sha256(request.stop);
    if (!sha256) {
        return std::unexpected(sha256.error());
    }
    const auto media = node_->store().newest_media_of({*sha256, file->size_bytes()});
    if (!media) {
        return std::unexpected(media.error());
    }
    if (*media) {
        return take_up(**media, request);
    }
    if (request.finished_only) {
        return not_finished(request);
    }
    return upload(*file, request);
}

// An address stands for what was fetched from it last.
Result<Submission> LocalClient::find_or_fetch(const SubmitRequest& request) {
    const auto media = node_->store().newest_media_from(request.url);
    if (!media) {
        return std::unexpected(media.error());
    }
    if (*media && !request.force) {
        return take_up(**media, request);
    }
    if (request.finished_only) {
        return not_finished(request);
    }
    const auto made = node_->engine().import({.url = request.url,
                                              .filename = request.file.filename().string(),
                                              .title = {},
                                              .title_until_known = request.file.stem().string(),
                                              .options = request.options,
                                              .idempotency = {}});
    if (!made) {
        return std::unexpected(made.error());
    }
    return Submission{made->task.id.value, Found::started};
}

Result<Submission> LocalClient::take_up(const ports::MediaRow& media,
                                        const SubmitRequest& request) {
    const auto newest = node_->store().newest_task(media.id);
    if (!newest) {
        return std::unexpected(newest.error());
    }
    const bool usable = *newest && same_result((*newest)->options, request.options) &&
                        (!request.force || begun_.contains((*newest)->id.value));
    if (usable && (*newest)->state == TaskState::completed) {
        return Submission{(*newest)->id.value, Found::reused};
    }
    if (request.finished_only) {
        return not_finished(request);
    }
    if (!usable) {
        return begin_anew(media.id, request);
    }
    if (!domain::is_terminal((*newest)->state)) {
        return Submission{(*newest)->id.value, Found::followed};
    }
    const auto outcome = node_->engine().retry((*newest)->id);
    if (!outcome) {
        return std::unexpected(outcome.error());
    }
    return Submission{(*newest)->id.value, Found::retried};
}

Result<Submission> LocalClient::begin_anew(const MediaId& media, const SubmitRequest& request) {
    const auto made = node_->engine().submit_task(media, request.options, request.force);
    if (!made) {
        return std::unexpected(made.error());
    }
    return Submission{made->task.id.value, Found::started};
}

Result<Submission> LocalClient::upload(SourceFile& file, const SubmitRequest& request) {
    auto upload = node_->engine().begin_upload(file.size_bytes(), 0);
    if (!upload) {
        return std::unexpected(upload.error());
    }
    for (auto reader = file.reader(request.stop);;) {
        const auto piece = reader.next();
        if (!piece) {
            return std::unexpected(piece.error());
        }
        if (piece->empty()) {
            break;
        }
        if (auto written = (*upload)->write(*piece); !written) {
            return std::unexpected(written.error());
        }
        if (request.on_read) {
            request.on_read(100.0 * static_cast<double>((*upload)->size_bytes()) /
                            static_cast<double>(file.size_bytes()));
        }
    }
    auto submitted =
        (*upload)->finish(file.name(), printable(request.file.stem().native()), request.options);
    if (!submitted) {
        return std::unexpected(submitted.error());
    }
    return Submission{submitted->task.id.value, Found::started};
}

Result<TaskStatus> LocalClient::status(const std::string& task_id) {
    auto row = node_->store().task(TaskId{task_id});
    if (!row) {
        return std::unexpected(row.error());
    }
    return status_of(*row);
}

Result<TaskStatus> LocalClient::status_of(const ports::TaskRow& task) {
    auto view = node_->engine().view(task.id);
    if (!view) {
        return std::unexpected(view.error());
    }
    auto media = node_->store().media(task.media_id);
    if (!media) {
        return std::unexpected(media.error());
    }
    const ports::TaskRow& row = view->row;
    return TaskStatus{.id = row.id.value,
                      .media_id = row.media_id.value,
                      .title = media->title,
                      .state = row.state,
                      .step = row.current_step,
                      .stage = view->stage,
                      .percent = view->percent,
                      .eta_seconds = view->eta_seconds,
                      .chunks_total = view->chunks_total,
                      .chunks_failed = view->chunks_failed,
                      .created_at = row.created_at,
                      .error_code = row.error ? row.error->code : std::string(),
                      .error_message = row.error ? row.error->message : std::string()};
}

Result<std::string> LocalClient::transcript(const std::string& task_id,
                                            domain::DocumentFormat format) {
    return node_->engine().document(TaskId{task_id}, format);
}

Result<std::vector<std::string>> LocalClient::warnings(const std::string& media_id) {
    auto media = node_->store().media(MediaId{media_id});
    if (!media) {
        return std::unexpected(media.error());
    }
    return media->info ? std::move(media->info->warnings) : std::vector<std::string>();
}

Result<std::vector<TaskStatus>> LocalClient::list() {
    const auto page = node_->store().list_tasks({}, {.limit = kPageMost, .cursor = {}});
    if (!page) {
        return std::unexpected(page.error());
    }
    std::vector<TaskStatus> out;
    for (const ports::TaskRow& row : page->rows) {
        auto status = status_of(row);
        if (!status) {
            return std::unexpected(status.error());
        }
        out.push_back(std::move(*status));
    }
    return out;
}

Result<TaskStatus> LocalClient::cancel(const std::string& task_id) {
    auto row = node_->engine().cancel(TaskId{task_id});
    if (!row) {
        return std::unexpected(row.error());
    }
    return status_of(*row);
}

Result<TaskStatus> LocalClient::retry(const std::string& task_id) {
    auto outcome = node_->engine().retry(TaskId{task_id});
    if (!outcome) {
        return std::unexpected(outcome.error());
    }
    return status_of(outcome->task);
}

Result<void> LocalClient::set_paused(bool paused) {
    return node_->store().set_paused(paused);
}

void LocalClient::wait_for_change(Millis patience, std::stop_token stop) {
    seen_ = node_->engine().feed().wait_after(seen_, patience, stop);
}

void LocalClient::leave() {
    node_->engine().stop();
}

}  // namespace durascribe::cli
