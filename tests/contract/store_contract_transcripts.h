// For the contract's tests of finished transcripts: their edits, and the search over them.
#pragma once

#include <string>
#include <vector>

#include "store_contract.h"

namespace durascribe::contract {

// Two seconds from `start_s` on.
inline domain::Segment said(int start_s, const std::string& text,
                            const std::string& speaker = "A") {
    return {.span = {Millis{start_s * 1'000}, Millis{start_s * 1'000 + 2'000}},
            .text = text,
            .words = {},
            .speaker = speaker};
}

class StoreTranscripts : public StoreContract {
  protected:
    // Ends with the segments "one two" at 0 s, "three four" at 10 s, "five six" at 20 s.
    ports::TaskRow submit_completed() {
        const auto row = submit_extracted(1);
        transcribe(claim(domain::Lane::speech).lease);
        finish(claim(domain::Lane::local).lease,
               {said(0, "one two"), said(10, "three four", "B"), said(20, "five six")});
        return row;
    }
    void finish(const ports::Lease& lease, std::vector<domain::Segment> segments) {
        const auto end = store_->finish_final(
            lease, {.segments = std::move(segments),
                    .documents = {{domain::DocumentFormat::srt, "as recognised"}}});
        ASSERT_TRUE(end.has_value()) << end.error().message;
    }
    Result<ports::EditedTranscript> edit(const MediaId& media, auto what,
                                         std::optional<std::vector<ports::SeenVersion>> seen = {}) {
        return store_->edit_transcript(
            {.media = media, .task = {}, .if_newest = std::move(seen), .what = std::move(what)});
    }
    // "id:text id:text"
    std::string texts(const TaskId& task, std::optional<int> revision = {}) {
        const auto text = store_->transcript(task, revision);
        EXPECT_TRUE(text.has_value()) << text.error().message;
        std::string out;
        for (const auto& s : text->segments) {
            out += (out.empty() ? "" : " ") + std::to_string(s.id) + ":" + s.segment.text;
        }
        return out;
    }
};

class StoreSearch : public StoreTranscripts {
  protected:
    ports::SearchAnswer search(const std::string& text, ports::Page page = {},
                               std::optional<MediaId> media = {}) {
        const auto found = store_->search({.text = text, .media = std::move(media)}, page);
        EXPECT_TRUE(found.has_value()) << found.error().message << found.error().detail;
        return found.value_or(ports::SearchAnswer{});
    }
    ports::TaskRow submit_named(const std::string& title, std::vector<domain::Segment> segments) {
        const auto row = submit_extracted(1);
        EXPECT_TRUE(store_->rename_media(row.media_id, title).has_value());
        transcribe(claim(domain::Lane::speech).lease);
        finish(claim(domain::Lane::local).lease, std::move(segments));
        return row;
    }
};

}  // namespace durascribe::contract
