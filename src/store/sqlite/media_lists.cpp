// The list of media: in several orders, filtered, paged by (key, id), so that rows that come in
// meanwhile are neither doubled nor left out.
#include <algorithm>
#include <array>
#include <charconv>
#include <limits>

#include <fmt/format.h>

#include "durascribe/store/sqlite/queries.h"
#include "durascribe/store/sqlite/records.h"

namespace durascribe::store {
namespace {

// Rows that one page looks at, whether the filter lets them through or not.
constexpr int kLooksMax = 5'000;
// Tasks of a state, up to which the list begins with them and not with all media.
constexpr int kFewMax = 1'000;

struct Order {
    std::string_view key;  // an expression on media m that an index has
    bool is_text = false;
    std::string_view letter;  // in cursors
};

Order order_of(ports::MediaOrder order) {
    switch (order) {
        case ports::MediaOrder::created:
            return {"m.created_at", false, "c"};
        case ports::MediaOrder::title:
            return {"m.title COLLATE NOCASE", true, "t"};
        case ports::MediaOrder::duration:
            return {"m.duration_ms", false, "d"};
    }
    DURASCRIBE_ASSERT(false && "unknown MediaOrder");
}

struct Key {
    std::int64_t number = 0;
    std::string text;
    std::string id;
};

std::string to_hex(std::string_view text) {
    std::string hex;
    for (const char c : text) {
        hex += fmt::format("{:02x}", static_cast<unsigned char>(c));
    }
    return hex;
}

std::optional<std::string> from_hex(std::string_view hex) {
    std::string text;
    if (hex.size() % 2 != 0) {
        return std::nullopt;
    }
    for (std::size_t i = 0; i < hex.size(); i += 2) {
        unsigned value = 0;
        const char* const end = hex.data() + i + 2;
        const auto [read, failed] = std::from_chars(hex.data() + i, end, value, 16);
        if (failed != std::errc{} || read != end) {
            return std::nullopt;
        }
        text += static_cast<char>(value);
    }
    return text;
}

// letter, direction, key, id: "cd_1732780800123_0190…".
std::string cursor_text(const Order& order, bool ascending, const Key& key) {
    return fmt::format("{}{}_{}_{}", order.letter, ascending ? 'a' : 'd',
                       order.is_text ? to_hex(key.text) : fmt::format("{}", key.number), key.id);
}

std::optional<Key> parse_cursor(const Order& order, bool ascending, std::string_view text) {
    const std::string begin = fmt::format("{}{}_", order.letter, ascending ? 'a' : 'd');
    if (!text.starts_with(begin)) {
        return std::nullopt;
    }
    text.remove_prefix(begin.size());
    const std::size_t cut = text.find('_');
    if (cut == std::string_view::npos) {
        return std::nullopt;
    }
    Key key;
    key.id = text.substr(cut + 1);
    const std::string_view value = text.substr(0, cut);
    if (order.is_text) {
        const auto title = from_hex(value);
        key.text = title.value_or("");
        return title ? std::optional(key) : std::nullopt;
    }
    const auto [end, failed] =
        std::from_chars(value.data(), value.data() + value.size(), key.number);
    const bool whole = failed == std::errc{} && end == value.data() + value.size();
    return whole ? std::optional(key) : std::nullopt;
}

std::string states_condition(std::string_view column,
                             const std::vector<domain::TaskState>& states) {
    std::string condition = "(";
    for (const domain::TaskState state : states) {
        condition += fmt::format("{}{} = '{}'", condition.size() == 1 ? "" : " OR ", column,
                                 to_string(state));
    }
    return condition + ")";
}

constexpr std::array kActive{domain::TaskState::pending, domain::TaskState::processing,
                             domain::TaskState::retrying};

// Every state that the newest task of a media may be in that the filter lets through.
std::vector<domain::TaskState> possible_states(const ports::MediaFilter& filter) {
    std::vector<domain::TaskState> states = filter.states;
    for (const domain::TaskState state : kActive) {
        if (filter.downloading && std::ranges::find(states, state) == states.end()) {
            states.push_back(state);
        }
    }
    return states;
}

bool few_have(Connection& db, const std::vector<domain::TaskState>& states) {
    int left = kFewMax;
    for (const domain::TaskState state : states) {
        Rows rows = db.query("SELECT count(*) FROM (SELECT 1 FROM tasks WHERE state = ? LIMIT ?)",
                             to_string(state), left + 1);
        DURASCRIBE_ASSERT(rows.step());
        left -= rows.small();
        if (left < 0) {
            return false;
        }
    }
    return true;
}

struct Listing {
    Connection& db;
    const ports::MediaFilter& filter;
    Order order;
    std::optional<Key> after;
    int limit;

