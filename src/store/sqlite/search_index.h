// What the search knows, changed in the transaction that changes what it knows of. Private to
// store/sqlite.
//
// A media without a number is not in it yet: the functions do nothing then, and index_more() takes
// it in.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "durascribe/store/sqlite/transitions.h"

namespace durascribe::store {

// Places in search_text (migration 0006).
inline constexpr std::int64_t kPlacesOfMedia = 1 << 20;
inline constexpr std::int64_t kTitlePlace = kPlacesOfMedia - 1;
inline std::int64_t place_of_segment(std::int64_t number, std::int64_t segment) {
    return number * kPlacesOfMedia + kTitlePlace - 1 - segment;
}

// Of a new media: higher than all others.
std::int64_t next_search_number(WriteTx& tx);

void index_title(WriteTx& tx, const MediaId& media, const std::string& title);
// All segments of the shown transcript, in place of those that are there.
void index_transcript(WriteTx& tx, const MediaId& media);
// One of the shown transcript; nullopt: it is gone.
void index_segment(WriteTx& tx, const MediaId& media, std::int64_t segment,
                   const std::optional<std::string>& text);
void unindex_media(WriteTx& tx, const MediaId& media);

}  // namespace durascribe::store
