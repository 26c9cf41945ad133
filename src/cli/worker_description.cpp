#include "durascribe/cli/worker_description.h"

#include <array>
#include <cerrno>
#include <system_error>

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>
#include <boost/json.hpp>

#include "durascribe/base/unique_fd.h"

namespace durascribe::cli {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;

constexpr int kWorkerPatienceMs = 10'000;
constexpr std::size_t kDescriptionMax = 1 << 20;

domain::ModelCandidate candidate_of(const json::string& engine, const json::object& model) {
    domain::ModelCandidate c;
    c.engine = std::string(std::string_view(engine));
    c.model = std::string(std::string_view(model.at("name").as_string()));
    c.memory_bytes = model.at("memory_bytes").to_number<std::int64_t>();
    c.accuracy = model.at("accuracy").to_number<int>();
    c.seconds_per_audio_second = model.at("expected_seconds_per_audio_second").to_number<double>();
    for (const json::value& language : model.at("languages").as_array()) {
        // A model of many languages speaks any.
        if (language.as_string() != "multilingual") {
            c.languages.emplace_back(std::string_view(language.as_string()));
        }
    }
    return c;
}

}  // namespace

Result<json::object> describe_worker(const fs::path& program) {
    const auto failed = [&](const std::string& detail) {
        return fail(
            ErrorClass::internal, "worker_unusable",
            fmt::format("The worker program {} can't be used ({}). Build it again with ./run.",
                        program.string(), detail));
    };
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
        return std::unexpected(system_error(errno, "ask the worker program"));
    }
    UniqueFd read_end(ends[0]);
    UniqueFd write_end(ends[1]);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, write_end.get(), STDOUT_FILENO);
    std::string name = program.string();
    std::string argument = "--describe";
    std::array<char*, 3> arguments{name.data(), argument.data(), nullptr};
    pid_t pid = 0;
    const int problem =
        ::posix_spawn(&pid, program.c_str(), &actions, nullptr, arguments.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    write_end.reset();
    if (problem != 0) {
        return failed(std::generic_category().message(problem));
    }
    std::string text;
    bool complete = false;
    pollfd wait{.fd = read_end.get(), .events = POLLIN, .revents = 0};
    while (text.size() < kDescriptionMax && ::poll(&wait, 1, kWorkerPatienceMs) > 0) {
        std::array<char, 4096> piece{};
        const ssize_t got = ::read(read_end.get(), piece.data(), piece.size());
        if (got <= 0) {
            complete = got == 0;
            break;
        }
        text.append(piece.data(), static_cast<std::size_t>(got));
    }
    if (!complete) {
        ::kill(pid, SIGKILL);
    }
    int status = 0;
    while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    if (!complete || !WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        return failed("it does not describe itself");
    }
    boost::system::error_code bad;
    json::value content = json::parse(text, bad);
    if (bad || !content.is_object()) {
        return failed("its description is not JSON");
    }
    return content.get_object();
}

Result<std::vector<domain::ModelCandidate>> installed_models(const fs::path& program) {
    const auto description = describe_worker(program);
    if (!description) {
        return std::unexpected(description.error());
    }
    try {
        std::vector<domain::ModelCandidate> candidates;
        for (const json::value& engine : description->at("engines").as_array()) {
            for (const json::value& model : engine.at("models").as_array()) {
                if (model.at("present").as_bool()) {
                    candidates.push_back(
                        candidate_of(engine.at("name").as_string(), model.as_object()));
                }
            }
        }
        return candidates;
    } catch (const std::exception& e) {
        return fail(ErrorClass::internal, "worker_unusable",
                    fmt::format("The worker program {} describes its models in another way than "
                                "this server knows. Build both again with ./run.",
                                program.string()),
                    e.what());
    }
}

}  // namespace durascribe::cli
