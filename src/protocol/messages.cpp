#include "durascribe/protocol/messages.h"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <span>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <boost/json.hpp>

#include "durascribe/protocol/frame.h"
#include "durascribe/protocol/text.h"

namespace durascribe::protocol {
namespace {

namespace json = boost::json;

constexpr std::array kReportable = {ErrorClass::input, ErrorClass::network, ErrorClass::memory,
                                    ErrorClass::model, ErrorClass::storage, ErrorClass::internal};
constexpr std::size_t kCodeMax = 64;

bool reportable(ErrorClass c) {
    return std::find(kReportable.begin(), kReportable.end(), c) != kReportable.end();
}

// ---- Base64 (RFC 4648 §4) ----

std::string to_base64(std::span<const std::int8_t> values) {
    std::string out((values.size() + 2) / 3 * 4 + 1, '\0');  // EVP writes a final NUL
    const auto* bytes = reinterpret_cast<const unsigned char*>(values.data());
    const int length = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()), bytes,
                                       static_cast<int>(values.size()));
    out.resize(static_cast<std::size_t>(length));
    return out;
}

std::optional<std::vector<std::int8_t>> from_base64(std::string_view text) {
    if (text.size() % 4 != 0) {
        return std::nullopt;
    }
    const std::size_t padding = text.ends_with("==") ? 2 : text.ends_with("=") ? 1 : 0;
    std::vector<std::int8_t> out(text.size() / 4 * 3);
    const int length = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                                       reinterpret_cast<const unsigned char*>(text.data()),
                                       static_cast<int>(text.size()));
    // EVP skips white space at the ends; a message of ours has none, and then the sizes agree.
    if (length < 0 || static_cast<std::size_t>(length) != out.size()) {
        return std::nullopt;
    }
    out.resize(out.size() - padding);
    return out;
}

// ---- reading ----

// Keeps the first thing that is wrong with a message; after it, all that is read are defaults.
struct Faults {
    std::string first;
    void add(std::string what) {
        if (first.empty()) {
            first = std::move(what);
        }
    }
    bool any() const { return !first.empty(); }
};

std::int64_t integer_of(const json::value& v, std::int64_t least, std::int64_t most,
                        std::string_view name, Faults& faults) {
    const std::int64_t* number = v.if_int64();
    if (number == nullptr || *number < least || *number > most) {
        faults.add(fmt::format("{}: not a whole number from {} to {}", name, least, most));
        return least;
    }
    return *number;
}

double real_of(const json::value& v, double least, double most, std::string_view name,
               Faults& faults) {
    double number = std::numeric_limits<double>::quiet_NaN();
    if (const double* real = v.if_double()) {
        number = *real;
    } else if (const std::int64_t* whole = v.if_int64()) {
        number = static_cast<double>(*whole);
    }
    if (!(number >= least && number <= most)) {
        faults.add(fmt::format("{}: not a number from {} to {}", name, least, most));
        return least;
    }
    return number;
}

std::string text_of(const json::value& v, std::size_t bytes_max, std::string_view name,
                    Faults& faults) {
    const json::string* text = v.if_string();
    if (text == nullptr || !is_clean_text({text->data(), text->size()}, bytes_max)) {
        faults.add(fmt::format("{}: not clean text of at most {} bytes", name, bytes_max));
        return {};
    }
    return {text->data(), text->size()};
}

domain::AudioSpan span_of(const json::value& start, const json::value& end, std::string_view name,
                          Faults& faults) {
    const Millis from{integer_of(start, 0, kAudioMax.count(), name, faults)};
    const Millis to{integer_of(end, 0, kAudioMax.count(), name, faults)};
    if (to < from) {
        faults.add(fmt::format("{}: ends before it starts", name));
        return {};
    }
    return {from, to};
}

// The fields of one object. Every field must be there and none besides.
class Fields {
  public:
    Fields(const json::value& v, std::size_t count, std::string_view name, Faults& faults)
        : object_(v.if_object()), faults_(faults) {
        if (object_ == nullptr || object_->size() != count) {
            faults_.add(fmt::format("{}: not an object of {} fields", name, count));
        }
    }

