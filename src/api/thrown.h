// What became of an exception that ended a coroutine: a line of the log with its reason.
#pragma once

#include <exception>
#include <string_view>

#include "durascribe/base/log.h"

namespace durascribe::api {

// Requires `thrown`. `what` has no full stop.
inline void log_exception(std::string_view what, const std::exception_ptr& thrown) {
    try {
        std::rethrow_exception(thrown);
    } catch (const std::exception& e) {
        log::error("{}: {}.", what, e.what());
    } catch (...) {
        log::error("{}, of a kind that says nothing.", what);
    }
}

}  // namespace durascribe::api
