#include "durascribe/base/error.h"

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <system_error>
#include <utility>

#include <fmt/format.h>

namespace durascribe {
namespace {

constexpr std::array kNames{
    std::pair{ErrorClass::input, std::string_view{"input"}},
    std::pair{ErrorClass::network, std::string_view{"network"}},
    std::pair{ErrorClass::memory, std::string_view{"memory"}},
    std::pair{ErrorClass::model, std::string_view{"model"}},
    std::pair{ErrorClass::crash, std::string_view{"crash"}},
    std::pair{ErrorClass::stall, std::string_view{"stall"}},
    std::pair{ErrorClass::timeout, std::string_view{"timeout"}},
    std::pair{ErrorClass::storage, std::string_view{"storage"}},
    std::pair{ErrorClass::lost, std::string_view{"lost"}},
    std::pair{ErrorClass::request, std::string_view{"request"}},
    std::pair{ErrorClass::internal, std::string_view{"internal"}},
};

}  // namespace

std::string_view to_string(ErrorClass c) {
    for (const auto& [cls, name] : kNames) {
        if (cls == c) {
            return name;
        }
    }
    assertion_failed("known ErrorClass", __FILE__, __LINE__);
}

std::optional<ErrorClass> error_class_from(std::string_view name) {
    for (const auto& [cls, known] : kNames) {
        if (known == name) {
            return cls;
        }
    }
    return std::nullopt;
}

Error system_error(int error_number, std::string_view doing) {
    const std::string reason = std::generic_category().message(error_number);
    const std::string detail = fmt::format("errno {} ({})", error_number, reason);
    switch (error_number) {
        case ENOSPC:
        case EDQUOT:
            return {ErrorClass::storage, "disk_full",
                    fmt::format(
                        "The disk is full: could not {}. Free some space; work goes on by itself.",
                        doing),
                    detail};
        case EIO:
        case EROFS:
            return {
                ErrorClass::storage, "disk_error",
                fmt::format("The disk failed: could not {} ({}). Check the disk.", doing, reason),
                detail};
        case ENOMEM:
            return {ErrorClass::memory, "out_of_memory",
                    fmt::format("Out of memory: could not {}.", doing), detail};
        default:
            return {ErrorClass::internal, "system_error",
                    fmt::format("Could not {}: {}.", doing, reason), detail};
    }
}

Error unreadable(int error_number, std::string_view what, std::string_view remedy) {
    Error error = system_error(error_number, fmt::format("read {}", what));
    if (error_number == EIO) {
        error.cls = ErrorClass::internal;
        error.code = "unreadable";
        error.message = fmt::format("The disk can't give back {} ({}). Check the disk. {}", what,
                                    std::generic_category().message(error_number), remedy);
    }
    return error;
}

void assertion_failed(const char* condition, const char* file, int line) {
    std::fprintf(stderr, "durascribe: assertion failed: %s (%s:%d)\n", condition, file, line);
    std::abort();
}

}  // namespace durascribe