    const json::value& value(std::string_view name) {
        static const json::value kNothing;
        const json::value* found = object_ == nullptr ? nullptr : object_->if_contains(name);
        if (found == nullptr) {
            faults_.add(fmt::format("{}: missing", name));
            return kNothing;
        }
        return *found;
    }
    std::int64_t integer(std::string_view name, std::int64_t least, std::int64_t most) {
        return integer_of(value(name), least, most, name, faults_);
    }
    Millis millis(std::string_view name) { return Millis{integer(name, 0, kAudioMax.count())}; }
    double real(std::string_view name, double least, double most) {
        return real_of(value(name), least, most, name, faults_);
    }
    bool boolean(std::string_view name) {
        const bool* flag = value(name).if_bool();
        if (flag == nullptr) {
            faults_.add(fmt::format("{}: not true or false", name));
        }
        return flag != nullptr && *flag;
    }
    std::string text(std::string_view name, std::size_t bytes_max = kNameMax) {
        return text_of(value(name), bytes_max, name, faults_);
    }
    domain::AudioSpan span() {
        return span_of(value("start_ms"), value("end_ms"), "start_ms, end_ms", faults_);
    }
    // Empty where it is no array or longer than `most`.
    const json::array& array(std::string_view name, std::size_t most) {
        static const json::array kNone;
        const json::array* items = value(name).if_array();
        if (items == nullptr || items->size() > most) {
            faults_.add(fmt::format("{}: not an array of at most {}", name, most));
            return kNone;
        }
        return *items;
    }

  private:
    const json::object* object_;
    Faults& faults_;
};

// ---- one reader for each message ----

void read(const json::value& v, Faults& faults, Ready& m) {
    Fields f(v, 2, "ready", faults);
    m.engine = f.text("engine");
    m.model = f.text("model");
}

void read(const json::value& v, Faults& faults, ExtractRequest& m) {
    Fields f(v, 4, "extract", faults);
    m.audio_track = static_cast<int>(f.integer("audio_track", -1, 1'000'000));
    m.longest_media = f.millis("longest_media_ms");
    m.poster = f.boolean("poster");
    m.room = f.integer("room_bytes", -1, std::numeric_limits<std::int64_t>::max());
}

void read(const json::value& v, Faults& faults, TranscribeRequest& m) {
    Fields f(v, 5, "transcribe", faults);
    m.span = f.span();
    m.engine = f.text("engine");
    m.model = f.text("model");
    m.language = f.text("language");
}

void read(const json::value& v, Faults& faults, Progress& m) {
    Fields f(v, 1, "progress", faults);
    m.audio_done = f.millis("audio_done_ms");
}

