// The program `durascribe`: gives the commands (cli/) a node to work on (node.h).
#include <filesystem>
#include <system_error>

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

}  // namespace

int main(int argc, char** argv) {
    const durascribe::Program program{.version = DURASCRIBE_VERSION, .worker = worker_program()};
    return durascribe::cli::run(argc, argv,
                                {.version = program.version,
                                 .worker_program = program.worker,
                                 .open_node = [&program](const auto& settings) {
                                     return durascribe::open_node(settings, program);
                                 }});
}
