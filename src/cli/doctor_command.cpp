// durascribe doctor and durascribe models: what this machine has, and how to get what is missing.
// What the worker links (FFmpeg, the recognisers) only the worker knows: it is asked.
#include <cstdio>

#include <fmt/format.h>
#include <sys/statvfs.h>
#include <boost/json.hpp>

#include "durascribe/cli/commands.h"
#include "durascribe/cli/http_client.h"
#include "durascribe/cli/terminal_text.h"
#include "durascribe/cli/worker_description.h"

namespace durascribe::cli {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;

constexpr std::int64_t kLittleSpace = 1LL << 30;

std::string text_in(const json::object& object, std::string_view key) {
    const json::value* value = object.if_contains(json::string_view(key.data(), key.size()));
    return value != nullptr && value->is_string() ? printable(std::string_view(value->get_string()))
                                                  : std::string();
}

std::string gigabytes(std::int64_t bytes) {
    return fmt::format("{:.1f} GB", static_cast<double>(bytes) / (1LL << 30));
}

const json::array& list_in(const json::object& object, std::string_view key) {
    static const json::array kNone;
    const json::value* value = object.if_contains(json::string_view(key.data(), key.size()));
    return value != nullptr && value->is_array() ? value->get_array() : kNone;
}

bool present(const json::object& model) {
    const json::value* value = model.if_contains("present");
    return value != nullptr && value->is_bool() && value->get_bool();
}

// Lines of findings; counts what stands in the way of transcribing.
class Findings {
  public:
    void good(std::string_view what, const std::string& how) {
        fmt::print("ok       {:16} {}\n", what, how);
    }
    void note(std::string_view what, const std::string& how) {
        fmt::print("note     {:16} {}\n", what, how);
    }
    void bad(std::string_view what, const std::string& how) {
        fmt::print("MISSING  {:16} {}\n", what, how);
        ++bad_;
    }
    int bad() const { return bad_; }

  private:
    int bad_ = 0;
};

void look_at_worker(Findings& findings, const Composition& composition) {
    const auto description = describe_worker(composition.worker_program);
    if (!description) {
        findings.bad("worker", description.error().message);
        return;
    }
    findings.good("worker", composition.worker_program.string());
    for (const json::value& library : list_in(*description, "media")) {
        if (library.is_object()) {
            findings.good(text_in(library.get_object(), "name"),
                          text_in(library.get_object(), "version"));
        }
    }
    int usable = 0;
    for (const json::value& engine : list_in(*description, "engines")) {
        if (!engine.is_object()) {
            continue;
        }
        const std::string name = text_in(engine.get_object(), "name");
        for (const json::value& model : list_in(engine.get_object(), "models")) {
            if (!model.is_object()) {
                continue;
            }
            const std::string model_name = text_in(model.get_object(), "name");
            if (present(model.get_object())) {
                ++usable;
                findings.good(name, fmt::format("model {}", model_name));
            } else {
                findings.note(name, fmt::format("not usable yet. {}",
                                                text_in(model.get_object(), "install")));
            }
        }
    }
    if (usable == 0) {
        findings.bad("speech model",
                     "there is none. Install one with: apt-get install pocketsphinx-en-us");
    }
}

void look_at_data(Findings& findings, const Settings& settings, const Composition& composition) {
    const fs::path& directory = settings.data_dir;
    std::error_code problem;
    fs::path existing = directory;
    while (!fs::exists(existing, problem) && existing.has_parent_path() &&
           existing != existing.parent_path()) {
        existing = existing.parent_path();
    }
    if (::access(existing.c_str(), W_OK | X_OK) != 0) {
        findings.bad("data directory",
                     fmt::format("{} can't be written ({}). Choose another with --data DIR.",
                                 directory.string(), std::generic_category().message(errno)));
        return;
    }
    const auto server = read_server_file(directory);
    if (server && HttpClient::answers(*server)) {
        findings.good(
            "data directory",
            fmt::format("{}, in use by the server on http://{}:{} (process {}, version {})",
                        directory.string(), server->host, server->port, server->pid,
                        server->version));
    } else if (existing != directory) {
        findings.good("data directory",
                      fmt::format("{} will be made when it is needed", directory.string()));
    } else if (auto node = composition.open_node(settings); node) {
        const auto counts = (*node)->store().counts();
        if (counts) {
            findings.good(
                "data directory",
                fmt::format("{}: {} tasks wait or were interrupted, {} completed, {} failed",
                            directory.string(),
                            counts->pending + counts->processing + counts->retrying,
                            counts->completed, counts->failed + counts->partial_failure));
        } else {
            findings.bad("data directory", counts.error().message);
        }
    } else if (node.error().code == "data_directory_in_use") {
        findings.note("data directory", node.error().message);
    } else {
        findings.bad("data directory", node.error().message);
    }
    struct statvfs space{};
    if (::statvfs(existing.c_str(), &space) == 0) {
        const auto free =
            static_cast<std::int64_t>(space.f_bavail) * static_cast<std::int64_t>(space.f_frsize);
        if (free < kLittleSpace) {
            findings.note(
                "free space",
                fmt::format("{}: little for recordings. Make room, or choose another data "
                            "directory with --data DIR.",
                            gigabytes(free)));
        } else {
            findings.good("free space", gigabytes(free));
        }
    }
}

}  // namespace

int doctor(const Settings& settings, const Composition& composition) {
    Findings findings;
    findings.good("durascribe", composition.version);
    look_at_worker(findings, composition);
    look_at_data(findings, settings, composition);
    if (findings.bad() == 0) {
        fmt::print("\nEverything that is needed is there.\n");
        return kOk;
    }
    fmt::print("\n{} of these must be put right before durascribe can work.\n", findings.bad());
    return kFailed;
}

int list_models(const Composition& composition) {
    const auto description = describe_worker(composition.worker_program);
    if (!description) {
        return report(description.error());
    }
    fmt::print("{:14} {:24} {:12} {}\n", "ENGINE", "MODEL", "LANGUAGES", "STATE");
    for (const json::value& engine : list_in(*description, "engines")) {
        if (!engine.is_object()) {
            continue;
        }
        for (const json::value& model : list_in(engine.get_object(), "models")) {
            if (!model.is_object()) {
                continue;
            }
            std::string languages;
            for (const json::value& language : list_in(model.get_object(), "languages")) {
                if (language.is_string()) {
                    languages += (languages.empty() ? "" : ",") +
                                 printable(std::string_view(language.get_string()));
                }
            }
            fmt::print(
                "{:14} {:24} {:12} {}\n", text_in(engine.get_object(), "name"),
                text_in(model.get_object(), "name"), languages,
                present(model.get_object()) ? "installed" : text_in(model.get_object(), "install"));
        }
    }
    return kOk;
}

}  // namespace durascribe::cli
