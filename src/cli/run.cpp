// Reads the command line and runs a command.
#include <cstdio>
#include <exception>
#include <filesystem>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "durascribe/cli/commands.h"
#include "durascribe/cli/terminal_text.h"

namespace durascribe::cli {
namespace {

constexpr const char* kExitCodes =
    "Exit codes: 0 all done, 1 something failed, 2 wrong usage, 3 done but with gaps, 130 "
    "interrupted.";

std::string settings_help() {
    std::string out =
        "Settings, by flag, over environment, over durascribe.toml in the data directory (or "
        "--config):\n";
    for (const SettingName& name : setting_names()) {
        out += fmt::format("  {:30} {:30} {}\n", name.toml, name.environment, name.expected);
    }
    return out + "\n" + kExitCodes;
}

// What was given on the command line, in one place for every command.
struct Arguments {
    FlagValues flags;
    std::string config_file;

    void add(CLI::App& app, const std::string& flag, const std::string& key,
             const std::string& about) {
        app.add_option_function<std::string>(
               flag, [this, key](const std::string& value) { flags.emplace_back(key, value); },
               about)
            ->type_name("")
            ->allow_extra_args(false);
    }

    void add_common(CLI::App& app) {
        add(app, "--data", "data",
            "DIR where everything is kept (default: ~/.local/share/durascribe)");
        add(app, "--database", "database",
            "the database; only the SQLite one in the data directory for now");
        add(app, "--log-level", "log_level", "debug, info, warning, error or off");
        app.add_option("--config", config_file,
                       "FILE instead of durascribe.toml in the data directory")
            ->type_name("");
    }

    Result<Settings> settings() const {
        return load_settings(
            flags, process_environment(),
            config_file.empty() ? std::nullopt : std::optional<std::filesystem::path>(config_file));
    }
};

// Names of formats, separated by commas or given again.
Result<std::vector<domain::DocumentFormat>> formats_from(const std::vector<std::string>& names) {
    std::vector<domain::DocumentFormat> out;
    for (const std::string& name : names) {
        const auto format = domain::document_format_from(name);
        if (!format) {
            return fail(
                ErrorClass::request, "bad_format",
                fmt::format(
                    "--format is \"{}\"; expected srt, vtt, txt or json, separated by commas.",
                    name));
        }
        if (std::ranges::find(out, *format) == out.end()) {
            out.push_back(*format);
        }
    }
    return out;
}

int usage_error(const Error& error) {
    report(error);
    return kUsage;
}

class Program {
  public:
    explicit Program(const Composition& composition) : composition_(composition) {
        app_.description(
            "durascribe turns audio and video into transcripts and subtitles; interrupted, it goes "
            "on where "
            "it was.");
        app_.footer(kExitCodes);
        app_.set_version_flag("--version", composition.version);
        app_.require_subcommand(1);
        add_serve();
        add_transcribe();
        add_task_commands();
        add_token_commands();
        add_machine_commands();
    }

    int run(int argc, char** argv) {
        try {
            app_.parse(argc, argv);
        } catch (const CLI::RequiredError& e) {
            if (!app_.get_subcommands().empty()) {
                app_.exit(e);
            } else {
                usage_error(no_command(argc > 1 ? argv[1] : std::string()));
            }
            return kUsage;
        } catch (const CLI::ParseError& e) {
            const bool asked = e.get_exit_code() == static_cast<int>(CLI::ExitCodes::Success);
            app_.exit(e);  // prints help, version or the error
            return asked ? kOk : kUsage;
        }
        return command_();
    }

  private:
    // CLI11 only says that a subcommand is required, also where a wrong one was given.
    Error no_command(const std::string& given) const {
        std::string all;
        for (const CLI::App* command : app_.get_subcommands([](const CLI::App*) { return true; })) {
            all += (all.empty() ? "" : ", ") + command->get_name();
        }
        std::string message;
        std::error_code ignored;
        if (given.empty() || given.starts_with('-')) {
            message = "Name a command";
        } else if (std::filesystem::exists(given, ignored)) {
            message = fmt::format("To transcribe {0}: durascribe transcribe {0}. The commands are",
                                  printable(given));
        } else {
            message = fmt::format("There is no command \"{}\". There are", printable(given));
        }
        return {ErrorClass::request,
                "no_command",
                fmt::format("{}: {}. durascribe --help says more.", message, all),
                {}};
    }

    // Loads the settings, then runs `body` with them.
    template <typename Body>
    void on(CLI::App* app, log::Level level, Body body) {
        app->callback([this, level, body] {
            command_ = [this, level, body] {
                const auto settings = arguments_.settings();
                if (!settings) {
                    return usage_error(settings.error());
                }
                log::set_up(settings->log_level.value_or(level));
                log::set_format(settings->log_format);
                return body(*settings);
            };
        });
    }

