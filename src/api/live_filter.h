// Which events one listener wants. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "durascribe/api/message.h"
#include "durascribe/base/error.h"
#include "durascribe/ports/store.h"

namespace durascribe::api {

// Empty lists let everything through; several lists must all let it through.
struct LiveFilter {
    std::vector<std::string> media;  // ids in lower case
    std::vector<std::string> tasks;
    std::vector<std::string> types;  // "task.state", or "task." for all that begin so

    bool matches(std::string_view media_id, std::string_view task_id, std::string_view type) const;
    // The same for whatever type.
    bool concerns(std::string_view media_id, std::string_view task_id) const;
    bool operator==(const LiveFilter&) const = default;
};

inline constexpr std::size_t kLiveFilterMax = 100;  // ids, and types, in one list

// All errors: request "bad_value", naming the field and what was expected.

// Adds a value of `media_id`, `task_id` or `type`: `type` is an event's type, or a group such as
// "task.*". `called`: what the client knows it by; empty: by its name.
Result<void> add_to_filter(LiveFilter& filter, std::string_view name, std::string_view value,
                           std::string_view called = {});
// From the query: each may come several times, or with commas.
Result<LiveFilter> live_filter_of(const Request& request);
// A sequence number, 0 or more.
Result<std::int64_t> sequence_number(std::string_view field, std::string_view text);

}  // namespace durascribe::api