domain::AudioTrack read_track(const json::value& v, Faults& faults) {
    Fields f(v, 7, "audio track", faults);
    domain::AudioTrack track;
    track.index = static_cast<int>(f.integer("index", 0, 1'000'000));
    track.codec = f.text("codec");
    track.language = f.text("language");
    track.title = f.text("title");
    track.channels = static_cast<int>(f.integer("channels", 0, 100'000));
    track.sample_rate_hz = static_cast<int>(f.integer("sample_rate_hz", 0, 100'000'000));
    track.is_default = f.boolean("is_default");
    return track;
}

domain::MediaInfo read_info(const json::value& v, Faults& faults) {
    Fields f(v, 8, "info", faults);
    domain::MediaInfo info;
    info.container = f.text("container");
    info.duration = f.millis("duration_ms");
    info.has_video = f.boolean("has_video");
    for (const json::value& track : f.array("audio_tracks", kTracksMax)) {
        info.audio_tracks.push_back(read_track(track, faults));
    }
    info.chosen_track = static_cast<int>(f.integer("chosen_track", 0, 1'000'000));
    info.loudness_lufs = f.real("loudness_lufs", -1000, 1000);
    info.peak_dbfs = f.real("peak_dbfs", -1000, 1000);
    for (const json::value& warning : f.array("warnings", kWarningsMax)) {
        info.warnings.push_back(text_of(warning, kNameMax, "warnings", faults));
    }
    return info;
}

// [start, end, start, end, …]: in order, none empty, not overlapping, within the media.
domain::Silences read_silences(const json::array& flat, Millis duration, Faults& faults) {
    domain::Silences silences;
    silences.reserve(flat.size() / 2);
    if (flat.size() % 2 != 0) {
        faults.add("silences: an end is missing");
    }
    Millis last_end{0};
    for (std::size_t i = 0; i + 1 < flat.size() && !faults.any(); i += 2) {
        const auto span = span_of(flat[i], flat[i + 1], "silences", faults);
        if (span.start < last_end || span.end == span.start || span.end > duration) {
            faults.add("silences: empty, out of order or past the end of the media");
        }
        last_end = span.end;
        silences.push_back(span);
    }
    return silences;
}

domain::WaveformPeaks read_peaks(const json::value& v, Faults& faults) {
    Fields f(v, 2, "peaks", faults);
    domain::WaveformPeaks peaks;
    peaks.bucket = Millis{f.integer("bucket_ms", 1, kAudioMax.count())};
    const json::string* text = f.value("min_max").if_string();
    auto values = text == nullptr || text->size() > (kPeakValuesMax + 2) / 3 * 4
                      ? std::nullopt
                      : from_base64({text->data(), text->size()});
    if (!values || values->size() % 2 != 0) {
        faults.add("min_max: not base64 of at most so many pairs");
        return peaks;
    }
    peaks.min_max = std::move(*values);
    return peaks;
}

// null, or a picture that begins as its type does: it is shown to browsers as that.
std::optional<domain::Poster> read_poster(const json::value& v, Faults& faults) {
    if (v.is_null()) {
        return std::nullopt;
    }
    Fields f(v, 2, "poster", faults);
    domain::Poster poster{.mime_type = f.text("mime_type"), .bytes = {}};
    const json::string* text = f.value("bytes").if_string();
    const auto bytes = text == nullptr || text->size() > (kPosterMax + 2) / 3 * 4
                           ? std::nullopt
                           : from_base64({text->data(), text->size()});
    if (bytes) {
        poster.bytes.assign(bytes->begin(), bytes->end());
    }
    if (!domain::is_picture(poster)) {
        faults.add("poster: not a picture of a type that is taken");
    }
    return poster;
}

void read(const json::value& v, Faults& faults, Extracted& m) {
    Fields f(v, 5, "extracted", faults);
    m.info = read_info(f.value("info"), faults);
    m.silences = read_silences(f.array("silences", 2 * kSilencesMax), m.info.duration, faults);
    m.peaks = read_peaks(f.value("peaks"), faults);
    m.poster = read_poster(f.value("poster"), faults);
    m.decoded = f.boolean("decoded");
}

// [start, end, text, confidence]
domain::Word read_word(const json::value& v, Faults& faults) {
    const json::array* items = v.if_array();
    if (items == nullptr || items->size() != 4) {
        faults.add("words: not an array of four");
        return {};
    }
    const json::array& a = *items;
    return {span_of(a[0], a[1], "words", faults), text_of(a[2], kNameMax, "words", faults),
            real_of(a[3], 0, 1, "words", faults)};
}

domain::Segment read_segment(const json::value& v, std::size_t words_max, Faults& faults) {
    Fields f(v, 6, "segment", faults);
    domain::Segment segment;
    segment.span = f.span();
    segment.text = f.text("text", kTextMax);
    segment.confidence = f.real("confidence", 0, 1);
    for (const json::value& word : f.array("words", words_max)) {
        segment.words.push_back(read_word(word, faults));
    }
    if (!f.value("speaker").is_null()) {
        segment.speaker = f.text("speaker");
    }
    return segment;
}

void read(const json::value& v, Faults& faults, Transcribed& m) {
    Fields f(v, 3, "transcribed", faults);
    std::size_t words_left = kWordsMax;
    for (const json::value& segment : f.array("segments", kSegmentsMax)) {
        m.segments.push_back(read_segment(segment, words_left, faults));
        words_left -= m.segments.back().words.size();
        if (faults.any()) {
            return;
        }
    }
    m.engine = f.text("engine");
    m.model = f.text("model");
}

void read(const json::value& v, Faults& faults, Error& m) {
    Fields f(v, 4, "failed", faults);
    const auto cls = error_class_from(f.text("class"));
    if (!cls || !reportable(*cls)) {
        faults.add("class: not one that a worker may report");
    }
    m.cls = cls.value_or(ErrorClass::internal);
    m.code = f.text("code", kCodeMax);
    const auto in_code = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
    };
    if (m.code.empty() || !std::all_of(m.code.begin(), m.code.end(), in_code)) {
        faults.add("code: not in snake_case");
    }
    m.message = f.text("message", kTextMax);
    m.detail = f.text("detail", kTextMax);
}

void read(const json::value& v, Faults& faults, FetchRequest& m) {
    Fields f(v, 7, "fetch", faults);
    m.url = f.text("url", kTextMax);
    m.offset = f.integer("offset", 0, kFetchBytesMax);
    m.etag = f.text("etag");
    m.last_modified = f.text("last_modified");
    m.limit_bytes = f.integer("limit_bytes", 0, kFetchBytesMax);
    m.timeout = f.millis("timeout_ms");
    m.stall = f.millis("stall_ms");
}

void read(const json::value& v, Faults& faults, FetchHead& m) {
    Fields f(v, 5, "fetch head", faults);
    m.offset = f.integer("offset", 0, kFetchBytesMax);
    m.total = f.integer("total", -1, kFetchBytesMax);
    m.etag = f.text("etag");
    m.last_modified = f.text("last_modified");
    m.filename = f.text("filename");
    if (m.total >= 0 && m.total < m.offset) {
        faults.add("total: less than the offset");
    }
}

void read(const json::value& v, Faults& faults, Fetched& m) {
    Fields f(v, 3, "fetched", faults);
    m.bytes = f.integer("bytes", 0, kFetchBytesMax);
    m.retry_after = Millis{f.integer("retry_after_ms", -1, kAudioMax.count())};
    if (const json::value& error = f.value("error"); !error.is_null()) {
        read(error, faults, m.error.emplace());
    }
}

// ---- writing ----

json::string text(std::string_view raw, std::size_t bytes_max = kNameMax) {
    return json::string(clean_text(raw, bytes_max));
}

json::object json_of(const domain::AudioTrack& track) {
    return {{"index", track.index},
            {"codec", text(track.codec)},
            {"language", text(track.language)},
            {"title", text(track.title)},
            {"channels", track.channels},
            {"sample_rate_hz", track.sample_rate_hz},
            {"is_default", track.is_default}};
}

json::object json_of(const domain::MediaInfo& info) {
    json::array tracks;
    for (const auto& track : info.audio_tracks) {
        tracks.push_back(json_of(track));
    }
    json::array warnings;
    for (const auto& warning : info.warnings) {
        warnings.push_back(text(warning));
    }
    return {{"container", text(info.container)}, {"duration_ms", info.duration.count()},
            {"has_video", info.has_video},       {"audio_tracks", std::move(tracks)},
            {"chosen_track", info.chosen_track}, {"loudness_lufs", info.loudness_lufs},
            {"peak_dbfs", info.peak_dbfs},       {"warnings", std::move(warnings)}};
}

json::object json_of(const domain::Segment& segment) {
    json::array words;
    words.reserve(segment.words.size());
    for (const auto& word : segment.words) {
        words.push_back(json::array{word.span.start.count(), word.span.end.count(), text(word.text),
                                    word.confidence});
    }
    return {{"start_ms", segment.span.start.count()},
            {"end_ms", segment.span.end.count()},
            {"text", text(segment.text, kTextMax)},
            {"confidence", segment.confidence},
            {"words", std::move(words)},
            {"speaker", segment.speaker ? json::value(text(*segment.speaker)) : json::value()}};
}

}  // namespace

