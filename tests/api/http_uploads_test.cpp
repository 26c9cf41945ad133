// Uploads in pieces (tus 1.0.0), over real sockets: what the protocol asks for, restarts, and media
// and task made once.
#include <filesystem>

#include "durascribe/engine/resumable_uploads.h"
#include "forwarding_store.h"
#include "gate.h"
#include "http_fixture.h"

namespace durascribe::api {
namespace {

namespace fs = std::filesystem;

const std::string kTus = "Tus-Resumable: 1.0.0\r\n";
const std::string kPiece = kTus + "Content-Type: application/offset+octet-stream\r\n";

// A store that is about to write down that an upload is whole, for as long as the test wants.
class SealsLater final : public testing::ForwardingStore {
  public:
    using ForwardingStore::ForwardingStore;

    Result<ports::UploadRow> seal_upload(const UploadId& id,
                                         const ports::BlobRef& source) override {
        gate.pass({});
        return store_.seal_upload(id, source);
    }
    testing::Gate gate;
};

class Uploads : public HttpTest {
  protected:
    // Its address.
    std::string create(std::size_t length, const std::string& more = "") {
        const Answer made = ask("POST", "/api/v1/uploads",
                                kTus + fmt::format("Upload-Length: {}\r\n", length) + more);
        EXPECT_EQ(made.status, 201) << made.body;
        EXPECT_EQ(made.field("tus-resumable"), "1.0.0");
        EXPECT_TRUE(made.field("upload-expires").ends_with(" GMT"));
        return made.field("location");
    }
    Answer patch(const std::string& upload, std::int64_t offset, const std::string& bytes,
                 const std::string& more = "") {
        return ask("PATCH", upload, kPiece + fmt::format("Upload-Offset: {}\r\n", offset) + more,
                   bytes);
    }
    Answer head(const std::string& upload) { return ask("HEAD", upload, kTus); }
    std::string offset(const std::string& upload) { return head(upload).field("upload-offset"); }

