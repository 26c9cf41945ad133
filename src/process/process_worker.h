// Workers as child processes: the implementation of ports::WorkerFactory that durascribe runs with.
// Not here: how many there are and which unit goes to which (engine/).
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "durascribe/ports/worker.h"
#include "durascribe/process/control_group.h"
#include "durascribe/process/limits_in_force.h"

namespace durascribe::process {

struct ProcessWorkerSettings {
    std::filesystem::path program;  // durascribe-worker

    // What a speech worker loads before it says that it is ready. A job that asks for something
    // else makes it load that; empty: it loads nothing before its first job.
    std::string engine;
    std::string model;
    std::string language;

    // MAX_MEMORY_PER_TRANSCRIPTION: of one worker; 0: no limit. The watchdog and RLIMIT_DATA do not
    // count a model mapped from its file; a control group does, but the kernel drops such pages
    // before it kills.
    std::int64_t memory_limit_bytes = std::int64_t{2} << 30;
    MemoryLimitBy memory_limit_by = MemoryLimitBy::best;
    // CPU_LIMIT_PER_TRANSCRIPTION: cores' worth of CPU time, where a control group can be had, and
    // how many threads a recogniser may use (OMP_NUM_THREADS: rounded up). 0: one thread, no limit.
    double cpu_limit = 2;
    // What a fetch worker is told (net/): ALLOW_PRIVATE_ADDRESSES, DNS_SERVERS.
    std::string allow_private_addresses;
    std::string dns_servers;
    // yt-dlp, for pages of sites: absolute, below /usr; empty: none.
    std::string site_program;

    int niceness = 5;  // workers make way for the server, media workers for those who recognise
    int open_files_max = 64;
    int processes_max = 0;  // RLIMIT_NPROC, see ChildLimits; 0: as the server

    // "NAME=value" beside what is always passed on: PATH, HOME, LANG, LC_ALL, LC_CTYPE, TMPDIR and
    // the options of the sanitizers. Nothing else of the server's environment reaches a worker.
    std::vector<std::string> environment;
};

// Starts workers; the thread that started one must outlive it (see ports/worker.h). A media worker
// serves one job and is dead when extract() returns, so that nothing can write to pcm_fd any more,
// and so does a fetch worker; a speech worker serves many, and stays alive after an error that it
// reported itself.
//
// Error codes besides those that the worker reports: worker_start_failed (internal), worker_died,
// worker_killed, worker_gone, protocol_error (crash), memory_limit, killed_by_system (memory),
// media_too_large (input), no_progress, model_not_loaded (stall), deadline, worker_not_ready,
// worker_not_reading (timeout), stopped (lost). Error::detail ends with the last words that the
// process wrote to standard error, at most 4 KiB.
class ProcessWorkerFactory final : public ports::WorkerFactory {
  public:
    // Of the whole process: SIGCHLD is no longer ignored, should it have been.
    explicit ProcessWorkerFactory(ProcessWorkerSettings settings);
    Result<std::unique_ptr<ports::Worker>> start(ports::WorkerRole role) override;
    const LimitsInForce& limits() const { return limits_; }

  private:
    const ProcessWorkerSettings settings_;
    const LimitsInForce limits_;
    WorkerGroups groups_;
};

}  // namespace durascribe::process
