// The commands, each with its exit code.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "durascribe/cli/node.h"
#include "durascribe/cli/settings.h"
#include "durascribe/cli/task_client.h"

namespace durascribe::cli {

// What a command ends with. Several files: partial where no file failed, failed where one did.
enum ExitCode {
    kOk = 0,
    kFailed = 1,
    kUsage = 2,
    kPartial = 3,       // a transcript was written, with gaps
    kInterrupted = 130  // as shells say it of SIGINT
};

struct TranscribeOptions {
    std::vector<std::filesystem::path> files;
    std::vector<domain::DocumentFormat>
        formats;         // empty: SRT beside the file, text on standard output
    std::string output;  // empty: beside the file; "-": standard output
    domain::TaskOptions task;
    bool force = false;
    bool overwrite = false;
    bool quiet = false;
    bool resume = false;  // a queue that is paused
};

int serve(const Settings& settings, const Composition& composition);
int transcribe(const Settings& settings, const Composition& composition, TranscribeOptions options);
int list_tasks(const Settings& settings, const Composition& composition, bool json);
int cancel_task(const Settings& settings, const Composition& composition, const std::string& id);
int retry_task(const Settings& settings, const Composition& composition, const std::string& id);
int set_paused(const Settings& settings, const Composition& composition, bool paused);
// The token alone on standard output.
int create_token(const Settings& settings, const Composition& composition,
                 const access::TokenRequest& request);
int list_tokens(const Settings& settings, const Composition& composition, bool json);
int revoke_token(const Settings& settings, const Composition& composition, const std::string& id);
int list_models(const Composition& composition);
int back_up(const Settings& settings, const Composition& composition,
            const std::filesystem::path& destination);
int restore(const Settings& settings, const Composition& composition,
            const std::filesystem::path& source);
int doctor(const Settings& settings, const Composition& composition);

// The server's HTTP interface where one runs on the data directory; otherwise the directory itself,
// opened in this process, with its engine running where `with_engine`.
Result<std::unique_ptr<TaskClient>> connect(const Settings& settings,
                                            const Composition& composition, bool with_engine);

// "durascribe: <message>" on standard error (the detail follows at log level debug); returns
// kFailed.
int report(const Error& error);

}  // namespace durascribe::cli