    void add_serve() {
        CLI::App* app = app_.add_subcommand("serve", "Run the server");
        arguments_.add(*app, "--listen", "listen",
                       "HOST:PORT (default: 127.0.0.1:8000; port 0: any free one)");
        arguments_.add(*app, "--upload-limit", "upload_limit", "largest upload (default: 10GB)");
        app->add_flag_callback(
            "--no-auth", [this] { arguments_.flags.emplace_back("no_auth", "true"); },
            "let anyone who can connect do everything, without tokens");
        arguments_.add_common(*app);
        app->footer(settings_help());
        on(app, log::Level::info,
           [this](const Settings& settings) { return serve(settings, composition_); });
    }

    void add_transcribe() {
        CLI::App* app = app_.add_subcommand(
            "transcribe", "Transcribe files: NAME.srt beside each, the text on standard output");
        app->add_option("FILE", files_, "audio or video files")->required()->type_name("");
        app->add_option("--format", formats_,
                        "srt, vtt, txt, json: files to write, several with commas")
            ->delimiter(',')
            ->allow_extra_args(false)
            ->type_name("");
        app->add_option("--output", transcribe_.output, "DIR for the files; - for standard output")
            ->type_name("");
        app->add_option("--engine", engine_, "which recogniser (see: durascribe models)")
            ->type_name("");
        app->add_option("--model", model_, "which of its models")->type_name("");
        app->add_option("--language", language_, "language spoken, such as en")->type_name("");
        app->add_option("--audio-track", audio_track_, "which audio track, from 0")
            ->check(CLI::Range(0, 1000))
            ->type_name("");
        app->add_flag("--overwrite", transcribe_.overwrite,
                      "replace transcripts that are there and differ");
        app->add_flag("--force", transcribe_.force,
                      "transcribe again what was done before, and replace its files");
        app->add_flag("--resume", transcribe_.resume, "resume the queue first, where it is paused");
        app->add_flag("--quiet", transcribe_.quiet, "say nothing but errors");
        arguments_.add_common(*app);
        app->footer(
            "Interrupted with Ctrl-C or by a crash, the same command goes on where it was. A "
            "transcript that is "
            "there and differs is never replaced without --overwrite.\n\n" +
            std::string(kExitCodes));
        on(app, log::Level::error,
           [this](const Settings& settings) { return run_transcribe(settings); });
    }

    int run_transcribe(const Settings& settings) {
        auto formats = formats_from(formats_);
        if (!formats) {
            return usage_error(formats.error());
        }
        transcribe_.formats = std::move(*formats);
        transcribe_.files.assign(files_.begin(), files_.end());
        transcribe_.task.engine = engine_.empty() ? settings.engine : engine_;
        transcribe_.task.model = model_.empty() ? settings.model : model_;
        transcribe_.task.language = language_.empty() ? settings.language : language_;
        if (audio_track_ >= 0) {
            transcribe_.task.audio_track = audio_track_;
        }
        return transcribe(settings, composition_, transcribe_);
    }

    void add_task_commands() {
        CLI::App* tasks = app_.add_subcommand("tasks", "List the tasks, newest first");
        tasks->add_flag("--json", json_, "as JSON");
        arguments_.add_common(*tasks);
        on(tasks, log::Level::error,
           [this](const Settings& settings) { return list_tasks(settings, composition_, json_); });

        CLI::App* cancel = app_.add_subcommand("cancel", "Cancel a task");
        cancel->add_option("ID", id_, "the task")->required()->type_name("");
        arguments_.add_common(*cancel);
        on(cancel, log::Level::error,
           [this](const Settings& settings) { return cancel_task(settings, composition_, id_); });

        CLI::App* retry =
            app_.add_subcommand("retry", "Do again what failed or was cancelled of a task");
        retry->add_option("ID", id_, "the task")->required()->type_name("");
        arguments_.add_common(*retry);
        on(retry, log::Level::error,
           [this](const Settings& settings) { return retry_task(settings, composition_, id_); });

        CLI::App* pause = app_.add_subcommand(
            "pause", "Start nothing new until resume; what runs goes on, also after a restart");
        CLI::App* resume = app_.add_subcommand("resume", "Start waiting tasks again");
        for (CLI::App* command : {pause, resume}) {
            arguments_.add_common(*command);
            on(command, log::Level::error, [this, paused = command == pause](const Settings& s) {
                return set_paused(s, composition_, paused);
            });
        }
    }

