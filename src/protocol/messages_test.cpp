#include "durascribe/protocol/messages.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <cmath>
#include <functional>

#include <boost/json.hpp>

#include "durascribe/protocol/frame.h"
#include "durascribe/protocol/text.h"

namespace durascribe::protocol {
namespace {

namespace json = boost::json;

template <typename Message>
void expect_refused(std::string_view payload) {
    const auto decoded = decode<Message>(payload);
    ASSERT_FALSE(decoded.has_value()) << payload.substr(0, 200);
    EXPECT_EQ(decoded.error().cls, ErrorClass::crash);
    EXPECT_EQ(decoded.error().code, "protocol_error");
    EXPECT_FALSE(decoded.error().detail.empty());
}

Extracted sample_extracted() {
    Extracted m;
    m.info.container = "matroska,webm";
    m.info.duration = Millis{90'000};
    m.info.has_video = true;
    m.info.audio_tracks = {{0, "opus", "en", "Commentary", 2, 48'000, true}};
    m.info.loudness_lufs = -23.4;
    m.info.peak_dbfs = -1.5;
    m.info.warnings = {"The file ends early: the last 3 s are missing."};
    m.silences = {{Millis{0}, Millis{400}}, {Millis{5'000}, Millis{90'000}}};
    m.peaks = {Millis{100}, {-128, 127, 0, 1, -5, 5, 7, 8}};
    m.poster = domain::Poster{"image/jpeg", std::string("\xFF\xD8\xFF\0picture", 11)};
    return m;
}

Transcribed sample_transcribed() {
    domain::Segment segment{{Millis{1'000}, Millis{2'500}}, "hello w\xc3\xb6rld", 0.8125, {}, {}};
    segment.words = {{{Millis{1'000}, Millis{1'500}}, "hello", 0.75},
                     {{Millis{1'600}, Millis{2'500}}, "w\xc3\xb6rld", 1.0}};
    domain::Segment spoken = segment;
    spoken.speaker = "speaker_1";
    return {{segment, spoken}, "pocketsphinx", "en-us"};
}

json::object tree_of(const std::string& payload) {
    return json::parse(payload).as_object();
}

TEST(Messages, SmallOnesComeBackAsTheyWent) {
    const Ready ready{"pocketsphinx", "en-us"};
    EXPECT_EQ(decode<Ready>(encode(ready)), ready);
    const ExtractRequest extract{-1, Millis{36'000'000}, true, std::int64_t{1} << 60};
    EXPECT_EQ(decode<ExtractRequest>(encode(extract)), extract);
    const TranscribeRequest transcribe{{Millis{30'000}, Millis{60'000}}, "whisper", "base", "de"};
    EXPECT_EQ(decode<TranscribeRequest>(encode(transcribe)), transcribe);
    const Progress progress{Millis{1'234}};
    EXPECT_EQ(decode<Progress>(encode(progress)), progress);
    const Error error{ErrorClass::input, "no_audio", "There is no sound in it.", "streams: 1"};
    EXPECT_EQ(decode<Error>(encode(error)).value(), error);
}

TEST(Messages, ExtractedComesBackAsItWent) {
    const Extracted m = sample_extracted();
    const auto back = decode<Extracted>(encode(m));
    ASSERT_TRUE(back.has_value()) << back.error().detail;
    EXPECT_EQ(back->info.container, m.info.container);
    EXPECT_EQ(back->info.duration, m.info.duration);
    EXPECT_EQ(back->info.has_video, m.info.has_video);
    ASSERT_EQ(back->info.audio_tracks.size(), 1U);
    EXPECT_EQ(back->info.audio_tracks[0].title, "Commentary");
    EXPECT_EQ(back->info.audio_tracks[0].sample_rate_hz, 48'000);
    EXPECT_DOUBLE_EQ(back->info.loudness_lufs, m.info.loudness_lufs);
    EXPECT_DOUBLE_EQ(back->info.peak_dbfs, m.info.peak_dbfs);
    EXPECT_EQ(back->info.warnings, m.info.warnings);
    EXPECT_EQ(back->silences, m.silences);
    EXPECT_EQ(back->peaks.bucket, m.peaks.bucket);
    EXPECT_EQ(back->peaks.min_max, m.peaks.min_max);
    ASSERT_TRUE(back->poster.has_value());
    EXPECT_EQ(back->poster->mime_type, m.poster->mime_type);
    EXPECT_EQ(back->poster->bytes, m.poster->bytes);
    EXPECT_FALSE(decode<Extracted>(encode(Extracted{}))->poster.has_value());
    EXPECT_TRUE(back->decoded);
    EXPECT_FALSE(decode<Extracted>(encode(Extracted{.decoded = false}))->decoded);
}

TEST(Messages, APosterIsAPictureOfItsType) {
    const auto refused = [](const char* type, const std::string& base64) {
        json::object tree = tree_of(encode(sample_extracted()));
        tree["poster"] = json::object{{"mime_type", type}, {"bytes", base64}};
        expect_refused<Extracted>(json::serialize(tree));
    };
    refused("image/svg+xml", "/9j/AA==");
    refused("text/html", "/9j/AA==");
    refused("image/png", "/9j/AA==");
    refused("image/jpeg", "PHN2Zz4=");
    refused("image/jpeg", "");
    refused("image/jpeg", "*");
    refused("image/jpeg", "/9j/" + std::string(kPosterMax / 3 * 4 + 8, 'A'));
}

TEST(Messages, TranscribedComesBackAsItWent) {
    const Transcribed m = sample_transcribed();
    const auto back = decode<Transcribed>(encode(m));
    ASSERT_TRUE(back.has_value()) << back.error().detail;
    EXPECT_EQ(back->segments, m.segments);
    EXPECT_EQ(back->engine, m.engine);
    EXPECT_EQ(back->model, m.model);
}

TEST(Messages, WhatIsNotJsonIsRefused) {
    for (const char* payload :
         {"", "{", "[]", "null", "{}", "{} {}", "// x\n{}", "{\"engine\":1}"}) {
        expect_refused<Ready>(payload);
        expect_refused<Progress>(payload);
        expect_refused<Extracted>(payload);
        expect_refused<Transcribed>(payload);
        expect_refused<Error>(payload);
    }
    expect_refused<Progress>(std::string(1'000'000, '['));
}

// Each field missing, null, and beside one that does not belong there, at every depth.
void refuse_each_damage(const std::string& payload,
                        const std::function<void(std::string_view)>& refused) {
    const json::value whole = json::parse(payload);
    std::vector<std::string> pointers;
    const std::function<void(const json::value&, std::string)> walk = [&](const json::value& v,
                                                                          std::string at) {
        if (const auto* object = v.if_object()) {
            for (const auto& [key, child] : *object) {
                walk(child, at + "/" + std::string(key));
            }
            pointers.push_back(at);
        } else if (const auto* array = v.if_array(); array != nullptr && !array->empty()) {
            walk(array->front(), at + "/0");
        }
    };
    walk(whole, "");
    for (const std::string& pointer : pointers) {
        const json::object& object = whole.at_pointer(pointer).as_object();
        for (const auto& [key, child] : object) {
            json::value damaged = whole;
            damaged.at_pointer(pointer).as_object().erase(key);
            refused(json::serialize(damaged));
            damaged = whole;
            // A speaker may be null; everything else may not, and nothing is an empty object.
            damaged.at_pointer(pointer).as_object()[key] = json::object();
            refused(json::serialize(damaged));
        }
        json::value extra = whole;
        extra.at_pointer(pointer).as_object()["surplus"] = 1;
        refused(json::serialize(extra));
    }
}

TEST(Messages, AMissingWrongOrSurplusFieldIsRefusedAtEveryDepth) {
    refuse_each_damage(encode(sample_extracted()), expect_refused<Extracted>);
    refuse_each_damage(encode(sample_transcribed()), expect_refused<Transcribed>);
    refuse_each_damage(encode(Error{ErrorClass::input, "x", "m", "d"}), expect_refused<Error>);
    refuse_each_damage(encode(TranscribeRequest{}), expect_refused<TranscribeRequest>);
    refuse_each_damage(encode(ExtractRequest{}), expect_refused<ExtractRequest>);
}

TEST(Messages, TimesAreHeldAgainstTheirBounds) {
    for (const char* payload :
         {R"({"audio_done_ms":-1})", R"({"audio_done_ms":1.5})", R"({"audio_done_ms":1e300})",
          R"({"audio_done_ms":"1"})", R"({"audio_done_ms":2592000001})",
          R"({"audio_done_ms":18446744073709551615})", R"({"audio_done_ms":NaN})"}) {
        expect_refused<Progress>(payload);
    }
    expect_refused<TranscribeRequest>(
        R"({"start_ms":5,"end_ms":4,"engine":"","model":"","language":""})");
}

TEST(Messages, ConfidenceIsAProbability) {
    for (const double confidence : {-0.001, 1.001, std::nan(""), HUGE_VAL}) {
        Transcribed m = sample_transcribed();
        m.segments[0].confidence = confidence;
        expect_refused<Transcribed>(encode(m));
        m = sample_transcribed();
        m.segments[0].words[0].confidence = confidence;
        expect_refused<Transcribed>(encode(m));
    }
}

TEST(Messages, InvalidUtf8IsRefusedAndEncodeRepairsIt) {
    expect_refused<Ready>("{\"engine\":\"\xff\",\"model\":\"\"}");
    expect_refused<Ready>(R"({"engine":"\u001b[2J","model":""})");
    expect_refused<Ready>(R"({"engine":"\ud800","model":""})");
    Extracted m = sample_extracted();
    m.info.audio_tracks[0].title = "caf\xe9 \x1b[2J";
    const auto back = decode<Extracted>(encode(m));
    ASSERT_TRUE(back.has_value()) << back.error().detail;
    EXPECT_EQ(back->info.audio_tracks[0].title, "caf\xef\xbf\xbd \xef\xbf\xbd[2J");
}

TEST(Messages, SilencesAreOrderedAndWithinTheMedia) {
    for (const char* silences :
         {"[0]", "[0,5,4,9]", "[5,5]", "[9,5]", "[0,90001]", "[-1,5]", "[10,20,0,5]", "[0,1.5]"}) {
        json::object tree = tree_of(encode(sample_extracted()));
        tree["silences"] = json::parse(silences);
        expect_refused<Extracted>(json::serialize(tree));
    }
}

TEST(Messages, PeaksAreWholeBase64Pairs) {
    for (const char* peaks : {"A", "AA==", "AAA", "****", " AAA", "AAA\n", "AAAA"}) {
        json::object tree = tree_of(encode(sample_extracted()));
        tree["peaks"].as_object()["min_max"] = peaks;
        expect_refused<Extracted>(json::serialize(tree));
    }
}

TEST(Messages, ArraysHaveBounds) {
    Transcribed many = sample_transcribed();
    many.segments.assign(kSegmentsMax + 1, domain::Segment{{}, "a", 1.0, {}, {}});
    expect_refused<Transcribed>(encode(many));
    many.segments.resize(kSegmentsMax);
    EXPECT_TRUE(decode<Transcribed>(encode(many)).has_value());

    // The bound on words is over all segments together.
    const domain::Word word{{}, "a", 1.0};
    many.segments.assign(
        2, domain::Segment{{}, "a", 1.0, std::vector<domain::Word>(kWordsMax / 2, word), {}});
    EXPECT_TRUE(decode<Transcribed>(encode(many)).has_value());
    many.segments[1].words.push_back(word);
    expect_refused<Transcribed>(encode(many));

    Extracted warned = sample_extracted();
    warned.info.warnings.assign(kWarningsMax + 1, "w");
    expect_refused<Extracted>(encode(warned));
}

TEST(Messages, TheLargestExtractedFitsIntoAFrame) {
    Extracted m = sample_extracted();
    m.info.duration = kAudioMax;
    m.silences.clear();
    for (std::size_t i = 0; i < kSilencesMax; ++i) {  // the longest numbers there are
        const auto at = kAudioMax - Millis{static_cast<std::int64_t>(2 * (kSilencesMax - i))};
        m.silences.push_back({at, at + Millis{1}});
    }
    m.peaks.min_max.assign(kPeakValuesMax, 1);
    m.info.warnings.assign(kWarningsMax, std::string(kNameMax, 'w'));
    m.info.audio_tracks.assign(kTracksMax, m.info.audio_tracks[0]);
    const std::string payload = encode(m);
    EXPECT_TRUE(encode_frame(FrameType::extracted, payload).has_value()) << payload.size();
    const auto back = decode<Extracted>(payload);
    ASSERT_TRUE(back.has_value()) << back.error().detail;
    EXPECT_EQ(back->silences, m.silences);
}

TEST(Messages, WhatIsTooMuchIsFittedToTheBounds) {
    Extracted m = sample_extracted();
    m.info.duration = Millis{std::chrono::hours{100}};
    m.peaks.min_max.clear();
    for (std::size_t i = 0; i < kPeakValuesMax / 2 + 1; ++i) {
        m.peaks.min_max.push_back(i == 3 ? -100 : -1);
        m.peaks.min_max.push_back(i == 4 ? 100 : 1);
    }
    m.silences.clear();
    for (std::size_t i = 0; i < kSilencesMax + 10; ++i) {
        const Millis at{static_cast<std::int64_t>(600 * i)};
        m.silences.push_back({at, at + Millis{i < 10 ? 300 : 400}});
    }
    m.silences.push_back({m.info.duration - Millis{5}, m.info.duration + Millis{900}});
    fit_to_bounds(m);
    EXPECT_EQ(m.peaks.bucket, Millis{200});
    EXPECT_EQ(m.peaks.min_max.size(), kPeakValuesMax / 2 + 2);
    EXPECT_EQ(m.peaks.min_max[2], -100);
    EXPECT_EQ(m.peaks.min_max[5], 100);
    EXPECT_EQ(m.silences.size(), kSilencesMax);
    EXPECT_EQ(m.silences.front().start, Millis{6'000});
    const auto back = decode<Extracted>(encode(m));
    EXPECT_TRUE(back.has_value()) << back.error().detail;
}

TEST(Messages, AWorkerMayNotReportWhatOnlyTheServerCanKnow) {
    for (const auto cls : {ErrorClass::crash, ErrorClass::stall, ErrorClass::timeout,
                           ErrorClass::lost, ErrorClass::request}) {
        json::object tree = tree_of(encode(Error{ErrorClass::input, "x", "m", ""}));
        tree["class"] = to_string(cls);
        expect_refused<Error>(json::serialize(tree));
        EXPECT_EQ(decode<Error>(encode(Error{cls, "x", "m", ""}))->cls, ErrorClass::internal);
    }
    expect_refused<Error>(R"({"class":"input","code":"No Audio","message":"","detail":""})");
    expect_refused<Error>(R"({"class":"input","code":"","message":"","detail":""})");
}

rc::Gen<domain::AudioSpan> any_span() {
    return rc::gen::map(rc::gen::pair(rc::gen::inRange(0, 1'000'000), rc::gen::inRange(0, 100'000)),
                        [](std::pair<int, int> p) {
                            return domain::AudioSpan{Millis{p.first}, Millis{p.first + p.second}};
                        });
}

rc::Gen<std::string> any_text() {
    return rc::gen::map(rc::gen::arbitrary<std::string>(),
                        [](const std::string& s) { return clean_text(s, kNameMax); });
}

// Eighths survive the decimal form exactly.
rc::Gen<double> any_confidence() {
    return rc::gen::map(rc::gen::inRange(0, 9), [](int n) { return n / 8.0; });
}

RC_GTEST_PROP(Messages, AnyTranscriptComesBackAsItWent, ()) {
    Transcribed m;
    const int segments = *rc::gen::inRange(0, 6);
    for (int i = 0; i < segments; ++i) {
        domain::Segment segment{*any_span(), *any_text(), *any_confidence(), {}, {}};
        const int words = *rc::gen::inRange(0, 6);
        for (int w = 0; w < words; ++w) {
            segment.words.push_back({*any_span(), *any_text(), *any_confidence()});
        }
        if (*rc::gen::arbitrary<bool>()) {
            segment.speaker = *any_text();
        }
        m.segments.push_back(std::move(segment));
    }
    m.engine = *any_text();
    const auto back = decode<Transcribed>(encode(m));
    RC_ASSERT(back.has_value());
    RC_ASSERT(back->segments == m.segments);
    RC_ASSERT(back->engine == m.engine);
}

RC_GTEST_PROP(Messages, AnyPeaksComeBackAsTheyWent, (const std::vector<std::int8_t>& values)) {
    Extracted m = sample_extracted();
    m.peaks.min_max = values;
    if (values.size() % 2 != 0) {
        m.peaks.min_max.push_back(0);
    }
    const auto back = decode<Extracted>(encode(m));
    RC_ASSERT(back.has_value());
    RC_ASSERT(back->peaks.min_max == m.peaks.min_max);
}

RC_GTEST_PROP(Messages, ADamagedMessageIsRefusedOrWithinItsBounds, ()) {
    std::string payload = encode(sample_transcribed());
    const auto at = *rc::gen::inRange<std::size_t>(0, payload.size());
    payload[at] = *rc::gen::arbitrary<char>();
    const auto back = decode<Transcribed>(payload);
    if (back) {
        for (const auto& segment : back->segments) {
            RC_ASSERT(segment.span.start >= Millis{0} && segment.span.end >= segment.span.start);
            RC_ASSERT(segment.confidence >= 0 && segment.confidence <= 1);
            RC_ASSERT(is_clean_text(segment.text, kTextMax));
        }
    } else {
        RC_ASSERT(back.error().code == "protocol_error");
    }
}

TEST(Messages, DownloadsComeBackAsTheyWere) {
    const FetchRequest request{.url = "https://media.example/a?b=c",
                               .offset = 5,
                               .etag = "\"v1\"",
                               .last_modified = "Sat, 28 Nov 2026 08:00:00 GMT",
                               .limit_bytes = 10,
                               .timeout = Millis{7},
                               .stall = Millis{3}};
    EXPECT_EQ(decode<FetchRequest>(encode(request)), request);
    const FetchHead head{.offset = 5, .total = 9, .etag = "\"v1\"", .filename = "talk.wav"};
    EXPECT_EQ(decode<FetchHead>(encode(head)), head);
    const auto fetched = decode<Fetched>(
        encode(Fetched{.bytes = 4,
                       .error = Error{ErrorClass::network, "timed_out", "It took too long.", "x"},
                       .retry_after = Millis{3}}));
    ASSERT_TRUE(fetched.has_value());
    EXPECT_EQ(fetched->bytes, 4);
    EXPECT_EQ(fetched->error->code, "timed_out");
    EXPECT_EQ(fetched->retry_after, Millis{3});
    EXPECT_FALSE(decode<Fetched>(encode(Fetched{}))->error);
}

TEST(Messages, ADownloadThatMakesNoSenseIsRefused) {
    for (const char* text :
         {R"({"offset":-1,"total":5,"etag":"","last_modified":"","filename":""})",
          R"({"offset":6,"total":5,"etag":"","last_modified":"","filename":""})",
          R"({"offset":0,"total":5,"etag":"","last_modified":""})"}) {
        EXPECT_FALSE(decode<FetchHead>(text).has_value()) << text;
    }
    for (
        const char* text :
        {R"({"bytes":-1,"error":null,"retry_after_ms":-1})",
         R"({"bytes":1,"error":"x","retry_after_ms":-1})",
         R"({"bytes":1,"error":{"class":"lost","code":"a","message":"","detail":""},"retry_after_ms":-1})"}) {
        EXPECT_FALSE(decode<Fetched>(text).has_value()) << text;
    }
}

}  // namespace
}  // namespace durascribe::protocol
