// The search: over titles and the shown transcripts (migration 0006 says in which order).
#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>

#include <fmt/format.h>

#include "durascribe/store/sqlite/queries.h"
#include "durascribe/store/sqlite/search_index.h"
#include "durascribe/store/sqlite/search_words.h"

namespace durascribe::store {
namespace {

// Up to so many hits are ordered by how well they fit; more come as they stand.
constexpr std::size_t kRankedMax = 200;
// Rows of the index that one page of media looks at: one media may have many.
constexpr int kLooksMax = 50'000;
constexpr std::size_t kSnippetCharacters = 200;
constexpr std::int64_t kHighest = std::numeric_limits<std::int64_t>::max();

// The last hit of the page before.
struct Cursor {
    bool ranked = false;
    std::int64_t top = kHighest;     // ranked: hits above came in later
    std::int64_t rank = 0;           // ranked: in thousandths
    std::int64_t before = kHighest;  // the place
};

template <std::size_t N>
bool read_numbers(std::string_view text, std::array<std::int64_t*, N> into) {
    for (std::size_t i = 0; i < N; ++i) {
        const auto [end, failed] =
            std::from_chars(text.data(), text.data() + text.size(), *into.at(i));
        const bool last = i + 1 == N;
        const bool ended = end == text.data() + text.size();
        if (failed != std::errc{} || ended != last || (!last && *end != '_') || *into.at(i) < 0) {
            return false;
        }
        text.remove_prefix(last ? text.size() : static_cast<std::size_t>(end - text.data()) + 1);
    }
    return true;
}

Result<Cursor> parse_cursor(std::string_view text) {
    Cursor c;
    if (text.empty()) {
        return c;
    }
    c.ranked = text.starts_with("r_");
    const bool ok =
        c.ranked ? read_numbers(text.substr(2), std::array{&c.top, &c.rank, &c.before})
                 : text.starts_with("n_") && read_numbers(text.substr(2), std::array{&c.before});
    return ok ? Result<Cursor>(c) : std::unexpected(bad_cursor());
}

struct Place {
    std::int64_t place = 0;
    std::int64_t number() const { return place / kPlacesOfMedia; }
    bool is_title() const { return place % kPlacesOfMedia == kTitlePlace; }
    std::int64_t segment() const { return kTitlePlace - 1 - place % kPlacesOfMedia; }
};

struct Bounds {
    std::int64_t below = kHighest;
    std::int64_t from = 0;
};

// The first `limit` places that have the words, from the highest down.
std::vector<Place> find_places(Connection& db, const std::string& expression, Bounds bounds,
                               std::size_t limit) {
    std::vector<Place> places;
    Rows rows = db.query(
        "SELECT rowid FROM search_text WHERE search_text MATCH ?1 AND rowid < ?2 AND rowid >= ?3"
        " ORDER BY rowid DESC LIMIT ?4",
        expression, bounds.below, bounds.from, static_cast<std::int64_t>(limit));
    while (rows.step()) {
        places.push_back({rows.integer()});
    }
    return places;
}

struct MediaOfHit {
    MediaId id;
    std::string title;
    std::optional<TaskId> task;
    int newest = 0;
};

// Makes hits of places; those of one media are read together.
class HitReader {
  public:
    HitReader(Connection& db, const std::vector<SearchPhrase>& phrases)
        : db_(db), phrases_(phrases) {}

