#include "durascribe/api/media_filter.h"

#include <algorithm>
#include <array>

#include "durascribe/api/parameters.h"
#include "durascribe/api/problem.h"

namespace durascribe::api {
namespace {

constexpr std::size_t kSearchBytesMax = 500;
constexpr std::array kStates{domain::TaskState::pending,         domain::TaskState::processing,
                             domain::TaskState::retrying,        domain::TaskState::completed,
                             domain::TaskState::partial_failure, domain::TaskState::failed,
                             domain::TaskState::cancelled};

// In either words; "transcribing" is two states.
std::vector<domain::TaskState> states_called(std::string_view word) {
    std::vector<domain::TaskState> states;
    for (const domain::TaskState state : kStates) {
        if (domain::to_string(state) == word || domain::legacy_media_status(state) == word) {
            states.push_back(state);
        }
    }
    return states;
}

Result<void> take_states(const Request& request, ports::MediaFilter& filter) {
    const auto text = text_parameter(request, "status");
    if (!text) {
        return std::unexpected(text.error());
    }
    if (!*text || (*text)->empty()) {
        return {};
    }
    std::vector<domain::TaskState>& states = filter.states;
    std::string_view words = **text;
    while (true) {
        const std::size_t comma = std::min(words.find(','), words.size());
        const std::string_view word = words.substr(0, comma);
        const auto some = states_called(word);
        if (word == "downloading") {
            filter.downloading = true;
        } else if (some.empty()) {
            return std::unexpected(bad_value(
                "status",
                "pending, processing, retrying, completed, partial_failure, failed or cancelled, "
                "or an earlier client's downloading, transcribing, ready, partial or error; "
                "several with commas"));
        }
        for (const domain::TaskState state : some) {
            if (std::ranges::find(states, state) == states.end()) {
                states.push_back(state);
            }
        }
        if (comma == words.size()) {
            return {};
        }
        words.remove_prefix(comma + 1);
    }
}

template <typename T>
bool take(Result<std::optional<T>> value, std::optional<T>& into, std::optional<Error>& error) {
    if (!value) {
        error = value.error();
        return false;
    }
    into = std::move(*value);
    return true;
}

}  // namespace

Result<ports::MediaFilter> media_filter_of(const Request& request) {
    ports::MediaFilter filter;
    if (auto taken = take_states(request, filter); !taken) {
        return std::unexpected(taken.error());
    }
    std::optional<std::string> search;
    std::optional<std::string> language;
    std::optional<std::string> sort;
    std::optional<std::string> order;
    std::optional<Error> error;
    const bool ok = take(text_parameter(request, "search"), search, error) &&
                    take(text_parameter(request, "language"), language, error) &&
                    take(text_parameter(request, "sort"), sort, error) &&
                    take(text_parameter(request, "order"), order, error) &&
                    take(time_parameter(request, "created_after"), filter.created_from, error) &&
                    take(time_parameter(request, "created_before"), filter.created_before, error) &&
                    take(seconds_parameter(request, "min_duration"), filter.duration_min, error) &&
                    take(seconds_parameter(request, "max_duration"), filter.duration_max, error) &&
                    take(flag_parameter(request, "has_transcript"), filter.has_transcript, error);
    if (!ok) {
        return std::unexpected(*error);
    }
    filter.search = search.value_or("");
    if (filter.search.size() > kSearchBytesMax) {
        return std::unexpected(bad_value("search", "at most 500 bytes"));
    }
    filter.language = language.value_or("");
    if (sort && *sort != "created" && *sort != "title" && *sort != "duration") {
        return std::unexpected(bad_value("sort", "created, title or duration"));
    }
    if (order && *order != "asc" && *order != "desc") {
        return std::unexpected(bad_value("order", "asc or desc"));
    }
    if (!filter.search.empty() &&
        (sort.value_or("created") != "created" || order.value_or("desc") != "desc")) {
        return std::unexpected(
            bad_value("sort", "left out beside search, which gives the newest first"));
    }
    const std::string by = sort.value_or("created");
    filter.order = by == "title"      ? ports::MediaOrder::title
                   : by == "duration" ? ports::MediaOrder::duration
                                      : ports::MediaOrder::created;
    filter.ascending = order ? *order == "asc" : by == "title";
    return filter;
}

}  // namespace durascribe::api