void fit_to_bounds(Extracted& m) {
    auto& values = m.peaks.min_max;
    while (values.size() > kPeakValuesMax) {
        std::size_t to = 0;
        for (std::size_t from = 0; from + 1 < values.size(); from += 4, to += 2) {
            const std::size_t pair = from + 3 < values.size() ? from + 2 : from;
            const auto low = std::min(values[from], values[pair]);
            const auto high = std::max(values[from + 1], values[pair + 1]);
            values[to] = low;
            values[to + 1] = high;
        }
        values.resize(to);
        m.peaks.bucket *= 2;
    }
    for (auto& silence : m.silences) {
        silence.end = std::min(silence.end, m.info.duration);
    }
    std::erase_if(m.silences, [](const auto& s) { return s.end <= s.start; });
    if (m.silences.size() > kSilencesMax) {
        std::nth_element(m.silences.begin(), m.silences.begin() + kSilencesMax, m.silences.end(),
                         [](const auto& a, const auto& b) { return a.length() > b.length(); });
        m.silences.resize(kSilencesMax);
        std::sort(m.silences.begin(), m.silences.end(),
                  [](const auto& a, const auto& b) { return a.start < b.start; });
    }
    if (m.info.warnings.size() > kWarningsMax) {
        m.info.warnings.resize(kWarningsMax);
    }
    if (m.info.audio_tracks.size() > kTracksMax) {
        m.info.audio_tracks.resize(kTracksMax);
    }
}

std::string encode(const Ready& m) {
    return json::serialize(json::object{{"engine", text(m.engine)}, {"model", text(m.model)}});
}

