#include "durascribe/api/multipart.h"

#include <random>
#include <vector>

#include <gtest/gtest.h>

#include "test_seed.h"

namespace durascribe::api {
namespace {

struct Part {
    PartHead head;
    std::string data;
    bool ended = false;
};

class Collector final : public PartReceiver {
  public:
    std::vector<Part> parts;
    Result<void> part_begin(const PartHead& head) override {
        parts.push_back({head, {}, false});
        return {};
    }
    Result<void> part_data(std::string_view bytes) override {
        parts.back().data.append(bytes);
        return {};
    }
    Result<void> part_end() override {
        parts.back().ended = true;
        return {};
    }
};

std::string part(const std::string& disposition, const std::string& data) {
    return "--B\r\nContent-Disposition: form-data; " + disposition + "\r\n\r\n" + data + "\r\n";
}

// Feeds in the given pieces, then ends; the error's code, or "".
std::string parse(Collector& into, const std::vector<std::string_view>& pieces,
                  std::string_view boundary = "B") {
    MultipartParser parser{boundary, into};
    for (const auto piece : pieces) {
        if (auto fed = parser.feed(piece); !fed) {
            return fed.error().code;
        }
    }
    auto ended = parser.finish();
    return ended ? "" : ended.error().code;
}

TEST(Multipart, EverySplitPointGivesTheSameParts) {
    const std::string tricky = "a\r\n--Bx\r\n--\r\n-\r\r\n--B\x01 \r\n--b--\n--B";
    const std::string body = part("name=\"title\"", "Äh \"so\"") +
                             part("name=\"file\"; filename=\"t.wav\"", tricky) +
                             part("name=\"empty\"", "") + "--B--\r\n";
    for (std::size_t first = 0; first <= body.size(); ++first) {
        for (const std::size_t second : {first, (first + body.size()) / 2, first + 1}) {
            if (second < first || second > body.size()) {
                continue;
            }
            const std::string_view text = body;
            Collector got;
            ASSERT_EQ(parse(got, {text.substr(0, first), text.substr(first, second - first),
                                  text.substr(second)}),
                      "")
                << first << " " << second;
            ASSERT_EQ(got.parts.size(), 3U);
            EXPECT_EQ(got.parts[0].data, "Äh \"so\"");
            EXPECT_EQ(got.parts[1].head.name, "file");
            EXPECT_EQ(got.parts[1].head.filename, "t.wav");
            ASSERT_EQ(got.parts[1].data, tricky) << first << " " << second;
            EXPECT_EQ(got.parts[2].data, "");
            EXPECT_TRUE(got.parts[2].ended);
        }
    }
}

TEST(Multipart, OneByteAtATime) {
    const std::string body = "preamble\r\n" +
                             part("name=\"file\"; filename=\"x\"", "\r\n\r\n--B-\r\n") +
                             "--B--epilogue";
    std::vector<std::string_view> pieces;
    for (std::size_t i = 0; i < body.size(); ++i) {
        pieces.push_back(std::string_view{body}.substr(i, 1));
    }
    Collector got;
    EXPECT_EQ(parse(got, pieces), "");
    ASSERT_EQ(got.parts.size(), 1U);
    EXPECT_EQ(got.parts[0].data, "\r\n\r\n--B-\r\n");
}

TEST(Multipart, RandomBytesInRandomPiecesComeOutAsTheyWere) {
    std::mt19937 random{durascribe::testing::test_seed()};
    const std::string_view alphabet = "\r\n-Bx";
    for (int round = 0; round < 300; ++round) {
        std::string data;
        for (auto n = random() % 400; n > 0; --n) {
            data += alphabet[random() % alphabet.size()];
        }
        // What is a delimiter can't be data: a real client would have chosen another boundary.
        if (("\r\n" + data).contains("\r\n--B\r\n") || ("\r\n" + data).contains("\r\n--B--") ||
            data.ends_with("\r\n--B")) {
            continue;
        }
        const std::string body = part("name=\"file\"", data) + "--B--\r\n";
        std::vector<std::string_view> pieces;
        for (std::string_view rest = body; !rest.empty();) {
            const std::size_t n = std::min<std::size_t>(1 + random() % 40, rest.size());
            pieces.push_back(rest.substr(0, n));
            rest.remove_prefix(n);
        }
        Collector got;
        ASSERT_EQ(parse(got, pieces), "");
        ASSERT_EQ(got.parts.size(), 1U);
        ASSERT_EQ(got.parts[0].data, data);
    }
}

TEST(Multipart, ABodyCutAnywhereIsAnError) {
    const std::string body = part("name=\"file\"", "data") + "--B--";
    for (std::size_t end = 0; end < body.size(); ++end) {
        Collector got;
        EXPECT_EQ(parse(got, {std::string_view{body}.substr(0, end)}), "bad_multipart") << end;
    }
}

TEST(Multipart, RefusesPartsThatCannotBeUnderstood) {
    for (const std::string body : {
             "--B\r\n\r\ndata\r\n--B--",                                          // no headers
             "--B\r\nContent-Disposition: form-data\r\n\r\nx\r\n--B--",           // no name
             "--B\r\nContent-Disposition: attachment; name=a\r\n\r\nx\r\n--B--",  // not form-data
             "--B\r\nno colon\r\n\r\nx\r\n--B--",
             "--B\r\nContent-Disposition: form-data; name=\"a\r\n\r\nx\r\n--B--",  // open quote
         }) {
        Collector got;
        EXPECT_EQ(parse(got, {body}), "bad_multipart") << body;
    }
    Collector got;
    const std::string endless = "--B\r\nX: " + std::string(20 << 10, 'a');
    EXPECT_EQ(parse(got, {endless}), "bad_multipart");
}

TEST(Multipart, TooManyPartsAreRefused) {
    std::string body;
    for (int i = 0; i < 100; ++i) {
        body += part("name=\"a\"", "");
    }
    Collector got;
    EXPECT_EQ(parse(got, {body + "--B--"}), "bad_multipart");
}

TEST(Multipart, NamesOfFilesAsClientsWriteThem) {
    std::string long_name;
    for (int i = 0; i < 85; ++i) {
        long_name += "錄";  // 255 bytes
    }
    const std::vector<std::pair<std::string, std::string>> cases{
        {"filename=\"a \\\"b\\\".mp3\"", "a \"b\".mp3"},  // curl
        {"filename=\"a %22b%22.mp3\"", "a \"b\".mp3"},    // browsers
        {"filename=\"會議錄音 🎙.mp4\"", "會議錄音 🎙.mp4"},
        {"filename=\"x\"; filename*=UTF-8''%E6%9C%83.mp3", "會.mp3"},
        {"filename*=utf-8'en'%F0%9F%8E%99", "🎙"},
        {"filename=\"good.mp3\"; filename*=UTF-8''%ZZ", "good.mp3"},
        {"filename=\"C:\\dir\\a.wav\"", "C:\\dir\\a.wav"},
        {"filename=plain.wav", "plain.wav"},
        {"filename=\"a;b=c.wav\"", "a;b=c.wav"},
        {"filename=\"" + long_name + "\"", long_name},
    };
    for (const auto& [sent, expected] : cases) {
        Collector got;
        ASSERT_EQ(parse(got, {part("name=\"file\"; " + sent, "x") + "--B--"}), "") << sent;
        EXPECT_EQ(got.parts.at(0).head.filename, expected) << sent;
    }
}

TEST(Multipart, BoundariesThatRfc2046Allows) {
    EXPECT_EQ(multipart_boundary("multipart/form-data; boundary=abc"), "abc");
    EXPECT_EQ(multipart_boundary("Multipart/Form-Data; charset=utf-8; Boundary=\"a b:c\""),
              "a b:c");
    for (const std::string_view bad :
         {"multipart/form-data",
          "multipart/form-data; boundary=", "multipart/form-data; boundary=\"a",
          "multipart/form-data; boundary=\"a \"", "multipart/form-data; boundary=\"a\x01\""}) {
        EXPECT_FALSE(multipart_boundary(bad)) << bad;
    }
    EXPECT_TRUE(multipart_boundary("multipart/form-data; boundary=" + std::string(70, 'a')));
    EXPECT_FALSE(multipart_boundary("multipart/form-data; boundary=" + std::string(71, 'a')));
}

}  // namespace
}  // namespace durascribe::api
