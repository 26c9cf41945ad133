#include "durascribe/api/negotiation.h"

#include <algorithm>
#include <optional>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "durascribe/api/header_values.h"

namespace durascribe::api {
namespace {

struct Choice {
    std::string value;       // in lower case
    int thousandths = 1000;  // its weight
};

// RFC 9110 §12.4.2: 0, 0.5, 0.123, 1, 1.000.
std::optional<int> weight_of(std::string_view text) {
    if (text.empty() || text.size() > 5 || (text[0] != '0' && text[0] != '1') ||
        (text.size() > 1 && text[1] != '.')) {
        return std::nullopt;
    }
    int thousandths = (text[0] - '0') * 1000;
    int place = 100;
    for (const char digit : text.substr(std::min<std::size_t>(text.size(), 2))) {
        if (digit < '0' || digit > '9') {
            return std::nullopt;
        }
        thousandths += (digit - '0') * place;
        place /= 10;
    }
    return thousandths <= 1000 ? std::optional{thousandths} : std::nullopt;
}

// nullopt: malformed.
std::optional<std::vector<Choice>> choices_of(std::string_view field) {
    std::vector<Choice> choices;
    while (!field.empty()) {
        const std::size_t comma = std::min(field.find(','), field.size());
        const std::string_view item = field.substr(0, comma);
        field.remove_prefix(std::min(comma + 1, field.size()));
        if (item.find_first_not_of(" \t") == std::string_view::npos) {
            continue;
        }
        const auto parsed = parse_parameterized(item);
        if (!parsed) {
            return std::nullopt;
        }
        Choice choice{parsed->value};
        if (const std::string* weight = parsed->parameter("q")) {
            const auto thousandths = weight_of(*weight);
            if (!thousandths) {
                return std::nullopt;
            }
            choice.thousandths = *thousandths;
        }
        choices.push_back(std::move(choice));
    }
    return choices;
}

std::optional<int> weight_in(const std::vector<Choice>& choices, std::string_view value) {
    const auto found = std::ranges::find(choices, value, &Choice::value);
    return found == choices.end() ? std::nullopt : std::optional{found->thousandths};
}

}  // namespace

std::string joined_fields(const Request& request, std::string_view name) {
    std::string all;
    for (const auto& [key, value] : request.headers) {
        if (key == name) {
            all += all.empty() ? "" : ", ";
            all += value;
        }
    }
    return all;
}

bool accepts(std::string_view accept, std::string_view type) {
    const auto choices = choices_of(accept);
    const auto is_range = [](const Choice& choice) { return choice.value.contains('/'); };
    if (!choices || choices->empty() || !std::ranges::all_of(*choices, is_range)) {
        return true;
    }
    const std::string group = fmt::format("{}/*", type.substr(0, type.find('/')));
    for (const std::string_view range : {type, std::string_view{group}, std::string_view{"*/*"}}) {
        if (const auto weight = weight_in(*choices, range)) {
            return *weight > 0;
        }
    }
    return false;
}

Result<void> check_accept(const Request& request, std::span<const std::string> gives) {
    const std::string accept = joined_fields(request, "accept");
    if (accept.empty() || std::ranges::any_of(gives, [&](const std::string& type) {
            return accepts(accept, type);
        })) {
        return {};
    }
    return fail(ErrorClass::request, "not_acceptable",
                fmt::format("Accept takes nothing that this address gives. It gives: {}.",
                            fmt::join(gives, ", ")));
}

bool accepts_coding(std::string_view accept_encoding, std::string_view coding) {
    const auto choices = choices_of(accept_encoding);
    if (!choices) {
        return false;
    }
    auto weight = weight_in(*choices, coding);
    if (!weight && coding == "gzip") {
        weight = weight_in(*choices, "x-gzip");  // RFC 9110 §8.4.1.3
    }
    if (!weight) {
        weight = weight_in(*choices, "*");
    }
    return weight.value_or(0) > 0 && *weight >= weight_in(*choices, "identity").value_or(0);
}

bool accepts_gzip(std::string_view accept_encoding) {
    return accepts_coding(accept_encoding, "gzip");
}

}  // namespace durascribe::api
