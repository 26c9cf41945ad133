#include "durascribe/process/death.h"

#include <signal.h>
#include <string.h>

#include <fstream>

#include <fmt/format.h>

#include "durascribe/protocol/messages.h"

namespace durascribe::process {

std::string signal_name(int signal) {
    const char* name = ::sigabbrev_np(signal);
    return name == nullptr ? fmt::format("signal {}", signal) : fmt::format("SIG{}", name);
}

std::optional<std::int64_t> out_of_memory_kills() {
    std::ifstream counters("/proc/vmstat");
    std::string name;
    std::int64_t value = 0;
    while (counters >> name >> value) {
        if (name == "oom_kill") {
            return value;
        }
    }
    return std::nullopt;
}

Error memory_limit_reached(std::int64_t limit_bytes, std::string_view found_by,
                           std::string_view doing, std::string_view last_words) {
    const std::string limit = limit_bytes == 0
                                  ? "the memory it can have"
                                  : fmt::format("its limit of {} MB of memory", limit_bytes >> 20);
    return {ErrorClass::memory, "memory_limit",
            fmt::format("The worker went past {} {}: it was stopped. Choose a smaller model or "
                        "raise MAX_MEMORY_PER_TRANSCRIPTION.",
                        limit, doing),
            fmt::format("found by {}\n{}", found_by, last_words)};
}

Error error_of_death(const ExitStatus& status, std::string_view doing, std::string last_words,
                     const MemoryFacts& memory) {
    if (!status.by_signal && status.value == protocol::kExitOutOfMemory) {
        return memory_limit_reached(memory.limit_bytes, "the worker: memory was refused", doing,
                                    last_words);
    }
    if (status.by_signal && status.value == SIGKILL) {
        if (memory.limit_reached) {
            return memory_limit_reached(memory.limit_bytes, "the control group", doing, last_words);
        }
        if (memory.machine_ran_out) {
            return {ErrorClass::memory, "killed_by_system",
                    fmt::format("The system killed the worker {}, because the machine ran out of "
                                "memory. Choose a smaller model or run fewer at a time.",
                                doing),
                    std::move(last_words)};
        }
        return {ErrorClass::crash, "worker_killed",
                fmt::format("Somebody or something killed the worker (SIGKILL) {}.", doing),
                std::move(last_words)};
    }
    if (status.by_signal && status.value == SIGXFSZ) {
        return {ErrorClass::input, "media_too_large",
                "The file decodes to more audio than is allowed. Split it, or raise the limit.",
                std::move(last_words)};
    }
    const std::string how =
        status.by_signal ? fmt::format("crashed ({})", signal_name(status.value))
                         : fmt::format("ended without a result (exit code {})", status.value);
    return {ErrorClass::crash, "worker_died", fmt::format("The worker {} {}.", how, doing),
            std::move(last_words)};
}

}  // namespace durascribe::process
