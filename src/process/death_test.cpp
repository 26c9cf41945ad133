// What the end of a worker tells, case by case; tests/fault has real deaths.
#include "durascribe/process/death.h"

#include <gtest/gtest.h>

#include <csignal>

#include "durascribe/protocol/messages.h"

namespace durascribe::process {
namespace {

Error of(const ExitStatus& status, const MemoryFacts& memory = {}) {
    return error_of_death(status, "while decoding", "its last words", memory);
}

TEST(Death, TheSystemsForLackOfMemoryIsToldFromTheLimitsAndFromAnybodys) {
    const ExitStatus killed{.by_signal = true, .value = SIGKILL};
    const Error by_system = of(killed, {.machine_ran_out = true});
    EXPECT_EQ(by_system.cls, ErrorClass::memory);
    EXPECT_EQ(by_system.code, "killed_by_system");
    EXPECT_NE(by_system.message.find("while decoding"), std::string::npos);
    EXPECT_EQ(by_system.detail, "its last words");
    const Error by_limit =
        of(killed, {.limit_bytes = 1 << 20, .limit_reached = true, .machine_ran_out = true});
    EXPECT_EQ(by_limit.cls, ErrorClass::memory);
    EXPECT_EQ(by_limit.code, "memory_limit") << "its own limit comes first";
    const Error by_somebody = of(killed);
    EXPECT_EQ(by_somebody.cls, ErrorClass::crash);
    EXPECT_EQ(by_somebody.code, "worker_killed");
}

TEST(Death, ByItsOwnHandIsACrashUnlessItSaysWhy) {
    const Error fault = of({.by_signal = true, .value = SIGSEGV}, {.machine_ran_out = true});
    EXPECT_EQ(fault.cls, ErrorClass::crash);
    EXPECT_EQ(fault.code, "worker_died");
    EXPECT_NE(fault.message.find("SIGSEGV"), std::string::npos) << fault.message;
    EXPECT_EQ(of({.value = 1}).code, "worker_died");
    EXPECT_EQ(of({.value = protocol::kExitOutOfMemory}).code, "memory_limit");
    const Error large = of({.by_signal = true, .value = SIGXFSZ});
    EXPECT_EQ(large.cls, ErrorClass::input);
    EXPECT_EQ(large.code, "media_too_large");
}

}  // namespace
}  // namespace durascribe::process