    void add_token_commands() {
        CLI::App* token = app_.add_subcommand(
            "token", "Make, list and revoke the tokens that let other machines in");
        token->require_subcommand(1);

        CLI::App* create = token->add_subcommand("create", "Make a token, and show it this once");
        create->add_option("NAME", id_, "what it is for")->required()->type_name("");
        create
            ->add_option("--scope", scopes_,
                         "read, write or admin; several with commas (default: read,write)")
            ->delimiter(',')
            ->allow_extra_args(false)
            ->type_name("");
        create->add_option("--expires", lifetime_, "after how long it ends, such as 90d or 12h")
            ->type_name("");
        create
            ->add_option_function<int>(
                "--requests-per-second", [this](int n) { token_.limits.requests_per_second = n; },
                "how often it may ask; 0: no limit (default: token_requests_per_second)")
            ->type_name("");
        create
            ->add_option_function<int>(
                "--max-jobs", [this](int n) { token_.limits.jobs = n; },
                "how many of its tasks may run and wait; 0: no limit (default: token_max_jobs)")
            ->type_name("");
        create
            ->add_option("--max-storage", storage_,
                         "how much its media may take, such as 10GB; 0: no limit (default: "
                         "token_max_storage)")
            ->type_name("");
        arguments_.add_common(*create);
        on(create, log::Level::error,
           [this](const Settings& settings) { return run_create_token(settings); });

        CLI::App* list = token->add_subcommand("list", "List the tokens, oldest first");
        list->add_flag("--json", json_, "as JSON");
        arguments_.add_common(*list);
        on(list, log::Level::error,
           [this](const Settings& settings) { return list_tokens(settings, composition_, json_); });

        CLI::App* revoke = token->add_subcommand("revoke", "End a token at once");
        revoke->add_option("ID", id_, "of the token (see: durascribe token list)")
            ->required()
            ->type_name("");
        arguments_.add_common(*revoke);
        on(revoke, log::Level::error,
           [this](const Settings& settings) { return revoke_token(settings, composition_, id_); });
    }

    int run_create_token(const Settings& settings) {
        token_.name = id_;
        if (!scopes_.empty()) {
            token_.scopes = {};
        }
        for (const std::string& name : scopes_) {
            const auto scope = domain::scope_from(name);
            if (!scope) {
                return usage_error({ErrorClass::request,
                                    "bad_value",
                                    fmt::format("--scope is \"{}\"; expected read, write or admin.",
                                                printable(name)),
                                    {}});
            }
            token_.scopes.add(*scope);
        }
        if (!lifetime_.empty()) {
            const auto lifetime = access::lifetime_from(lifetime_);
            if (!lifetime) {
                return usage_error(lifetime.error());
            }
            token_.lifetime = *lifetime;
        }
        if (!storage_.empty()) {
            token_.limits.storage_bytes = bytes_from(storage_);
            if (!token_.limits.storage_bytes) {
                return usage_error({ErrorClass::request,
                                    "bad_value",
                                    fmt::format("--max-storage is \"{}\"; expected a size, such "
                                                "as 10GB.",
                                                printable(storage_)),
                                    {}});
            }
        }
        return create_token(settings, composition_, token_);
    }

    void add_machine_commands() {
        CLI::App* models = app_.add_subcommand("models", "List recognisers and their models");
        on(models, log::Level::error,
           [this](const Settings&) { return list_models(composition_); });

        CLI::App* copy = app_.add_subcommand(
            "backup", "Copy everything to a new folder, also while a server works on it");
        copy->add_option("FOLDER", id_, "that is not there yet")->required()->type_name("");
        arguments_.add_common(*copy);
        on(copy, log::Level::error,
           [this](const Settings& settings) { return back_up(settings, composition_, id_); });

        CLI::App* back = app_.add_subcommand("restore", "Put a backup into an empty --data DIR");
        back->add_option("FOLDER", id_, "that durascribe backup made")->required()->type_name("");
        arguments_.add_common(*back);
        on(back, log::Level::error,
           [this](const Settings& settings) { return restore(settings, composition_, id_); });

        CLI::App* check = app_.add_subcommand(
            "doctor", "Check what this machine has, and say how to get what is missing");
        arguments_.add_common(*check);
        on(check, log::Level::error,
           [this](const Settings& settings) { return doctor(settings, composition_); });
    }

    const Composition& composition_;
    CLI::App app_{"", "durascribe"};
    std::function<int()> command_;
    Arguments arguments_;
    TranscribeOptions transcribe_;
    std::vector<std::string> files_;
    std::vector<std::string> formats_;
    std::string engine_;
    std::string model_;
    std::string language_;
    int audio_track_ = -1;
    std::string id_;
    access::TokenRequest token_;
    std::vector<std::string> scopes_;
    std::string lifetime_;
    std::string storage_;
    bool json_ = false;
};

}  // namespace

int run(int argc, char** argv, const Composition& composition) {
    try {
        return Program(composition).run(argc, argv);
    } catch (const std::exception& e) {
        // Nothing in durascribe throws on purpose: out of memory, or a defect.
        fmt::print(stderr,
                   "durascribe: unexpected failure: {}. Nothing finished is lost; run it again.\n",
                   e.what());
        return kFailed;
    }
}

}  // namespace durascribe::cli
