// The program `durascribe`: gives the commands (cli/) a node to work on (node.h).
#include <filesystem>
#include <system_error>

#include "durascribe/backup/backup.h"
#include "durascribe/cli/node.h"
#include "node.h"

namespace {

// Beside this program, wherever it was installed.
std::filesystem::path worker_program() {
    std::error_code problem;
    const auto self = std::filesystem::read_symlink("/proc/self/exe", problem);
    return problem ? std::filesystem::path("durascribe-worker")
                   : self.parent_path() / "durascribe-worker";
}

durascribe::Result<durascribe::cli::Composition::Copied> copied(
    const durascribe::Result<durascribe::backup::Summary>& summary) {
    if (!summary) {
        return std::unexpected(summary.error());
    }
    return durascribe::cli::Composition::Copied{.media = summary->media,
                                                .tasks = summary->tasks,
                                                .bytes = summary->bytes,
                                                .missing = summary->missing};
}

}  // namespace

int main(int argc, char** argv) {
    const durascribe::Program program{.version = DURASCRIBE_VERSION, .worker = worker_program()};
    return durascribe::cli::run(
        argc, argv,
        {.version = program.version,
         .worker_program = program.worker,
         .open_node =
             [&program](const auto& settings) { return durascribe::open_node(settings, program); },
         .back_up =
             [&program](const auto& data, const auto& destination) {
                 return copied(durascribe::backup::back_up(data, destination, program.version));
             },
         .restore =
             [](const auto& source, const auto& data) {
                 return copied(durascribe::backup::restore(source, data));
             }});
}