std::string encode(const ExtractRequest& m) {
    return json::serialize(json::object{{"audio_track", m.audio_track},
                                        {"longest_media_ms", m.longest_media.count()},
                                        {"poster", m.poster},
                                        {"room_bytes", m.room}});
}

std::string encode(const TranscribeRequest& m) {
    return json::serialize(json::object{{"start_ms", m.span.start.count()},
                                        {"end_ms", m.span.end.count()},
                                        {"engine", text(m.engine)},
                                        {"model", text(m.model)},
                                        {"language", text(m.language)}});
}

std::string encode(const Progress& m) {
    return json::serialize(json::object{{"audio_done_ms", m.audio_done.count()}});
}

std::string encode(const Extracted& m) {
    json::array silences;
    silences.reserve(2 * m.silences.size());
    for (const auto& silence : m.silences) {
        silences.emplace_back(silence.start.count());
        silences.emplace_back(silence.end.count());
    }
    json::value poster;
    if (m.poster) {
        const std::string& bytes = m.poster->bytes;
        const auto* values = reinterpret_cast<const std::int8_t*>(bytes.data());
        poster = json::object{{"mime_type", m.poster->mime_type},
                              {"bytes", to_base64({values, bytes.size()})}};
    }
    return json::serialize(
        json::object{{"info", json_of(m.info)},
                     {"silences", std::move(silences)},
                     {"peaks", json::object{{"bucket_ms", m.peaks.bucket.count()},
                                            {"min_max", to_base64(m.peaks.min_max)}}},
                     {"poster", std::move(poster)},
                     {"decoded", m.decoded}});
}

std::string encode(const Transcribed& m) {
    json::array segments;
    segments.reserve(m.segments.size());
    for (const auto& segment : m.segments) {
        segments.push_back(json_of(segment));
    }
    return json::serialize(json::object{
        {"segments", std::move(segments)}, {"engine", text(m.engine)}, {"model", text(m.model)}});
}

std::string encode(const Error& m) {
    const ErrorClass cls = reportable(m.cls) ? m.cls : ErrorClass::internal;
    return json::serialize(json::object{{"class", to_string(cls)},
                                        {"code", m.code},
                                        {"message", text(m.message, kTextMax)},
                                        {"detail", text(m.detail, kTextMax)}});
}

std::string encode(const FetchRequest& m) {
    return json::serialize(json::object{{"url", text(m.url, kTextMax)},
                                        {"offset", m.offset},
                                        {"etag", text(m.etag)},
                                        {"last_modified", text(m.last_modified)},
                                        {"limit_bytes", m.limit_bytes},
                                        {"timeout_ms", m.timeout.count()},
                                        {"stall_ms", m.stall.count()}});
}

std::string encode(const FetchHead& m) {
    return json::serialize(json::object{{"offset", m.offset},
                                        {"total", m.total},
                                        {"etag", text(m.etag)},
                                        {"last_modified", text(m.last_modified)},
                                        {"filename", text(m.filename)}});
}

std::string encode(const Fetched& m) {
    json::value error;
    if (m.error) {
        error = json::parse(encode(*m.error));
    }
    return json::serialize(json::object{{"bytes", m.bytes},
                                        {"error", std::move(error)},
                                        {"retry_after_ms", m.retry_after.count()}});
}

template <typename Message>
Result<Message> decode(std::string_view payload) {
    json::error_code error;
    json::parse_options strict;  // no comments, no invalid UTF-8
    strict.max_depth = 8;
    const json::value value = json::parse(payload, error, json::storage_ptr{}, strict);
    if (error) {
        return std::unexpected(protocol_error("not JSON: " + error.message()));
    }
    Faults faults;
    Message message{};
    read(value, faults, message);
    if (faults.any()) {
        return std::unexpected(protocol_error(std::move(faults.first)));
    }
    return message;
}

template Result<Ready> decode<Ready>(std::string_view);
template Result<ExtractRequest> decode<ExtractRequest>(std::string_view);
template Result<TranscribeRequest> decode<TranscribeRequest>(std::string_view);
template Result<Progress> decode<Progress>(std::string_view);
template Result<FetchRequest> decode<FetchRequest>(std::string_view);
template Result<FetchHead> decode<FetchHead>(std::string_view);
template Result<Fetched> decode<Fetched>(std::string_view);
template Result<Extracted> decode<Extracted>(std::string_view);
template Result<Transcribed> decode<Transcribed>(std::string_view);
template Result<Error> decode<Error>(std::string_view);

}  // namespace durascribe::protocol
