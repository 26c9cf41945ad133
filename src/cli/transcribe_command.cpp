// durascribe transcribe: submits every file, follows them all, writes what comes of each.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "durascribe/cli/commands.h"
#include "durascribe/cli/output_files.h"
#include "durascribe/cli/progress_display.h"
#include "durascribe/cli/stop_signals.h"
#include "durascribe/cli/terminal_text.h"
#include "durascribe/net/web_address.h"

namespace durascribe::cli {
namespace {

using domain::DocumentFormat;
using domain::TaskState;
using SteadyTime = std::chrono::steady_clock::time_point;

constexpr Millis kRedraw{200};
constexpr std::string_view kSpace = " \t\r\n";
constexpr std::string_view kPausedStage =
    "Waiting: the queue is paused";  // as every client sees it

// One file on its way.
struct Job {
    std::filesystem::path file;  // of an address: as its transcripts are called
    std::string url;             // empty: the file
    std::string name;            // printable
    std::vector<OutputFile> outputs;
    std::string task_id;
    Found found = Found::started;
    SteadyTime begun_at;
    ProgressLine line;
    bool ended = false;
    bool failed = false;
    bool partial = false;
    std::string text;  // for standard output
};

class Transcription {
  public:
    Transcription(TaskClient& client, const TranscribeOptions& options, std::vector<Job> jobs,
                  StopSignals& signals)
        : client_(client),
          options_(options),
          jobs_(std::move(jobs)),
          signals_(signals),
          display_(make_progress_display(stderr, options.quiet)) {
        if (options_.output == "-") {
            stdout_formats_ =
                options_.formats.empty() ? std::vector{DocumentFormat::txt} : options_.formats;
        } else if (options_.formats.empty()) {
            stdout_formats_ = {DocumentFormat::txt};
        }
    }

    int run() {
        for (Job& job : jobs_) {
            if (signals_.received()) {
                break;
            }
            submit(job);
        }
        while (!signals_.received() && !std::ranges::all_of(jobs_, &Job::ended)) {
            for (Job& job : jobs_) {
                if (!job.ended) {
                    look_at(job);
                }
            }
            print_texts();
            draw();
            if (!std::ranges::all_of(jobs_, &Job::ended)) {
                client_.wait_for_change(kRedraw, signals_.token());
            }
        }
        print_texts();
        display_->clear();
        if (!std::ranges::all_of(jobs_, &Job::ended)) {
            return interrupted();
        }
        if (output_failed_ || std::ranges::any_of(jobs_, &Job::failed)) {
            return kFailed;
        }
        return std::ranges::any_of(jobs_, &Job::partial) ? kPartial : kOk;
    }

  private:
    void submit(Job& job) {
        job.begun_at = std::chrono::steady_clock::now();
        job.line = {.name = job.name,
                    .step = job.url.empty() ? "read" : "acquire",
                    .stage = job.url.empty() ? "Reading the file" : "Waiting to download"};
        // A file that is there would not be replaced: only a transcript that can be compared with
        // it is worth fetching.
        const bool blocked =
            !options_.overwrite && std::ranges::any_of(job.outputs, [](const OutputFile& output) {
                std::error_code ignored;
                return std::filesystem::exists(output.path, ignored);
            });
        const auto submission =
            client_.submit({.file = job.file,
                            .url = job.url,
                            .options = options_.task,
                            .force = options_.force,
                            .finished_only = blocked,
                            .on_read = [&](double percent) { draw_reading(job, percent); },
                            .stop = signals_.token()});
        if (submission) {
            job.task_id = submission->task_id;
            job.found = submission->found;
            if (job.found == Found::followed) {
                say(job, "going on where it was");
            } else if (job.found == Found::retried) {
                say(job, "failed or was cancelled before: trying that part again");
            }
        } else if (submission.error().code == "not_finished") {
            end_failed(
                job, fmt::format(
                         "{} is there already and would be replaced. Allow it with --overwrite, or "
                         "choose another folder with --output DIR.",
                         existing_output(job)));
        } else if (submission.error().code != "stopped") {
            end_failed(job, submission.error().message);
        }
    }

    static std::string existing_output(const Job& job) {
        for (const OutputFile& output : job.outputs) {
            std::error_code ignored;
            if (std::filesystem::exists(output.path, ignored)) {
                return printable(output.path.native());
            }
        }
        return "The transcript";
    }

