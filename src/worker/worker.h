// A worker process from the inside. Its main loop: says when it is ready, runs one job after
// another, leaves when the server does.
#pragma once

#include <string>

namespace durascribe::worker {

enum class Role { media, speech, fetch };

struct WorkerSettings {
    Role role = Role::media;
    // What a speech worker loads before it is ready; without an engine it loads with its first job.
    std::string engine;
    std::string model;
    std::string language;
    // Of a fetch worker: as net::AddressPolicy and net::DnsSettings take them.
    std::string allow_private_addresses;
    std::string dns_servers;
    std::string site_program;  // yt-dlp, for pages of sites; empty: none
};

// Serves until the server closes `socket_fd` (owned from here on) or says so. For a process of its
// own: changes the time zone and what happens when memory runs out. Returns the exit code:
//   0   the server is done with it, or gone
//   1   it could not get ready; it has said why
//   70  the server spoke garbage, or something was thrown that nobody expected (standard error)
//   86  an allocation failed (protocol::kExitOutOfMemory); left at once, from any thread
int run_worker(const WorkerSettings& settings, int socket_fd);

}  // namespace durascribe::worker
