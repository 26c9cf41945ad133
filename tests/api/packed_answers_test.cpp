// JSON is packed for those who take it, wherever it comes from, and its ETag is as good as the
// other.
#include <zlib.h>

#include "durascribe/api/compression.h"
#include "http_fixture.h"

namespace durascribe::api {
namespace {

const std::string kJson = "Content-Type: application/json\r\n";
const std::string kGzip = "Accept-Encoding: gzip\r\n";

std::string unpacked(const std::string& bytes) {
    z_stream stream{};
    EXPECT_EQ(inflateInit2(&stream, MAX_WBITS + 16), Z_OK);
    std::string out(4 << 20, '\0');
    std::string in = bytes;
    stream.next_in = reinterpret_cast<Bytef*>(in.data());
    stream.avail_in = static_cast<uInt>(in.size());
    stream.next_out = reinterpret_cast<Bytef*>(out.data());
    stream.avail_out = static_cast<uInt>(out.size());
    EXPECT_EQ(inflate(&stream, Z_FINISH), Z_STREAM_END);
    out.resize(stream.total_out);
    inflateEnd(&stream);
    return out;
}

class PackedAnswers : public HttpTest {
  protected:
    void SetUp() override {
        HttpTest::SetUp();
        know_the_scripted_model();
        workers_.on_transcribe = [](const ports::TranscribeJob&,
                                    const ports::RunControl&) -> Result<ports::TranscribeOutcome> {
            ports::TranscribeOutcome outcome{.segments = {}, .engine = "scripted", .model = "none"};
            for (int i = 0; i < 40; ++i) {
                outcome.segments.push_back(
                    {.span = {Millis{i * 500}, Millis{i * 500 + 400}},
                     .text = fmt::format("and this is what was said as number {}", i)});
            }
            return outcome;
        };
    }
    // A finished media: its path.
    std::string finished() {
        const auto media = upload();
        EXPECT_TRUE(await(text(media, "task_id"), domain::TaskState::completed));
        return "/api/v1/media/" + text(media, "id");
    }
    // What was sent, which must be packed.
    static json::object content(const Answer& answer) {
        EXPECT_EQ(answer.field("content-encoding"), "gzip") << answer.head;
        EXPECT_EQ(answer.field("vary"), "Accept-Encoding");
        return json::parse(unpacked(answer.body)).as_object();
    }
    static std::string packed_form(std::string tag) { return tag.insert(tag.size() - 1, "-gzip"); }
};

TEST_F(PackedAnswers, JsonIsPackedForThoseWhoTakeIt) {
    start();
    const std::string path = "/api/openapi.json";
    const Answer plain = ask("GET", path);
    ASSERT_GT(plain.body.size(), kCompressedFrom);
    EXPECT_EQ(plain.field("content-encoding"), "");
    EXPECT_EQ(plain.field("vary"), "Accept-Encoding");
    const Answer packed = ask("GET", path, "Accept-Encoding: br, gzip;q=0.9\r\n");
    EXPECT_EQ(packed.field("content-encoding"), "gzip");
    EXPECT_EQ(packed.field("vary"), "Accept-Encoding");
    EXPECT_LT(packed.body.size() * 3, plain.body.size());
    EXPECT_EQ(unpacked(packed.body), plain.body);
    const std::string fields = "Accept-Encoding: gzip\r\n";
    EXPECT_EQ(ask("HEAD", path, fields).field("content-length"),
              std::to_string(packed.body.size() == 0 ? 0 : ask("GET", path, fields).body.size()));
    EXPECT_EQ(ask("GET", path, "Accept-Encoding: gzip;q=0\r\n").field("content-encoding"), "");
    const Answer small = ask("GET", "/health/live", fields);
    EXPECT_EQ(small.field("content-encoding"), "");
    EXPECT_EQ(small.field("vary"), "");
    // A recording and a part of one are as they were sent.
    const std::string source =
        "/api/v1/media/" + text(upload(std::string(5000, 'x')), "id") + "/source";
    EXPECT_EQ(ask("GET", source, fields).body, std::string(5000, 'x'));
    EXPECT_EQ(ask("GET", source, fields + "Range: bytes=0-2999\r\n").field("content-encoding"), "");
    RawClient stream = connect();
    stream.send("GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n" + fields + "\r\n");
    EXPECT_EQ(stream.read(true)->field("content-encoding"), "");
}

TEST_F(PackedAnswers, WhateverMadeThemAndHoweverTheRequestCame) {
    start();
    const std::string media = finished();
    EXPECT_EQ(content(ask("GET", media + "/segments", kGzip)).at("segments").as_array().size(),
              40U);
    EXPECT_EQ(content(ask("GET", media, kGzip)).at("status"), "completed");
    // An edit.
    const std::string said(2'000, 'x');
    const Answer edited = ask("PATCH", media + "/segments/1", kJson + kGzip,
                              json::serialize(json::object{{"text", said}}));
    EXPECT_EQ(edited.status, 200);
    EXPECT_EQ(content(edited).at("segments").at(0).at("text"), json::value(said));
    // A body that is not held in memory.
    EXPECT_EQ(ask("POST", "/api/v1/queue/pause").status, 200);
    json::array items;
    for (int i = 0; i < 20; ++i) {
        items.push_back({{"url", fmt::format("https://media.example/{}.wav", i)}});
    }
    const Answer batch = ask("POST", "/api/v1/batches", kJson + kGzip,
                             json::serialize(json::object{{"items", std::move(items)}}));
    EXPECT_EQ(batch.status, 201);
    EXPECT_EQ(content(batch).at("total"), 20);
}

TEST_F(PackedAnswers, OneThatIsMadeLater) {
    start();
    const Answer made =
        ask("POST", "/v1/audio/transcriptions",
            kGzip + "Content-Type: multipart/form-data; boundary=B\r\n",
            "--B\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nwhisper-1\r\n"
            "--B\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.wav\"\r\n\r\n"
            "bytes\r\n--B--\r\n");
    EXPECT_EQ(made.status, 200) << made.head;
    EXPECT_TRUE(text(content(made), "text").contains("as number 39"));
}

TEST_F(PackedAnswers, TheirTagIsOfTheirBytesAndGoodForAnEdit) {
    start();
    const std::string media = finished();
    const Answer plain = ask("GET", media);
    const Answer packed = ask("GET", media, kGzip);
    EXPECT_EQ(plain.field("vary"), "Accept-Encoding");
    EXPECT_EQ(unpacked(packed.body), plain.body);
    EXPECT_EQ(packed.field("etag"), packed_form(plain.field("etag")));
    const auto rename = [&](const std::string& tag) {
        return ask("PATCH", media, kJson + "If-Match: " + tag + "\r\n", R"({"title": "Mine"})");
    };
    const Answer renamed = rename(packed.field("etag"));
    EXPECT_EQ(renamed.status, 200) << renamed.body;
    EXPECT_EQ(rename(packed.field("etag")).status, 412) << "it was renamed since";
    EXPECT_EQ(rename(plain.field("etag")).status, 412);
    EXPECT_EQ(rename("\"other\", " + packed_form(renamed.field("etag"))).status, 200);

    const std::string body = json::serialize(json::object{{"text", std::string(2'000, 'x')}});
    const auto change = [&](const std::string& tag) {
        return ask("PATCH", media + "/segments/1", kJson + kGzip + "If-Match: " + tag + "\r\n",
                   body);
    };
    const std::string whole = ask("GET", media + "/segments", kGzip).field("etag");
    EXPECT_TRUE(whole.ends_with(".0-gzip\"")) << whole;
    const Answer changed = change(whole);
    EXPECT_EQ(changed.status, 200) << unpacked(changed.body);
    EXPECT_TRUE(changed.field("etag").ends_with(".1.1-gzip\"")) << "of the segment";
    EXPECT_EQ(change(whole).status, 412);
    EXPECT_EQ(change(changed.field("etag")).status, 200);
}

}  // namespace
}  // namespace durascribe::api
