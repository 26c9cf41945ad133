// The program that the server starts for each worker. Composition only: worker/ does the work.
#include <sys/socket.h>

#include <cstdio>
#include <string_view>

#include <CLI/CLI.hpp>

#include "describe.h"
#include "durascribe/protocol/channel.h"
#include "durascribe/worker/worker.h"

namespace {

using durascribe::protocol::kWorkerSocketFd;

bool started_by_a_server() {
    int domain = 0;
    socklen_t size = sizeof domain;
    return ::getsockopt(kWorkerSocketFd, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 &&
           domain == AF_UNIX;
}

}  // namespace

int main(int argc, char** argv) {
    using durascribe::worker::Role;
    durascribe::worker::WorkerSettings settings;
    CLI::App app{"Decodes media and recognises speech for durascribe, which starts it by itself."};
    app.require_subcommand(1);
    const CLI::App* media = app.add_subcommand("media", "Decode one media file");
    CLI::App* speech = app.add_subcommand("speech", "Recognise chunks of audio");
    speech->add_option("--engine", settings.engine, "Load this engine at once");
    speech->add_option("--model", settings.model, "Its model")->needs("--engine");
    speech->add_option("--language", settings.language, "BCP 47")->needs("--engine");
    CLI::App* fetch = app.add_subcommand("fetch", "Download one file");
    fetch->add_option("--allow-private-addresses", settings.allow_private_addresses, "Networks");
    fetch->add_option("--dns-servers", settings.dns_servers, "In place of the system's");
    fetch->add_option("--site-program", settings.site_program, "yt-dlp");
    if (argc == 2 && std::string_view(argv[1]) == "--describe") {
        return std::puts(durascribe::describe_worker().c_str()) < 0 ? 1 : 0;
    }
    if (!started_by_a_server()) {
        std::fputs(
            "durascribe-worker is a part of durascribe and is started by it, not by hand.\n"
            "To transcribe a file: durascribe transcribe FILE\n",
            stderr);
        return 2;
    }
    CLI11_PARSE(app, argc, argv);
    settings.role = media->parsed() ? Role::media : fetch->parsed() ? Role::fetch : Role::speech;
    return durascribe::worker::run_worker(settings, kWorkerSocketFd);
}