    // nullopt: nothing of it fits any more.
    std::optional<ports::SearchHit> read(Place place) {
        const MediaOfHit* media = media_of(place.number());
        if (media == nullptr) {
            return std::nullopt;
        }
        ports::SearchHit hit{.media = media->id, .title = media->title};
        hit.in_title = place.is_title();
        std::string text = media->title;
        if (!hit.in_title) {
            const auto segment = media->task ? segment_of(*media, place.segment()) : std::nullopt;
            if (!segment) {
                return std::nullopt;
            }
            hit.task = *media->task;
            hit.segment = segment->id;
            hit.span = segment->span;
            text = segment->text;
        }
        const auto words = db_.search_words().split(text);
        const SearchMatch match = match_text(phrases_, words);
        if (match.marks.empty()) {
            return std::nullopt;
        }
        SearchSnippet snippet = snippet_of(text, words, match, kSnippetCharacters);
        hit.snippet = std::move(snippet.text);
        hit.marks = std::move(snippet.marks);
        // Thousandths, so that a cursor says it exactly; a title is about all of the media.
        hit.rank = std::round(match.rank * (hit.in_title ? 1'000 : 800)) / 1'000;
        return hit;
    }

    void set_index(ports::SearchHit& hit) {
        if (hit.in_title) {
            return;
        }
        if (newest_revision(db_, hit.task) == 0) {
            hit.index = static_cast<int>(hit.segment);  // in the order in which they were joined
            return;
        }
        Rows rows = db_.query(
            "SELECT count(*) FROM edited_segments WHERE task_id = ? AND died IS NULL"
            " AND (start_ms, id) < (?, ?)",
            hit.task, hit.span.start, hit.segment);
        DURASCRIBE_ASSERT(rows.step());
        hit.index = rows.small();
    }

  private:
    const MediaOfHit* media_of(std::int64_t number) {
        const auto known = media_.find(number);
        if (known != media_.end()) {
            return &known->second;
        }
        MediaOfHit media;
        {
            Rows rows = db_.query("SELECT id, title FROM media WHERE number = ?", number);
            if (!rows.step()) {
                return nullptr;
            }
            media.id.value = rows.text();
            media.title = rows.text();
        }
        media.task = shown_task_id(db_, media.id);
        media.newest = media.task ? newest_revision(db_, *media.task) : 0;
        return &media_.emplace(number, std::move(media)).first->second;
    }

    std::optional<StoredSegment> segment_of(const MediaOfHit& media, std::int64_t id) {
        if (media.newest > 0) {
            return first(db_.query("SELECT " DURASCRIBE_EDITED_COLUMNS
                                   " FROM edited_segments WHERE task_id = ? AND id = ? AND died IS"
                                   " NULL",
                                   *media.task, id));
        }
        auto found = first(db_.query(
            "SELECT position, 0, start_ms, end_ms, text, confidence, speaker, '' FROM segments"
            " WHERE task_id = ? AND unit_id = 0 AND position = ?",
            *media.task, id));
        if (found) {
            return found;
        }
        // Never joined: finalizing it failed.
        auto all = stored_segments(db_, *media.task, 0);
        const auto one = std::ranges::find(all, id, &StoredSegment::id);
        return one != all.end() ? std::optional(std::move(*one)) : std::nullopt;
    }

    static std::optional<StoredSegment> first(Rows rows) {
        return rows.step() ? std::optional(read_segment(rows)) : std::nullopt;
    }

    Connection& db_;
    const std::vector<SearchPhrase>& phrases_;
    std::map<std::int64_t, MediaOfHit> media_;
};

std::int64_t thousandths(const ports::SearchHit& hit) {
    return std::llround(hit.rank * 1'000);
}

// All of them, best first; of those that fit alike, the newest media first.
ports::SearchAnswer ranked_page(HitReader& reader, const std::vector<Place>& places,
                                const Cursor& cursor, std::int64_t top, std::size_t limit) {
    struct Ranked {
        std::int64_t rank;
        std::int64_t place;
        ports::SearchHit hit;
    };
    std::vector<Ranked> all;
    for (const Place place : places) {
        if (auto hit = reader.read(place)) {
            const std::int64_t rank = thousandths(*hit);
            if (!cursor.ranked ||
                std::pair(rank, place.place) < std::pair(cursor.rank, cursor.before)) {
                all.push_back({rank, place.place, std::move(*hit)});
            }
        }
    }
    std::ranges::sort(all, std::ranges::greater(),
                      [](const Ranked& r) { return std::pair(r.rank, r.place); });
    ports::SearchAnswer answer;
    for (Ranked& r : all) {
        if (answer.hits.size() == limit) {
            const Ranked& last = all[limit - 1];
            answer.next_cursor = fmt::format("r_{}_{}_{}", top, last.rank, last.place);
            break;
        }
        answer.hits.push_back(std::move(r.hit));
    }
    return answer;
}

ports::SearchAnswer plain_page(HitReader& reader, const std::vector<Place>& places,
                               std::size_t limit) {
    ports::SearchAnswer answer{.hits = {}, .next_cursor = {}, .best_first = false};
    for (const Place place : places) {
        if (answer.hits.size() == limit) {
            break;
        }
        if (auto hit = reader.read(place)) {
            answer.hits.push_back(std::move(*hit));
            answer.next_cursor = fmt::format("n_{}", place.place);
        }
    }
    if (places.size() <= limit) {
        answer.next_cursor.clear();
    }
    return answer;
}

}  // namespace

Result<ports::SearchAnswer> search(Connection& db, const ports::SearchRequest& request,
                                   const ports::Page& page) {
    const auto limit = checked_limit(page.limit);
    const auto cursor = parse_cursor(page.cursor);
    if (!limit || !cursor) {
        return std::unexpected(limit ? cursor.error() : limit.error());
    }
    Bounds bounds;
    if (request.media) {
        Rows rows = db.query("SELECT number FROM media WHERE id = ?", *request.media);
        if (!rows.step()) {
            return std::unexpected(media_not_found(*request.media));
        }
        const auto number = rows.maybe_integer();
        if (!number) {
            return ports::SearchAnswer{};
        }
        bounds = {.below = (*number + 1) * kPlacesOfMedia, .from = *number * kPlacesOfMedia};
    }
    const auto phrases = parse_search(db.search_words(), request.text);
    if (phrases.empty()) {
        return ports::SearchAnswer{};
    }
    const std::string expression = match_expression(phrases);
    HitReader reader(db, phrases);
    const auto wanted = static_cast<std::size_t>(*limit);
    ports::SearchAnswer answer;
    if (!page.cursor.empty() && !cursor->ranked) {
        bounds.below = std::min(bounds.below, cursor->before);
        answer = plain_page(reader, find_places(db, expression, bounds, wanted + 1), wanted);
    } else {
        bounds.below = std::min(bounds.below, cursor->top == kHighest ? kHighest : cursor->top + 1);
        const auto places = find_places(db, expression, bounds, kRankedMax + 1);
        if (places.size() <= kRankedMax || cursor->ranked) {
            const std::int64_t top = cursor->ranked   ? cursor->top
                                     : places.empty() ? 0
                                                      : places.front().place | kTitlePlace;
            answer = ranked_page(reader, places, *cursor, top, wanted);
        } else {
            answer = plain_page(reader, places, wanted);
        }
    }
    for (ports::SearchHit& hit : answer.hits) {
        reader.set_index(hit);
    }
    return answer;
}

Result<ports::PageOf<ports::MediaRow>> search_media(Connection& db,
                                                    const ports::MediaFilter& filter,
                                                    const ports::Page& page) {
    const auto limit = checked_limit(page.limit);
    if (!limit) {
        return std::unexpected(limit.error());
    }
    std::int64_t number = kHighest / kPlacesOfMedia;  // below which we look
    if (!page.cursor.empty() &&
        (!page.cursor.starts_with("s_") ||
         !read_numbers(std::string_view(page.cursor).substr(2), std::array{&number}) ||
         number > kHighest / kPlacesOfMedia)) {
        return std::unexpected(bad_cursor());
    }
    ports::PageOf<ports::MediaRow> found;
    const auto phrases = parse_search(db.search_words(), filter.search);
    if (phrases.empty()) {
        return found;
    }
    const std::string of_media = "SELECT " DURASCRIBE_MEDIA_COLUMNS
                                 " FROM media AS m WHERE number = ?6 AND " +
                                 filter_condition(filter);
    const FilterValues v = filter_values(filter);
    const std::string expression = match_expression(phrases);
    Rows places = db.query(
        "SELECT rowid FROM search_text WHERE search_text MATCH ? AND rowid < ?"
        " ORDER BY rowid DESC",
        expression, number * kPlacesOfMedia);
    std::int64_t last = number;
    for (int looks = 0; places.step(); ++looks) {
        const std::int64_t next = Place{places.integer()}.number();
        if (next == last) {
            continue;
        }
        if (looks >= kLooksMax || found.rows.size() == static_cast<std::size_t>(*limit)) {
            found.next_cursor = fmt::format("s_{}", last);
            break;
        }
        last = next;
        Rows media = db.query(of_media, v.created_from, v.created_before, v.language,
                              v.duration_min, v.duration_max, next);
        if (media.step()) {
            found.rows.push_back(read_media(media));
        }
    }
    return found;
}

}  // namespace durascribe::store