    // As a process does that ends and begins again.
    void restart() {
        server_.reset();
        engine_.reset();
        store_.reset();
        blobs_.reset();
        SetUp();
        start();
    }
    std::size_t media() { return ask_json("GET", "/api/v1/media").at("items").as_array().size(); }
    std::size_t halves() {
        std::size_t count = 0;
        for ([[maybe_unused]] const auto& file :
             fs::directory_iterator(directory_.path() / "blobs" / "uploads")) {
            ++count;
        }
        return count;
    }
};

TEST_F(Uploads, PiecesBecomeAMediaAndItsTranscript) {
    start();
    // filename "talk.mp4", title "A talk", priority "3"
    const std::string metadata = "filename dGFsay5tcDQ=,title QSB0YWxr,priority Mw==,own eA==";
    const std::string upload = create(10, "Upload-Metadata: " + metadata + "\r\n");
    const Answer before = head(upload);
    EXPECT_EQ(before.status, 200);
    EXPECT_EQ(before.field("cache-control"), "no-store");
    EXPECT_EQ(before.field("upload-offset"), "0");
    EXPECT_EQ(before.field("upload-length"), "10");
    EXPECT_EQ(before.field("upload-metadata"), metadata);
    EXPECT_EQ(before.field("x-durascribe-media-id"), "");

    const Answer first = patch(upload, 0, "0123");
    EXPECT_EQ(first.status, 204) << first.body;
    EXPECT_EQ(first.field("upload-offset"), "4");
    EXPECT_FALSE(first.field("upload-expires").empty());
    const Answer last = patch(upload, 4, "456789");
    EXPECT_EQ(last.status, 204) << last.body;
    EXPECT_EQ(last.field("upload-offset"), "10");
    const std::string id = last.field("x-durascribe-media-id");
    const std::string task = last.field("x-durascribe-task-id");
    ASSERT_TRUE(await(task, domain::TaskState::completed));
    const auto made = ask_json("GET", "/api/v1/media/" + id);
    EXPECT_EQ(text(made, "title"), "A talk");
    EXPECT_EQ(text(made, "filename"), "talk.mp4");
    EXPECT_EQ(store_->task(TaskId{task})->options.priority, 3);
    EXPECT_EQ(ask("GET", "/api/v1/media/" + id + "/source").body, "0123456789");

    const Answer after = head(upload);  // of a client that lost the answer
    EXPECT_EQ(after.field("upload-offset"), "10");
    EXPECT_EQ(after.field("x-durascribe-media-id"), id);
    EXPECT_EQ(after.field("x-durascribe-task-id"), task);
    EXPECT_EQ(after.field("upload-expires"), "");
    const Answer again = patch(upload, 10, "");
    EXPECT_EQ(again.status, 204);
    EXPECT_EQ(again.field("x-durascribe-media-id"), id);
    EXPECT_EQ(patch(upload, 10, "more").status, 413);
    EXPECT_EQ(media(), 1U);
    EXPECT_EQ(halves(), 0U);
}

TEST_F(Uploads, WhatTheServerCanIsTold) {
    start();
    const Answer options = ask("OPTIONS", "/api/v1/uploads");
    EXPECT_EQ(options.status, 204);
    EXPECT_EQ(options.field("allow"), "POST, OPTIONS");
    EXPECT_EQ(options.field("tus-version"), "1.0.0");
    EXPECT_EQ(options.field("tus-max-size"), std::to_string(settings_.upload_limit_bytes));
    EXPECT_EQ(
        options.field("tus-extension"),
        "creation,creation-with-upload,creation-defer-length,termination,checksum,expiration");
    EXPECT_EQ(options.field("tus-checksum-algorithm"), "sha1,sha256,md5");
    const Answer put = ask("PUT", "/api/v1/uploads");
    EXPECT_EQ(put.status, 405);
    EXPECT_EQ(put.field("allow"), "POST, OPTIONS");
    EXPECT_EQ(ask("OPTIONS", "/api/v1/media").field("allow"), "POST, GET, HEAD, OPTIONS");
}

TEST_F(Uploads, WhatTheProtocolRefuses) {
    settings_.upload_limit_bytes = 1000;
    start();
    const auto post = [&](const std::string& fields) {
        return ask("POST", "/api/v1/uploads", fields).status;
    };
    const Answer old =
        ask("POST", "/api/v1/uploads", "Tus-Resumable: 0.2.2\r\nUpload-Length: 1\r\n");
    EXPECT_EQ(old.status, 412);
    EXPECT_EQ(text(object(old), "code"), "tus_version");
    EXPECT_EQ(old.field("tus-version"), "1.0.0");
    EXPECT_EQ(old.field("tus-resumable"), "1.0.0");
    EXPECT_EQ(post("Upload-Length: 1\r\n"), 412);
    EXPECT_EQ(post(kTus + "Upload-Length: 1001\r\n"), 413);
    EXPECT_EQ(post(kTus + "Upload-Length: 0\r\n"), 400);
    EXPECT_EQ(post(kTus + "Upload-Length: x\r\n"), 400);
    EXPECT_EQ(post(kTus), 400);
    EXPECT_EQ(post(kTus + "Upload-Length: 1\r\nUpload-Metadata: filename t.lk\r\n"), 400);
    EXPECT_EQ(post(kTus + "Upload-Length: 1\r\nUpload-Metadata: diarize dHJ1ZQ==\r\n"), 422)
        << "refused before the bytes";
    EXPECT_EQ(store_->sealed_uploads()->size(), 0U);

    const std::string upload = create(4);
    const Answer wrong = patch(upload, 1, "x");
    EXPECT_EQ(wrong.status, 409);
    EXPECT_EQ(text(object(wrong), "code"), "upload_offset");
    EXPECT_EQ(wrong.field("tus-resumable"), "1.0.0");
    EXPECT_EQ(patch(upload, 0, "12345").status, 413);
    EXPECT_EQ(ask("PATCH", upload, kPiece, "x").status, 400) << "without an offset";
    EXPECT_EQ(
        ask("PATCH", upload, kTus + "Content-Type: video/mp4\r\nUpload-Offset: 0\r\n", "x").status,
        415);
    EXPECT_EQ(ask("PATCH", upload,
                  "Content-Type: application/offset+octet-stream\r\nUpload-Offset: 0\r\n", "x")
                  .status,
              412);
    EXPECT_EQ(ask("HEAD", upload).status, 412);
    EXPECT_EQ(offset(upload), "0");
    EXPECT_EQ(head("/api/v1/uploads/0190a1b2-0000-7000-8000-000000000001").status, 404);
    EXPECT_EQ(head("/api/v1/uploads/nobody").status, 404);
    EXPECT_EQ(media(), 0U);
}

TEST_F(Uploads, AChecksumThatDoesNotMatchKeepsNothingOfThePiece) {
    start();
    const std::string upload = create(6);
    ASSERT_EQ(
        patch(upload, 0, "abc", "Upload-Checksum: sha1 qZk+NkcGgWq6PiVxeFDCbJzQ2J0=\r\n").status,
        204);
    const Answer bad =
        patch(upload, 3, "xyz", "Upload-Checksum: sha1 qZk+NkcGgWq6PiVxeFDCbJzQ2J0=\r\n");
    EXPECT_EQ(bad.status, 460);
    EXPECT_EQ(text(object(bad), "code"), "checksum_mismatch");
    EXPECT_TRUE(bad.original.starts_with("HTTP/1.1 460 Checksum Mismatch")) << bad.original;
    EXPECT_EQ(offset(upload), "3");
    EXPECT_EQ(media(), 0U);
    EXPECT_EQ(patch(upload, 3, "xyz", "Upload-Checksum: crc32 AAAAAA==\r\n").status, 400);
    const Answer good =
        patch(upload, 3, "abc", "Upload-Checksum: md5 kAFQmDzST7DWlj99KOF/cg==\r\n");
    EXPECT_EQ(good.status, 204);
    EXPECT_EQ(ask("GET", "/api/v1/media/" + good.field("x-durascribe-media-id") + "/source").body,
              "abcabc");
}

TEST_F(Uploads, CreationMayCarryTheFirstPieceAndItsLengthMayComeLater) {
    start();
    const Answer whole = ask("POST", "/api/v1/uploads", kPiece + "Upload-Length: 3\r\n", "abc");
    EXPECT_EQ(whole.status, 201) << whole.body;
    EXPECT_EQ(whole.field("upload-offset"), "3");
    EXPECT_FALSE(whole.field("x-durascribe-media-id").empty());
    EXPECT_EQ(ask("POST", "/api/v1/uploads",
                  kTus + "Content-Type: audio/wav\r\nUpload-Length: 3\r\n", "abc")
                  .status,
              415);
    const Answer mismatch = ask(
        "POST", "/api/v1/uploads",
        kPiece + "Upload-Length: 9\r\nUpload-Checksum: md5 kAFQmDzST7DWlj99KOF/cg==\r\n", "abd");
    EXPECT_EQ(mismatch.status, 460);
    EXPECT_EQ(halves(), 0U) << "nobody knows its name";

    const Answer open =
        ask("POST", "/api/v1/uploads", kPiece + "Upload-Defer-Length: 1\r\n", "defg");
    ASSERT_EQ(open.status, 201) << open.body;
    const std::string upload = open.field("location");
    EXPECT_EQ(head(upload).field("upload-defer-length"), "1");
    EXPECT_EQ(patch(upload, 4, "", "Upload-Length: 3\r\n").status, 400);
    EXPECT_EQ(patch(upload, 4, "hi", "Upload-Length: 9\r\n").status, 204);
    EXPECT_EQ(head(upload).field("upload-length"), "9");
    EXPECT_EQ(patch(upload, 6, "", "Upload-Length: 8\r\n").status, 400);
    const Answer done = patch(upload, 6, "jkl");
    EXPECT_FALSE(done.field("x-durascribe-media-id").empty());

    const Answer other =
        ask("POST", "/api/v1/uploads", kPiece + "Upload-Defer-Length: 1\r\n", "xy");
    const Answer said = patch(other.field("location"), 2, "", "Upload-Length: 2\r\n");
    EXPECT_EQ(said.status, 204);
    EXPECT_FALSE(said.field("x-durascribe-media-id").empty());
    EXPECT_EQ(media(), 3U);
}

TEST_F(Uploads, MethodsMayBeOverridden) {
    start();
    const std::string upload = create(4);
    const Answer piece =
        ask("POST", upload, kPiece + "X-HTTP-Method-Override: PATCH\r\nUpload-Offset: 0\r\n", "ab");
    EXPECT_EQ(piece.status, 204) << piece.body;
    EXPECT_EQ(ask("POST", upload, kPiece + "Upload-Offset: 2\r\n", "cd").status, 400);
    EXPECT_EQ(ask("POST", upload, kTus + "X-HTTP-Method-Override: DELETE\r\n").status, 204);
    EXPECT_EQ(head(upload).status, 404);
    EXPECT_EQ(halves(), 0U);
}

TEST_F(Uploads, ATerminatedUploadIsGoneAndAFinishedOnesMediaStays) {
    start();
    const std::string half = create(4);
    ASSERT_EQ(patch(half, 0, "ab").status, 204);
    ASSERT_EQ(halves(), 1U);
    EXPECT_EQ(ask("DELETE", half).status, 412);
    EXPECT_EQ(ask("DELETE", half, kTus).status, 204);
    EXPECT_EQ(halves(), 0U);
    EXPECT_EQ(ask("DELETE", half, kTus).status, 404);
    EXPECT_EQ(patch(half, 2, "cd").status, 404);
    const std::string whole = create(2);
    const std::string id = patch(whole, 0, "ab").field("x-durascribe-media-id");
    EXPECT_EQ(ask("DELETE", whole, kTus).status, 204);
    EXPECT_EQ(ask("GET", "/api/v1/media/" + id + "/source").body, "ab");
}

TEST_F(Uploads, AConnectionThatBreaksLosesNothingThatCame) {
    start();
    const std::string upload = create(100);
    RawClient client = connect();
    client.send(
        fmt::format("PATCH {} HTTP/1.1\r\nHost: localhost\r\n{}Upload-Offset: 0\r\n"
                    "Content-Length: 100\r\n\r\n{}",
                    upload, kPiece, std::string(40, 'a')));
    client.close();
    // The server notices by itself; until then HEAD tells what has come so far.
    std::string at;
    for (const MonoTime until = clock_.mono() + Millis{20'000};
         at != "40" && clock_.mono() < until;) {
        at = offset(upload);
    }
    ASSERT_EQ(at, "40");
    restart();
    EXPECT_EQ(offset(upload), "40");
    const Answer done = patch(upload, 40, std::string(60, 'b'));
    EXPECT_EQ(ask("GET", "/api/v1/media/" + done.field("x-durascribe-media-id") + "/source").body,
              std::string(40, 'a') + std::string(60, 'b'));
}

TEST_F(Uploads, ASecondPieceAtTheSameOffsetTakesOverFromOneThatHangs) {
    start();
    const std::string upload = create(100);
    RawClient hanging = connect();
    hanging.send(
        fmt::format("PATCH {} HTTP/1.1\r\nHost: localhost\r\n{}Upload-Offset: 0\r\n"
                    "Expect: 100-continue\r\nContent-Length: 100\r\n\r\n",
                    upload, kPiece));
    ASSERT_EQ(hanging.read()->status, 100) << "it has begun";
    EXPECT_EQ(patch(upload, 0, std::string(30, 'n')).status, 204);
    hanging.send(std::string(100, 'o'));
    const auto refused = hanging.read();
    ASSERT_TRUE(refused);
    EXPECT_EQ(refused->status, 423) << refused->body;
    EXPECT_EQ(text(object(*refused), "code"), "upload_taken_over");
    EXPECT_EQ(offset(upload), "30");
    const Answer done = patch(upload, 30, std::string(70, 'n'));
    EXPECT_EQ(ask("GET", "/api/v1/media/" + done.field("x-durascribe-media-id") + "/source").body,
              std::string(100, 'n'));
}

// A whole upload is finished once: who asks meanwhile is told to come back.
TEST_F(Uploads, WhileTheLastPieceIsBeingStoredNobodyElseGetsAtIt) {
    auto later = std::make_unique<SealsLater>(*store_);
    SealsLater& seal = *later;
    in_front_ = std::move(later);
    start();
    const std::string upload = create(3);
    RawClient last = connect();
    last.send(
        fmt::format("PATCH {} HTTP/1.1\r\nHost: localhost\r\n{}Upload-Offset: 0\r\n"
                    "Content-Length: 3\r\n\r\nabc",
                    upload, kPiece));
    EXPECT_TRUE(seal.gate.wait_inside(1));
    const Answer locked = ask("GET", upload);
    seal.gate.open();
    EXPECT_EQ(locked.status, 423) << locked.body;
    EXPECT_EQ(text(object(locked), "code"), "upload_locked");
    const auto stored = last.read();
    ASSERT_TRUE(stored);
    EXPECT_EQ(stored->status, 204) << stored->body;
    EXPECT_EQ(text(ask_json("GET", upload), "media_id"), stored->field("x-durascribe-media-id"));
}

TEST_F(Uploads, OneThatWasWholeWhenTheServerDiedIsFinishedByTheNext) {
    start();
    const std::string upload = create(3);
    ASSERT_EQ(patch(upload, 0, "ab").status, 204);
    const UploadId id{upload.substr(upload.rfind('/') + 1)};
    // What a kill leaves behind that came after the seal: the file is not in its place yet.
    {
        auto file = blobs_->open_partial(id.value, 2);
        ASSERT_TRUE(file.has_value());
        ASSERT_TRUE((*file)->write(std::as_bytes(std::span("c", 1))).has_value());
        ASSERT_TRUE((*file)->sync().has_value());
        ASSERT_TRUE(store_->seal_upload(id, *(*file)->address()).has_value());
    }
    restart();
    const std::string task = store_->upload(id)->task_id.value;
    ASSERT_TRUE(await(task, domain::TaskState::completed)) << "nobody had to come back for it";
    EXPECT_EQ(head(upload).field("x-durascribe-task-id"), task);
    EXPECT_EQ(media(), 1U);
    EXPECT_EQ(halves(), 0U);
}

TEST_F(Uploads, FilesOfUploadsThatAreGoneAreSweptAndThoseInUseStay) {
    start();
    const std::string half = create(4);
    ASSERT_EQ(patch(half, 0, "ab").status, 204);
    const std::string expired = create(4);
    ASSERT_EQ(patch(expired, 0, "ab").status, 204);
    ASSERT_TRUE(store_->delete_upload(UploadId{expired.substr(expired.rfind('/') + 1)}));
    ASSERT_EQ(halves(), 2U);
    EXPECT_EQ(head(expired).status, 404);
    EXPECT_EQ(*engine_->uploads().sweep(), 1);
    EXPECT_EQ(halves(), 1U);
    EXPECT_EQ(patch(half, 2, "cd").status, 204);
}

TEST_F(Uploads, OneThatIsLookedAtByAPersonIsToldAsJson) {
    start();
    const std::string upload = create(4, "Upload-Metadata: filename dGFsay5tcDQ=\r\n");
    ASSERT_EQ(patch(upload, 0, "abc").status, 204);
    const auto half = ask_json("GET", upload);
    EXPECT_EQ(half.at("offset").to_number<int>(), 3);
    EXPECT_EQ(half.at("length").to_number<int>(), 4);
    EXPECT_EQ(text(half, "filename"), "talk.mp4");
    EXPECT_FALSE(half.at("finished").as_bool());
    EXPECT_TRUE(half.at("media_id").is_null());
    EXPECT_FALSE(text(half, "expires_at").empty());
    const std::string id = patch(upload, 3, "d").field("x-durascribe-media-id");
    const auto whole = ask_json("GET", upload);
    EXPECT_EQ(text(whole, "media_id"), id);
    EXPECT_TRUE(whole.at("finished").as_bool());
    EXPECT_TRUE(whole.at("expires_at").is_null());
}

TEST_F(Uploads, SoManyHalfDoneOnesAndNoMore) {
    engine_settings_.uploads = {.count_max = 1, .bytes_max = 0};
    start();
    const std::string upload = create(2);
    const Answer refused = ask("POST", "/api/v1/uploads", kTus + "Upload-Length: 2\r\n");
    EXPECT_EQ(refused.status, 429) << refused.body;
    EXPECT_FALSE(refused.field("retry-after").empty());
    ASSERT_EQ(patch(upload, 0, "ab").status, 204);
    create(2);
}

TEST_F(Uploads, TheSameKeyGivesTheSameUpload) {
    start();
    const std::string key = "Idempotency-Key: one\r\n";
    const std::string upload = create(2, key);
    ASSERT_EQ(patch(upload, 0, "a").status, 204);
    const Answer again = ask("POST", "/api/v1/uploads", kTus + "Upload-Length: 2\r\n" + key);
    EXPECT_EQ(again.status, 201);
    EXPECT_EQ(again.field("location"), upload);
    EXPECT_EQ(again.field("upload-offset"), "1");
    EXPECT_EQ(again.field("idempotency-replayed"), "true");
    EXPECT_EQ(ask("POST", "/api/v1/uploads", kTus + "Upload-Length: 3\r\n" + key).status, 422);
}

TEST_F(Uploads, ACreationWithAKeyWhoseFirstPieceBrokeOffGoesOn) {
    start();
    const std::string fields = kTus + "Upload-Length: 1000\r\nIdempotency-Key: one\r\n";
    {
        RawClient client = connect();
        client.send("POST /api/v1/uploads HTTP/1.1\r\nHost: localhost\r\n" + fields +
                    "Content-Type: application/offset+octet-stream\r\nContent-Length: "
                    "1000\r\nExpect: 100-continue\r\n\r\n");
        ASSERT_EQ(client.read_until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
        client.send("the first bytes");
    }  // the line breaks
    const Answer again = ask("POST", "/api/v1/uploads", fields);
    EXPECT_EQ(again.status, 201) << again.body;
    EXPECT_EQ(again.field("idempotency-replayed"), "true");
}

}  // namespace
}  // namespace durascribe::api
