// Expected failures as values. What is not here: the mapping to HTTP (api/) and what follows from
// each class (domain/retry_policy.h).
#pragma once

#include <expected>
#include <optional>
#include <string>
#include <string_view>

namespace durascribe {

// Chosen by what follows from the error, not by where it arose.
enum class ErrorClass {
    input,     // the media itself: never retried
    network,   // DNS, connect, 5xx, 429
    memory,    // killed at its memory limit, or an allocation failed
    model,     // missing, corrupt, will not load
    crash,     // the worker died by a signal, or spoke garbage
    stall,     // no progress within the window
    timeout,   // past the deadline
    storage,   // disk full, I/O error: wait for room
    lost,      // lease gone, drained, stopped: no attempt is spent
    request,   // the caller asked for something that cannot be: not found, conflict, bad value
    internal,  // a broken promise inside durascribe: report it
};

std::string_view to_string(ErrorClass c);
std::optional<ErrorClass> error_class_from(std::string_view name);

// `code` is stable and machine-readable (snake_case); `message` is one or two sentences for a
// person: what happened to which thing, and what to do; `detail` is for a developer's log.
struct Error {
    ErrorClass cls = ErrorClass::internal;
    std::string code;
    std::string message;
    std::string detail;

    bool operator==(const Error&) const = default;
};

template <typename T>
using Result = std::expected<T, Error>;

inline std::unexpected<Error> fail(ErrorClass cls, std::string code, std::string message,
                                   std::string detail = {}) {
    return std::unexpected(Error{cls, std::move(code), std::move(message), std::move(detail)});
}

// The error of a failed system call. ENOSPC, EDQUOT, EIO and EROFS become class storage, ENOMEM
// becomes memory, anything else internal; `doing` reads like "write the upload".
Error system_error(int error_number, std::string_view doing);

// The error of a failed read of what is stored. A disk that can't give it back does so by no
// waiting: EIO is no class storage here, which is tried again for ever, but internal "unreadable",
// which ends. `what` reads like "the decoded audio", `remedy` is a sentence.
Error unreadable(int error_number, std::string_view what, std::string_view remedy);

// Stays on in release builds: prints the condition and aborts. For broken invariants only.
[[noreturn]] void assertion_failed(const char* condition, const char* file, int line);

}  // namespace durascribe

#define DURASCRIBE_ASSERT(condition) \
    ((condition) ? void(0) : ::durascribe::assertion_failed(#condition, __FILE__, __LINE__))
