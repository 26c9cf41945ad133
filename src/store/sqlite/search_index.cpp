#include "durascribe/store/sqlite/search_index.h"

#include "durascribe/store/sqlite/queries.h"
#include "durascribe/store/sqlite/search_words.h"
#include "durascribe/store/sqlite/verbs.h"

namespace durascribe::store {
namespace {

// Between the media that were there before the search and those that come.
constexpr std::int64_t kFirstNumber = std::int64_t{1} << 40;

std::optional<std::int64_t> number_of(WriteTx& tx, const MediaId& media) {
    Rows rows = tx.db.query("SELECT number FROM media WHERE id = ?", media);
    return rows.step() ? rows.maybe_integer() : std::nullopt;
}

void put(WriteTx& tx, std::int64_t place, const std::string& text) {
    tx.db.execute("INSERT INTO search_text (rowid, words) VALUES (?, ?)", place,
                  tx.db.search_words().folded(text));
}

void remove(WriteTx& tx, std::int64_t first, std::int64_t last) {
    tx.db.execute("DELETE FROM search_text WHERE rowid BETWEEN ? AND ?", first, last);
}

}  // namespace

std::int64_t next_search_number(WriteTx& tx) {
    Rows rows = tx.db.query("SELECT coalesce(max(number), ?) + 1 FROM media", kFirstNumber);
    DURASCRIBE_ASSERT(rows.step());
    return rows.integer();
}

void index_title(WriteTx& tx, const MediaId& media, const std::string& title) {
    if (const auto number = number_of(tx, media)) {
        const std::int64_t place = *number * kPlacesOfMedia + kTitlePlace;
        remove(tx, place, place);
        put(tx, place, title);
    }
}

void index_transcript(WriteTx& tx, const MediaId& media) {
    const auto number = number_of(tx, media);
    if (!number) {
        return;
    }
    const std::int64_t first = *number * kPlacesOfMedia;
    remove(tx, first, first + kTitlePlace - 1);
    const auto task = shown_task_id(tx.db, media);
    if (!task) {
        return;
    }
    for (const StoredSegment& s : stored_segments(tx.db, *task, newest_revision(tx.db, *task))) {
        if (s.id < kTitlePlace) {  // a transcript of a million segments: the rest is not found
            put(tx, place_of_segment(*number, s.id), s.text);
        }
    }
}

void index_segment(WriteTx& tx, const MediaId& media, std::int64_t segment,
                   const std::optional<std::string>& text) {
    const auto number = number_of(tx, media);
    if (!number || segment >= kTitlePlace) {
        return;
    }
    const std::int64_t place = place_of_segment(*number, segment);
    remove(tx, place, place);
    if (text) {
        put(tx, place, *text);
    }
}

void unindex_media(WriteTx& tx, const MediaId& media) {
    if (const auto number = number_of(tx, media)) {
        const std::int64_t first = *number * kPlacesOfMedia;
        remove(tx, first, first + kPlacesOfMedia - 1);
    }
}

// The newest of those that are left comes before all that were taken in so far: below the lowest
// number.
Result<bool> index_more(WriteTx& tx, int media) {
    struct Left {
        MediaId id;
        std::string title;
    };
    std::vector<Left> left;
    {
        Rows rows = tx.db.query(
            "SELECT id, title FROM media INDEXED BY media_not_indexed WHERE number IS NULL ORDER "
            "BY created_at DESC, id DESC"
            " LIMIT ?",
            media + 1);
        while (rows.step()) {
            MediaId id{rows.text()};
            left.push_back({std::move(id), rows.text()});
        }
    }
    const bool more = left.size() > static_cast<std::size_t>(media);
    left.resize(std::min(left.size(), static_cast<std::size_t>(media)));
    for (const Left& one : left) {
        tx.db.execute(
            "UPDATE media SET number = (SELECT coalesce(min(number), ?) - 1 FROM media) WHERE id ="
            " ?",
            kFirstNumber + 1, one.id);
        index_title(tx, one.id, one.title);
        index_transcript(tx, one.id);
    }
    return more;
}

}  // namespace durascribe::store