    // id, key, whether the filter lets it through.
    std::string statement(bool few) const {
        const std::string_view compare = filter.ascending ? ">" : "<";
        const std::string_view direction = filter.ascending ? "ASC" : "DESC";
        std::string sql = fmt::format("SELECT m.id, {}, {} FROM ", order.key,
                                      few ? "1" : filter_condition(filter));
        if (few) {
            sql += fmt::format(
                "tasks t CROSS JOIN media m ON m.id = t.media_id AND m.newest_task ="
                " t.id WHERE {} AND {}",
                states_condition("t.state", possible_states(filter)), filter_condition(filter));
        } else {
            sql += "media m WHERE TRUE";
            // Where the order is by what is bounded, nothing outside is looked at.
            const auto bound = [&](std::string_view letter, bool given,
                                   std::string_view condition) {
                if (given && order.letter == letter) {
                    sql += fmt::format(" AND {}", condition);
                }
            };
            bound("c", filter.created_from.has_value(), "m.created_at >= ?1");
            bound("c", filter.created_before.has_value(), "m.created_at < ?2");
            bound("d", filter.duration_min.has_value(), "m.duration_ms >= ?4");
            bound("d", filter.duration_max.has_value(), "m.duration_ms BETWEEN 0 AND ?5");
        }
        // The first half is for the index: SQLite does not look up a pair by another collation.
        sql +=
            after ? fmt::format(" AND {0} {1}= ?6 AND ({0}, m.id) {1} (?6, ?7)", order.key, compare)
                  : " AND ?6 IS NULL AND ?7 IS NULL";
        return sql + fmt::format(" ORDER BY {0} {1}, m.id {1} LIMIT ?8", order.key, direction);
    }

    template <typename KeyValue>
    ports::PageOf<ports::MediaRow> page(const std::optional<KeyValue>& key) const {
        const auto states = possible_states(filter);
        const bool few = !states.empty() && few_have(db, states);
        const FilterValues v = filter_values(filter);
        const std::optional<std::string> id = after ? std::optional(after->id) : std::nullopt;
        std::vector<MediaId> ids;
        Key last;
        bool more = false;
        {
            Rows rows =
                db.query(statement(few), v.created_from, v.created_before, v.language,
                         v.duration_min, v.duration_max, key, id, few ? limit + 1 : kLooksMax + 1);
            for (int looks = 0; rows.step(); ++looks) {
                if (ids.size() == static_cast<std::size_t>(limit) || (!few && looks == kLooksMax)) {
                    more = true;
                    break;
                }
                last.id = rows.text();
                if constexpr (std::is_same_v<KeyValue, std::string>) {
                    last.text = rows.text();
                } else {
                    last.number = rows.integer();
                }
                if (rows.flag()) {
                    ids.push_back(MediaId{last.id});
                }
            }
        }
        ports::PageOf<ports::MediaRow> found;
        for (const MediaId& one : ids) {
            found.rows.push_back(*media(db, one));  // of the same snapshot
        }
        if (more) {
            found.next_cursor = cursor_text(order, filter.ascending, last);
        }
        return found;
    }
};

}  // namespace

std::string filter_condition(const ports::MediaFilter& filter) {
    std::string condition =
        "(?1 IS NULL OR m.created_at >= ?1) AND (?2 IS NULL OR m.created_at < ?2)"
        " AND (?4 IS NULL OR m.duration_ms >= ?4)"
        " AND (?5 IS NULL OR m.duration_ms BETWEEN 0 AND ?5)"
        " AND (?3 IS NULL OR (SELECT json_extract(options, '$.language') FROM tasks WHERE id ="
        " m.newest_task) = ?3 COLLATE NOCASE)";
    if (!filter.states.empty() || filter.downloading) {
        const std::string wanted =
            filter.states.empty() ? "FALSE" : states_condition("state", filter.states);
        condition += fmt::format(
            " AND (SELECT {}{} FROM tasks WHERE id = m.newest_task)", wanted,
            filter.downloading ? " OR (completed_at IS NULL AND m.source_sha256 = '')" : "");
    }
    if (filter.has_transcript) {
        condition += fmt::format(
            " AND {} EXISTS (SELECT 1 FROM tasks t WHERE t.media_id = m.id"
            " AND " DURASCRIBE_TASK_DELIVERED ")",
            *filter.has_transcript ? "" : "NOT");
    }
    return condition;
}

FilterValues filter_values(const ports::MediaFilter& filter) {
    const auto wall = [](const std::optional<WallTime>& t) {
        return t ? std::optional(std::int64_t{t->time_since_epoch().count()}) : std::nullopt;
    };
    const auto millis = [](const std::optional<Millis>& t) {
        return t ? std::optional(std::int64_t{t->count()}) : std::nullopt;
    };
    return {.created_from = wall(filter.created_from),
            .created_before = wall(filter.created_before),
            .duration_min = millis(filter.duration_min),
            .duration_max = millis(filter.duration_max),
            .language = filter.language.empty() ? std::nullopt : std::optional(filter.language)};
}

Result<ports::PageOf<ports::MediaRow>> list_media(Connection& db, const ports::MediaFilter& filter,
                                                  const ports::Page& page) {
    if (!filter.search.empty()) {
        return search_media(db, filter, page);
    }
    const auto limit = checked_limit(page.limit);
    if (!limit) {
        return std::unexpected(limit.error());
    }
    Listing listing{.db = db,
                    .filter = filter,
                    .order = order_of(filter.order),
                    .after = std::nullopt,
                    .limit = *limit};
    if (!page.cursor.empty()) {
        listing.after = parse_cursor(listing.order, filter.ascending, page.cursor);
        if (!listing.after) {
            return std::unexpected(bad_cursor());
        }
    }
    if (listing.order.is_text) {
        return listing.page(listing.after ? std::optional(listing.after->text) : std::nullopt);
    }
    return listing.page(listing.after ? std::optional(listing.after->number) : std::nullopt);
}

}  // namespace durascribe::store
