// durascribe tasks, cancel, retry, pause, resume.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <boost/json.hpp>

#include "durascribe/cli/commands.h"
#include "durascribe/cli/progress_display.h"
#include "durascribe/cli/terminal_text.h"

namespace durascribe::cli {
namespace {

// 0: as wide as it gets.
int columns_of_stdout() {
    winsize size{};
    return isatty(STDOUT_FILENO) == 1 && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 ? size.ws_col
                                                                                      : 0;
}

std::string age_text(WallTime since) {
    using namespace std::chrono;
    const auto minutes_ago = duration_cast<minutes>(system_clock::now() - since).count();
    if (minutes_ago < 1) {
        return "now";
    }
    if (minutes_ago < 60) {
        return fmt::format("{} min", minutes_ago);
    }
    if (minutes_ago < 48 * 60) {
        return fmt::format("{} h", minutes_ago / 60);
    }
    return fmt::format("{} d", minutes_ago / (24 * 60));
}

void print_table(const std::vector<TaskStatus>& tasks) {
    constexpr int kTitleWidth = 28;
    constexpr const char* kRow = "{:36}  {}  {:15}  {:>5}  {:10}  {:>6}";
    std::string out =
        fmt::format(kRow, "ID", fit_and_pad("TITLE", kTitleWidth), "STATE", "DONE", "STEP", "AGE");
    out += "  ERROR\n";
    const int columns = columns_of_stdout();
    for (const TaskStatus& task : tasks) {
        const std::string row = fmt::format(
            kRow, printable(task.id), fit_and_pad(printable(task.title), kTitleWidth),
            domain::to_string(task.state), fmt::format("{} %", static_cast<int>(task.percent)),
            printable(task.step), age_text(task.created_at));
        const std::string error =
            task.error_message.empty() ? "" : "  " + printable(task.error_message);
        out += columns > 0 ? fit(row + error, std::max(columns, display_width(row))) : row + error;
        out += "\n";
    }
    fmt::print("{}", out);
}

void print_json(const std::vector<TaskStatus>& tasks) {
    namespace json = boost::json;
    json::array list;
    for (const TaskStatus& task : tasks) {
        const std::string_view state = domain::to_string(task.state);
        json::object entry{{"task_id", task.id},
                           {"media_id", task.media_id},
                           {"title", task.title},
                           {"status", json::string_view(state.data(), state.size())},
                           {"progress", task.percent},
                           {"current_step", task.step},
                           {"created_at", to_rfc3339(task.created_at)},
                           {"error", nullptr}};
        if (!task.error_message.empty()) {
            entry["error"] =
                json::object{{"code", task.error_code}, {"message", task.error_message}};
        }
        list.push_back(std::move(entry));
    }
    fmt::print("{}\n", json::serialize(list));
}

}  // namespace

int list_tasks(const Settings& settings, const Composition& composition, bool json) {
    auto client = connect(settings, composition, false);
    if (!client) {
        return report(client.error());
    }
    const auto tasks = (*client)->list();
    if (!tasks) {
        return report(tasks.error());
    }
    if (json) {
        print_json(*tasks);
    } else if (tasks->empty()) {
        fmt::print("There are no tasks yet. Begin one with: durascribe transcribe FILE\n");
    } else {
        print_table(*tasks);
    }
    return kOk;
}

int cancel_task(const Settings& settings, const Composition& composition, const std::string& id) {
    auto client = connect(settings, composition, false);
    if (!client) {
        return report(client.error());
    }
    const auto task = (*client)->cancel(id);
    if (!task) {
        return report(task.error());
    }
    if (task->state == domain::TaskState::cancelled) {
        fmt::print("Cancelled {}.\n", id);
    } else {
        fmt::print("Cancelling {}: its workers are being stopped.\n", id);
    }
    return kOk;
}

int retry_task(const Settings& settings, const Composition& composition, const std::string& id) {
    auto client = connect(settings, composition, false);
    if (!client) {
        return report(client.error());
    }
    const auto task = (*client)->retry(id);
    if (!task) {
        return report(task.error());
    }
    fmt::print("Queued {} again; what was finished is kept.{}\n", id,
               (*client)->goes_on_without_us() ? ""
                                               : " No server runs on this data directory: it goes "
                                                 "on with the next `durascribe serve` or "
                                                 "`durascribe transcribe`.");
    return kOk;
}

int set_paused(const Settings& settings, const Composition& composition, bool paused) {
    auto client = connect(settings, composition, false);
    if (!client) {
        return report(client.error());
    }
    if (auto set = (*client)->set_paused(paused); !set) {
        return report(set.error());
    }
    fmt::print("{}\n", paused
                           ? "Paused: nothing new is started, and what runs goes on. Go on with: "
                             "durascribe resume"
                           : "Waiting tasks are started again.");
    return kOk;
}

}  // namespace durascribe::cli
