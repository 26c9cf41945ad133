// The seed of a test that draws.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <random>
#include <string_view>

namespace durascribe::testing {

// DURASCRIBE_TEST_SEED, where it is set ("random": a new one), else always the same, so that a red
// run means a change; printed, so that a run that fails can be played again.
inline unsigned test_seed() {
    const char* set = std::getenv("DURASCRIBE_TEST_SEED");
    const std::string_view given = set == nullptr ? "20261124" : set;
    const unsigned seed = given == "random"
                              ? std::random_device{}()
                              : static_cast<unsigned>(std::strtoul(given.data(), nullptr, 10));
    std::printf("DURASCRIBE_TEST_SEED=%u\n", seed);
    return seed;
}

}  // namespace durascribe::testing
