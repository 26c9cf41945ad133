#include "durascribe/protocol/frame.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

namespace durascribe::protocol {
namespace {

std::string frame_of(FrameType type, std::string_view payload) {
    auto bytes = encode_frame(type, payload);
    EXPECT_TRUE(bytes.has_value());
    return bytes.value_or("");
}

TEST(Frame, HasTheBytesOfItsDescription) {
    // CRC-32 of the twelve bytes before it and "{}", by another implementation (Python's zlib).
    const std::string expected("DSW1\x01\x00\x04\x00\x02\x00\x00\x00\xbe\x14\xd6X{}", 18);
    EXPECT_EQ(frame_of(FrameType::progress, "{}"), expected);
}

TEST(Frame, HasNoMoreThanItsLargestPayload) {
    EXPECT_TRUE(encode_frame(FrameType::progress, std::string(kPayloadMax, 'x')).has_value());
    const auto larger = encode_frame(FrameType::progress, std::string(kPayloadMax + 1, 'x'));
    ASSERT_FALSE(larger.has_value());
    EXPECT_EQ(larger.error().code, "frame_too_large");
}

TEST(Frame, EveryTruncationIsIncomplete) {
    const std::string bytes = frame_of(FrameType::transcribe, R"({"x":1})");
    for (std::size_t length = 0; length < bytes.size(); ++length) {
        FrameParser parser;
        parser.feed(std::string_view(bytes).substr(0, length));
        const auto frame = parser.next();
        ASSERT_TRUE(frame.has_value()) << length;
        EXPECT_FALSE(frame->has_value()) << length;
        EXPECT_EQ(parser.at_boundary(), length == 0) << length;
    }
}

TEST(Frame, EveryByteFlipIsIncompleteOrAnError) {
    const std::string whole = frame_of(FrameType::progress, R"({"audio_done_ms":1200})");
    for (std::size_t at = 0; at < whole.size(); ++at) {
        for (int mask = 1; mask < 256; ++mask) {
            std::string bytes = whole;
            bytes[at] = static_cast<char>(static_cast<unsigned char>(bytes[at]) ^ mask);
            FrameParser parser;
            parser.feed(bytes);
            const auto frame = parser.next();
            if (frame) {
                ASSERT_FALSE(frame->has_value()) << "byte " << at << " mask " << mask;
            } else {
                ASSERT_EQ(frame.error().cls, ErrorClass::crash);
                ASSERT_EQ(frame.error().code, "protocol_error");
            }
        }
    }
}

TEST(Frame, ALengthPastTheBoundIsRefusedBeforeItsBytesCome) {
    std::string bytes = frame_of(FrameType::progress, "");
    bytes[8] = bytes[9] = bytes[10] = bytes[11] = '\xff';
    FrameParser parser;
    parser.feed(bytes);
    const auto frame = parser.next();
    ASSERT_FALSE(frame.has_value());
    EXPECT_NE(frame.error().detail.find("4294967295"), std::string::npos) << frame.error().detail;
    EXPECT_FALSE(encode_frame(FrameType::ready, std::string(kPayloadMax + 1, 'x')).has_value());
}

TEST(Frame, TheLargestPayloadPasses) {
    const std::string payload(kPayloadMax, 'x');
    FrameParser parser;
    parser.feed(frame_of(FrameType::extracted, payload));
    const auto frame = parser.next();
    ASSERT_TRUE(frame.has_value() && frame->has_value());
    EXPECT_EQ((*frame)->payload.size(), kPayloadMax);
}

TEST(Frame, AfterAnErrorNothingIsBelievedAnyMore) {
    FrameParser parser;
    parser.feed("GET / HTTP/1.1\r\n");
    EXPECT_FALSE(parser.next().has_value());
    parser.feed(frame_of(FrameType::ready, "{}"));
    EXPECT_FALSE(parser.next().has_value());
    EXPECT_FALSE(parser.at_boundary());
}

TEST(Frame, ASingleWrongByteIsEnough) {
    FrameParser parser;
    parser.feed("X");
    EXPECT_FALSE(parser.next().has_value());
}

RC_GTEST_PROP(Frame, AStreamCutAnywhereGivesTheFramesThatWentIn,
              (const std::vector<std::string>& payloads)) {
    std::string stream;
    std::vector<Frame> sent;
    for (const std::string& payload : payloads) {
        const auto type = static_cast<FrameType>(*rc::gen::inRange(1, 9));
        sent.push_back({type, payload});
        stream += frame_of(type, payload);
    }
    FrameParser parser;
    std::vector<Frame> received;
    std::string_view left = stream;
    while (!left.empty()) {
        const auto piece = *rc::gen::inRange<std::size_t>(1, 41);
        parser.feed(left.substr(0, piece));
        left.remove_prefix(std::min(piece, left.size()));
        while (true) {
            auto frame = parser.next();
            RC_ASSERT(frame.has_value());
            if (!*frame) {
                break;
            }
            received.push_back(std::move(**frame));
        }
    }
    RC_ASSERT(received == sent);
    RC_ASSERT(parser.at_boundary());
}

RC_GTEST_PROP(Frame, GarbageNeverGivesAFrame, (const std::string& garbage)) {
    FrameParser parser;
    parser.feed(garbage);
    const auto frame = parser.next();
    const bool gave_a_frame =
        frame.has_value() && frame->has_value();  // RC_ASSERT does not short-cut
    RC_ASSERT(!gave_a_frame);
}

}  // namespace
}  // namespace durascribe::protocol
