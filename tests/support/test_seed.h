// The seed of a test that draws.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <random>

namespace durascribe::testing {

// DURASCRIBE_TEST_SEED, where it is set, else a new one; printed, so that a run that fails can be
// played again.
inline unsigned test_seed() {
    const char* given = std::getenv("DURASCRIBE_TEST_SEED");
    const unsigned seed = given != nullptr ? static_cast<unsigned>(std::strtoul(given, nullptr, 10))
                                           : std::random_device{}();
    std::printf("DURASCRIBE_TEST_SEED=%u\n", seed);
    return seed;
}

}  // namespace durascribe::testing