    void look_at(Job& job) {
        const auto status = client_.status(job.task_id);
        if (!status) {
            end_failed(job, status.error().message);
            return;
        }
        if (status->stage == kPausedStage && !std::exchange(told_of_pause_, true)) {
            say(job, client_.goes_on_without_us()
                         ? "The queue is paused. Resume with: durascribe resume"
                         : "The queue is paused. Stop this (Ctrl-C), and run it again with "
                           "--resume: it goes on where it was");
        }
        job.line = {.name = job.name,
                    .step = status->step,
                    .stage = status->stage,
                    .percent = status->percent,
                    .eta_seconds = status->eta_seconds};
        switch (status->state) {
            case TaskState::pending:
            case TaskState::processing:
                return;
            case TaskState::retrying:
                job.line.step = "retrying";
                job.line.stage = "Waiting to try again: " + status->error_message;
                return;
            case TaskState::completed:
            case TaskState::partial_failure:
                deliver(job, *status);
                return;
            case TaskState::failed:
                end_failed(job, status->error_message);
                return;
            case TaskState::cancelled:
                end_failed(job, "it was cancelled. Run the command again to go on.");
                return;
        }
    }

    void deliver(Job& job, const TaskStatus& status) {
        const auto text = client_.transcript(job.task_id, DocumentFormat::txt);
        if (!text) {
            end_failed(job, text.error().message);
            return;
        }
        job.ended = job.line.ended = true;
        const bool speech = text->find_first_not_of(kSpace) != std::string::npos;
        if (!speech && status.state == TaskState::completed) {
            display_->say(fmt::format("No speech was found in {}.", job.name));
        }
        // Nothing to show needs no file, unless one was asked for by its format.
        if (speech || !options_.formats.empty()) {
            for (const OutputFile& output : job.outputs) {
                write(job, output);
            }
            for (const DocumentFormat format : stdout_formats_) {
                auto document = client_.transcript(job.task_id, format);
                if (!document) {
                    end_failed(job, document.error().message);
                    return;
                }
                job.text += *document;
            }
        }
        if (job.failed) {
            return;
        }
        if (status.state == TaskState::partial_failure) {
            job.partial = true;
            say(job, fmt::format("{} of {} parts could not be transcribed ({}). The rest is there; "
                                 "run the command "
                                 "again to try those parts once more.",
                                 status.chunks_failed, status.chunks_total, status.error_message));
        } else if (speech) {
            say(job, done_text(job));
        }
        if (const auto warnings = client_.warnings(status.media_id)) {
            for (const std::string& warning : *warnings) {
                say(job, printable(warning));
            }
        } else {
            say(job, warnings.error().message);
        }
    }

    void write(Job& job, const OutputFile& output) {
        const auto document = client_.transcript(job.task_id, output.format);
        if (!document) {
            end_failed(job, document.error().message);
            return;
        }
        if (auto written = write_output(output.path, *document, options_.overwrite); !written) {
            end_failed(job, written.error().message);
        }
    }

    std::string done_text(const Job& job) const {
        std::string text =
            job.found == Found::reused
                ? "transcribed before (--force does it again)"
                : fmt::format("done in {}",
                              duration_text(std::chrono::duration<double>(
                                                std::chrono::steady_clock::now() - job.begun_at)
                                                .count()));
        for (const OutputFile& output : job.outputs) {
            text += fmt::format("{} {}", &output == job.outputs.data() ? ", written to" : ",",
                                printable(output.path.native()));
        }
        return text;
    }

    void say(const Job& job, const std::string& text) {
        if (!options_.quiet) {
            display_->say(fmt::format("{}: {}", job.name, text));
        }
    }

    void end_failed(Job& job, const std::string& message) {
        job.ended = job.line.ended = job.failed = true;
        // Many messages begin with the file's name; it is not said twice.
        display_->say(message.find(job.name) == std::string::npos
                          ? fmt::format("{}: {}", job.name, message)
                          : message);
    }

    // In the order of the command line, each as soon as those before it have ended.
    void print_texts() {
        for (; printed_ < jobs_.size() && jobs_[printed_].ended; ++printed_) {
            const Job& job = jobs_[printed_];
            if (job.text.empty()) {
                continue;
            }
            display_->clear();
            const std::string heading =
                jobs_.size() > 1 && options_.output != "-" ? job.name + "\n" : std::string();
            const std::string out = heading + job.text + (job.text.ends_with('\n') ? "" : "\n");
            if (std::fwrite(out.data(), 1, out.size(), stdout) != out.size() ||
                std::fflush(stdout) != 0) {
                if (!output_failed_) {
                    display_->say(
                        "durascribe: standard output can't be written to. Use --output DIR.");
                }
                output_failed_ = true;
            }
        }
    }

