#include "durascribe/api/intake.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>

namespace durascribe::api {
namespace {

struct Record {
    std::string bytes;
    std::string filename;
    std::string title;
    domain::TaskOptions options;
    std::int64_t expected = -1;
    int begun = 0;
    int dropped = 0;
    int finished = 0;
};

// Keeps what it gets, in memory: a fake, for what the HTTP side hands over.
class RecordingUpload final : public engine::Upload {
  public:
    explicit RecordingUpload(Record& record) : record_(record) {}
    ~RecordingUpload() override { ++record_.dropped; }
    Result<void> write(std::span<const std::byte> bytes) override {
        record_.bytes.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
        return {};
    }
    std::int64_t size_bytes() const override {
        return static_cast<std::int64_t>(record_.bytes.size());
    }
    Result<Submitted> finish(const std::string& filename, const std::string& title,
                             const domain::TaskOptions& options,
                             std::optional<ports::IdempotencyKey> /*idempotency*/, bool /*join*/,
                             std::optional<ports::WatchedFile> /*watched*/) override {
        record_.filename = filename;
        record_.title = title;
        record_.options = options;
        ++record_.finished;
        Submitted done;
        done.media.id.value = "0190c1d0-0000-7000-8000-000000000001";
        done.media.title = title;
        done.media.filename = filename;
        return done;
    }

    Result<ports::BlobRef> keep() override { return ports::BlobRef{}; }
    void leave_in_doubt() override {}

  private:
    Record& record_;
};

BeginUpload recorder(Record& record) {
    return [&record](std::int64_t expected) -> Result<std::unique_ptr<engine::Upload>> {
        record.expected = expected;
        ++record.begun;
        return std::make_unique<RecordingUpload>(record);
    };
}

Request post(Fields headers, Fields query = {}, std::int64_t length = 100) {
    Request r;
    r.method = Method::post;
    r.path = "/api/v1/media";
    r.headers = std::move(headers);
    r.query = std::move(query);
    r.content_length = length;
    return r;
}

// The status code, or 0 and the error's code in `error`.
int send(Record& record, const Request& request, std::string_view body, std::string& error,
         std::int64_t limit = 1 << 20) {
    auto sink = make_upload_sink(
        request, {.begin = recorder(record),
                  .check = [](const auto& options, const auto&) -> Result<void> {
                      if (options.engine == "unknown") {
                          return fail(ErrorClass::input, "unknown_engine", "Not here.");
                      }
                      return {};
                  },
                  .defaults = {.language = "pl"},
                  .limit_bytes = limit});
    if (!sink) {
        error = sink.error().code;
        return 0;
    }
    if (auto written = (*sink)->write(body); !written) {
        error = written.error().code;
        return 0;
    }
    auto response = (*sink)->finish();
    if (!response) {
        error = response.error().code;
        return 0;
    }
    return response->status;
}

const Fields kForm{{"content-type", "multipart/form-data; boundary=B"}};

std::string form_part(const std::string& disposition, const std::string& data) {
    return "--B\r\nContent-Disposition: form-data; " + disposition + "\r\n\r\n" + data + "\r\n";
}

TEST(Intake, AFormWithOptionsBeforeAndAfterItsFile) {
    Record record;
    std::string error;
    const std::string body = form_part("name=\"title\"", "Stand-up") +
                             form_part("name=\"file\"; filename=\"a.wav\"", "bytes") +
                             form_part("name=\"language\"", "de") + "--B--";
    EXPECT_EQ(send(record, post(kForm), body, error), 201) << error;
    EXPECT_EQ(record.bytes, "bytes");
    EXPECT_EQ(record.filename, "a.wav");
    EXPECT_EQ(record.title, "Stand-up");
    EXPECT_EQ(record.options.language, "de");
}

TEST(Intake, ARawBodyWithItsNameInTheQueryOrTheHeader) {
    Record record;
    std::string error;
    EXPECT_EQ(
        send(record,
             post({{"content-type", "audio/wav"}}, {{"filename", "x/會.wav"}, {"model", "m"}}),
             "abc", error),
        201);
    EXPECT_EQ(record.filename, "會.wav");
    EXPECT_EQ(record.title, "會");
    EXPECT_EQ(record.options.model, "m");
    EXPECT_EQ(record.options.language, "pl") << "the default";
    EXPECT_EQ(record.expected, 100);
    Record second;
    EXPECT_EQ(
        send(second, post({{"content-disposition", "attachment; filename*=UTF-8''a%20b.mp3"}}),
             "abc", error),
        201);
    EXPECT_EQ(second.filename, "a b.mp3");
}

TEST(Intake, RefusesBeforeAnyByteIsTaken) {
    const auto refused = [](const Request& request) {
        Record record;
        std::string error;
        EXPECT_EQ(send(record, request, "", error, 1000), 0);
        EXPECT_EQ(record.begun, 0);
        return error;
    };
    EXPECT_EQ(refused(post({}, {}, 1001)), "body_too_large");
    EXPECT_EQ(refused(post(kForm, {}, 3 << 20)), "body_too_large");
    EXPECT_EQ(refused(post({}, {}, 0)), "empty_file");
    EXPECT_EQ(refused(post({{"content-type", "application/json"}})), "unsupported_content_type");
    EXPECT_EQ(refused(post({{"content-encoding", "gzip"}})), "unsupported_content_type");
    EXPECT_EQ(refused(post({{"content-type", "application/x-www-form-urlencoded"}})),
              "unsupported_content_type");
    EXPECT_EQ(refused(post({{"content-type", "multipart/form-data"}})), "bad_multipart");
    EXPECT_EQ(refused(post({}, {{"priority", "x"}})), "bad_value");
    EXPECT_EQ(refused(post({}, {{"engine", "unknown"}})), "unknown_engine");
    Record record;
    std::string error;
    EXPECT_EQ(
        send(record, post(kForm),
             form_part("name=\"engine\"", "unknown") + form_part("name=\"file\"", "bytes"), error),
        0);
    EXPECT_EQ(error, "unknown_engine");
    EXPECT_EQ(record.begun, 0) << "its file comes after the option";
}

TEST(Intake, AFormThatIsNotWholeIsDropped) {
    for (const std::string& body :
         {form_part("name=\"file\"; filename=\"a\"", "bytes"),  // no end
          form_part("name=\"file\"", "a") + form_part("name=\"file\"", "b") + "--B--",
          form_part("name=\"file\"", "a") + form_part("name=\"langauge\"", "b") + "--B--",
          form_part("name=\"file\"", "a") + form_part("name=\"title\"", std::string(5000, 'x')) +
              "--B--"}) {
        Record record;
        std::string error;
        EXPECT_EQ(send(record, post(kForm), body, error), 0);
        EXPECT_FALSE(error.empty());
        EXPECT_EQ(record.begun, 1);
        EXPECT_EQ(record.dropped, 1);
        EXPECT_EQ(record.finished, 0);
    }
    Record record;
    std::string error;
    EXPECT_EQ(send(record, post(kForm), form_part("name=\"title\"", "x") + "--B--", error), 0);
    EXPECT_EQ(error, "no_file");
}

}  // namespace
}  // namespace durascribe::api
