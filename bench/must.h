// What benches do with an error: say it and end.
#pragma once

#include <cerrno>
#include <cstdlib>
#include <type_traits>
#include <utility>

#include <fmt/format.h>

#include "durascribe/base/error.h"

namespace durascribe::bench {

template <typename T>
T must(Result<T> result) {
    if (!result) {
        fmt::print(stderr, "{}: {} ({})\n", program_invocation_short_name, result.error().message,
                   result.error().detail);
        std::exit(1);
    }
    if constexpr (!std::is_void_v<T>) {
        return std::move(*result);
    }
}

}  // namespace durascribe::bench
