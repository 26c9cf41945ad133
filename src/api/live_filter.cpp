#include "durascribe/api/live_filter.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "durascribe/api/problem.h"
#include "durascribe/base/ids.h"

namespace durascribe::api {
namespace {

// Of ports::Event::type.
constexpr std::array<std::string_view, 13> kTypes{
    "task.created",       "task.state",   "task.updated",  "task.progress", "unit.completed",
    "unit.failed",        "unit.retry",   "media.created", "media.updated", "media.deleted",
    "transcript.updated", "queue.paused", "queue.resumed"};
constexpr std::string_view kTypesText =
    "task.created, task.state, task.updated, task.progress, unit.completed, unit.failed, "
    "unit.retry, media.created, media.updated, media.deleted, transcript.updated, queue.paused, "
    "queue.resumed, "
    "or a group: task.*, unit.*, media.*, transcript.*, queue.*";

bool is_listed(const std::vector<std::string>& list, std::string_view value) {
    return list.empty() || std::ranges::find(list, value) != list.end();
}

bool is_listed_type(const std::vector<std::string>& list, std::string_view type) {
    return list.empty() || std::ranges::any_of(list, [type](const std::string& wanted) {
               return wanted.ends_with('.') ? type.starts_with(wanted) : type == wanted;
           });
}

Result<void> add(std::vector<std::string>& list, std::string_view name, std::string value) {
    if (list.size() >= kLiveFilterMax) {
        return std::unexpected(bad_value(name, "at most 100 values"));
    }
    list.push_back(std::move(value));
    return {};
}

std::string lower(std::string_view text) {
    std::string out{text};
    std::ranges::transform(out, out.begin(), [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    });
    return out;
}

}  // namespace

bool LiveFilter::matches(std::string_view media_id, std::string_view task_id,
                         std::string_view type) const {
    return concerns(media_id, task_id) && is_listed_type(types, type);
}

bool LiveFilter::concerns(std::string_view media_id, std::string_view task_id) const {
    return is_listed(media, media_id) && is_listed(tasks, task_id);
}

Result<void> add_to_filter(LiveFilter& filter, std::string_view name, std::string_view value,
                           std::string_view called) {
    called = called.empty() ? name : called;
    if (name == "type") {
        const std::string_view group =
            value.ends_with(".*") ? value.substr(0, value.size() - 1) : std::string_view{};
        const bool known = std::ranges::any_of(kTypes, [&](std::string_view type) {
            return group.empty() ? type == value : type.starts_with(group);
        });
        if (!known) {
            return std::unexpected(bad_value(called, kTypesText));
        }
        return add(filter.types, called, std::string{group.empty() ? value : group});
    }
    DURASCRIBE_ASSERT(name == "media_id" || name == "task_id");
    std::string id = lower(value);
    if (!is_uuid(id)) {
        return std::unexpected(bad_value(called, "a UUID"));
    }
    return add(name == "media_id" ? filter.media : filter.tasks, called, std::move(id));
}

Result<LiveFilter> live_filter_of(const Request& request) {
    LiveFilter filter;
    for (const auto& [name, values] : request.query) {
        if (name != "media_id" && name != "task_id" && name != "type") {
            continue;
        }
        for (std::size_t from = 0; from <= values.size();) {
            const std::size_t comma = std::min(values.find(',', from), values.size());
            auto added =
                add_to_filter(filter, name, std::string_view{values}.substr(from, comma - from));
            if (!added) {
                return std::unexpected(added.error());
            }
            from = comma + 1;
        }
    }
    return filter;
}

Result<std::int64_t> sequence_number(std::string_view field, std::string_view text) {
    std::int64_t number = -1;
    const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (ec != std::errc{} || end != text.data() + text.size() || number < 0) {
        return std::unexpected(bad_value(field, "the sequence number of an event, 0 or more"));
    }
    return number;
}

}  // namespace durascribe::api
