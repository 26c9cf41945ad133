// What the frames say, as typed values. Decoding checks every field: a worker's bytes are not
// trusted. Whether an answer fits its question (words within the chunk) is checked by process/. A
// message that does not decode is an error of class crash, code "protocol_error".
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "durascribe/base/error.h"
#include "durascribe/domain/media_info.h"
#include "durascribe/domain/transcript.h"

namespace durascribe::protocol {

// Bounds of what decodes. The largest message of each kind fits into one frame.
inline constexpr Millis kAudioMax{std::chrono::hours{24 * 30}};
inline constexpr std::size_t kNameMax = 1024;       // bytes: engine, model, codec, title …
inline constexpr std::size_t kTextMax = 16U << 10;  // bytes: a segment, an error's message
inline constexpr std::size_t kTracksMax = 256;
inline constexpr std::size_t kWarningsMax = 64;
inline constexpr std::size_t kSilencesMax = 500'000;      // 100 hours with one every 0.7 s
inline constexpr std::size_t kPeakValuesMax = 3'000'000;  // 41 hours at 100 ms
inline constexpr std::size_t kPosterMax = 512U << 10;     // bytes of the picture
inline constexpr std::size_t kSegmentsMax = 5'000;        // of one chunk
inline constexpr std::size_t kWordsMax = 20'000;          // of one chunk

// A worker's exit code when an allocation failed. It sends nothing then: that would allocate too.
inline constexpr int kExitOutOfMemory = 86;

struct Ready {
    std::string engine;  // of a speech worker
    std::string model;
    bool operator==(const Ready&) const = default;
};

struct ExtractRequest {
    int audio_track = -1;     // -1: the default one
    Millis longest_media{0};  // 0: no limit
    bool poster = false;      // whether a frame of the video may be decoded for one
    std::int64_t room = -1;   // bytes that are free for the decoded audio; -1: not known
    bool operator==(const ExtractRequest&) const = default;
};

struct TranscribeRequest {
    domain::AudioSpan span;
    std::string engine;
    std::string model;
    std::string language;
    bool operator==(const TranscribeRequest&) const = default;
};

// A worker that fetches writes to its descriptor, before the first byte: the length of a FetchHead
// in four bytes, little-endian, and the head; then the bytes from FetchHead::offset on.
struct FetchRequest {
    std::string url;
    std::int64_t offset = 0;  // that are there already
    std::string etag;         // of those; one of the two, where offset is not 0
    std::string last_modified;
    std::int64_t limit_bytes = 0;  // of the whole; 0: none
    Millis timeout{0};             // 0: none
    Millis stall{0};               // without a byte; 0: no limit
    bool operator==(const FetchRequest&) const = default;
};

inline constexpr std::int64_t kFetchBytesMax = std::int64_t{1} << 50;
inline constexpr std::size_t kFetchHeadMax = 16U << 10;

struct FetchHead {
    std::int64_t offset = 0;  // 0, or that of the request
    std::int64_t total = -1;  // of the whole; -1: not known
    std::string etag;
    std::string last_modified;
    std::string filename;  // as the other side calls it; empty: it does not
    bool operator==(const FetchHead&) const = default;
};

struct Fetched {
    std::int64_t bytes = 0;      // written behind the head
    std::optional<Error> error;  // why it ended before the whole was there
    Millis retry_after{-1};      // the other side asked for it; -1: it did not
};

struct Progress {
    Millis audio_done{0};  // within the unit; of a fetch: KiB in place of milliseconds
    bool operator==(const Progress&) const = default;
};

struct Extracted {
    domain::MediaInfo info;
    domain::Silences silences;
    domain::WaveformPeaks peaks;
    std::optional<domain::Poster> poster;
    bool decoded =
        true;  // false: the audio of info.duration does not fit the room; nothing written
};

struct Transcribed {
    std::vector<domain::Segment> segments;
    std::string engine;
    std::string model;
};

// Brings what was measured within the bounds: peaks coarser, the shortest silences left out,
// silences cut at the media's end.
void fit_to_bounds(Extracted& m);

// Text that is no clean UTF-8 is repaired and over-long text is cut: what encode writes of values
// within the bounds above, decode takes. An error whose class a worker may not report is sent as
// class internal.
std::string encode(const Ready& m);
std::string encode(const ExtractRequest& m);
std::string encode(const TranscribeRequest& m);
std::string encode(const Progress& m);
std::string encode(const FetchRequest& m);
std::string encode(const FetchHead& m);
std::string encode(const Fetched& m);
std::string encode(const Extracted& m);
std::string encode(const Transcribed& m);
std::string encode(const Error& m);  // FrameType::failed

// Message is one of the above.
template <typename Message>
Result<Message> decode(std::string_view payload);

extern template Result<Ready> decode<Ready>(std::string_view);
extern template Result<ExtractRequest> decode<ExtractRequest>(std::string_view);
extern template Result<TranscribeRequest> decode<TranscribeRequest>(std::string_view);
extern template Result<Progress> decode<Progress>(std::string_view);
extern template Result<FetchRequest> decode<FetchRequest>(std::string_view);
extern template Result<FetchHead> decode<FetchHead>(std::string_view);
extern template Result<Fetched> decode<Fetched>(std::string_view);
extern template Result<Extracted> decode<Extracted>(std::string_view);
extern template Result<Transcribed> decode<Transcribed>(std::string_view);
// Only the classes that a worker may report: input, network, memory, model, storage, internal.
extern template Result<Error> decode<Error>(std::string_view);

}  // namespace durascribe::protocol