    void draw_reading(Job& job, double percent) {
        job.line.stage = fmt::format("Reading the file, {} %", static_cast<int>(percent));
        draw();
    }

    void draw() {
        lines_.clear();
        for (const Job& job : jobs_) {
            lines_.push_back(job.line);
        }
        display_->update(lines_);
    }

    int interrupted() {
        client_.leave();
        display_->say(client_.goes_on_without_us()
                          ? "Stopped watching: the server goes on. Run the same command again for "
                            "the transcript."
                          : "Stopped. Run the same command again to go on.");
        return kInterrupted;
    }

    TaskClient& client_;
    const TranscribeOptions& options_;
    std::vector<Job> jobs_;
    StopSignals& signals_;
    std::unique_ptr<ProgressDisplay> display_;
    std::vector<DocumentFormat> stdout_formats_;
    std::vector<ProgressLine> lines_;
    std::size_t printed_ = 0;
    bool output_failed_ = false;
    bool told_of_pause_ = false;
};

bool is_address(const std::filesystem::path& file) {
    return file.native().starts_with("http://") || file.native().starts_with("https://");
}

// What a transcript of it is named after, in the present folder.
std::filesystem::path file_of(const net::WebAddress& address) {
    std::string name = std::filesystem::path(address.file_name()).filename().string();
    std::erase_if(name, [](unsigned char c) { return c < 0x20 || c == 0x7f; });
    return name.empty() || name.starts_with('.') ? std::filesystem::path(address.host)
                                                 : std::filesystem::path(name);
}

// The same file named twice is transcribed once.
std::vector<std::filesystem::path> without_repeats(
    const std::vector<std::filesystem::path>& files) {
    std::vector<std::filesystem::path> out;
    for (const auto& file : files) {
        const auto same = [&](const std::filesystem::path& other) {
            std::error_code ignored;
            return other == file || std::filesystem::equivalent(other, file, ignored);
        };
        if (std::ranges::none_of(out, same)) {
            out.push_back(file);
        }
    }
    return out;
}

Result<std::vector<Job>> plan_jobs(const TranscribeOptions& options) {
    const auto files = without_repeats(options.files);
    std::vector<Job> jobs;
    for (const auto& file : files) {
        Job job{.file = file, .name = printable(file.filename().native())};
        if (is_address(file)) {
            const auto address = net::WebAddress::parse(file.native());
            if (!address) {
                return std::unexpected(address.error());
            }
            job.url = address->text;
            job.file = file_of(*address);
            job.name = printable(job.url);
        }
        jobs.push_back(std::move(job));
    }
    std::vector<DocumentFormat> formats;
    std::optional<std::filesystem::path> directory;
    if (options.output != "-") {
        formats = options.formats.empty() ? std::vector{DocumentFormat::srt} : options.formats;
        if (!options.output.empty()) {
            directory = options.output;
        }
    }
    // A file that is missing is the one error to report of it; its folder may be missing too.
    std::vector<std::filesystem::path> there;
    const auto has_output = [](const Job& job) {
        std::error_code ignored;
        return !job.url.empty() || std::filesystem::exists(job.file, ignored);
    };
    for (const Job& job : jobs) {
        if (has_output(job)) {
            there.push_back(job.file);
        }
    }
    auto outputs = plan_outputs(there, formats, directory);
    if (!outputs) {
        return std::unexpected(outputs.error());
    }
    std::size_t planned = 0;
    for (Job& job : jobs) {
        if (has_output(job)) {
            job.outputs = std::move((*outputs)[planned++]);
        }
    }
    return jobs;
}

}  // namespace

int transcribe(const Settings& settings, const Composition& composition,
               TranscribeOptions options) {
    options.overwrite = options.overwrite || options.force;
    auto jobs = plan_jobs(options);
    if (!jobs) {
        return report(jobs.error());
    }
    StopSignals signals;
    auto client = connect(settings, composition, true);
    if (!client) {
        return report(client.error());
    }
    if (options.resume) {
        if (auto resumed = (*client)->set_paused(false); !resumed) {
            return report(resumed.error());
        }
    }
    return Transcription(**client, options, std::move(*jobs), signals).run();
}

}  // namespace durascribe::cli
