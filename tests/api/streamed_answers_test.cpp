// Bodies that are made over time, and answers that come later, over a real socket and a table of
// routes of the test's own.
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <future>
#include <latch>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include <sys/socket.h>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>

#include "durascribe/api/connection.h"
#include "durascribe/api/live_hub.h"
#include "http_fixture.h"
#include "websocket_client.h"

namespace durascribe::api {
namespace {

namespace asio = boost::asio;

// What a test puts in from its own thread, as a body.
class Tap {
  public:
    void put(std::string bytes, bool end = false) {
        const std::scoped_lock lock{mutex_};
        waiting_ += bytes;
        ended_ = ended_ || end;
        wake();
    }
    void cut() {
        const std::scoped_lock lock{mutex_};
        broken_ = true;
        wake();
    }
    BodyStream::Piece take() {
        const std::scoped_lock lock{mutex_};
        ++looks;
        return {std::exchange(waiting_, {}), broken_  ? BodyStream::Then::broken
                                             : ended_ ? BodyStream::Then::end
                                                      : BodyStream::Then::wait};
    }
    void attach(Wake wake) {
        const std::scoped_lock lock{mutex_};
        wake_ = std::move(wake);
        attached_.notify_all();
    }
    void detach() { attach(nullptr); }
    // Whether a connection waits on it comes to be so in time.
    bool await_attached(bool wanted) {
        std::unique_lock lock{mutex_};
        return attached_.wait_for(lock, std::chrono::seconds{20},
                                  [&] { return (wake_ != nullptr) == wanted; });
    }

    // Pieces of 64 KiB that come without an end.
    void count() {
        const std::scoped_lock lock{mutex_};
        ++flood_;
        attached_.notify_all();
    }
    int flood() {
        const std::scoped_lock lock{mutex_};
        return flood_;
    }
    // How many there are once none has come for a quarter of a second.
    int await_stillness() {
        std::unique_lock lock{mutex_};
        int seen = 0;
        do {
            seen = flood_;
        } while (attached_.wait_for(lock, std::chrono::milliseconds{250},
                                    [&] { return flood_ != seen; }));
        return seen;
    }

    std::atomic<int> looks = 0;

  private:
    void wake() {
        if (wake_) {
            wake_();
        }
    }
    std::mutex mutex_;
    std::condition_variable attached_;
    std::string waiting_;
    int flood_ = 0;
    bool ended_ = false;
    bool broken_ = false;
    Wake wake_;
};

Tap* tap = nullptr;  // of the test that runs

class TapBody final : public BodyStream {
  public:
    ~TapBody() override { tap->detach(); }
    void start(Wake wake) override { tap->attach(std::move(wake)); }
    Piece next() override { return tap->take(); }
    std::string farewell() override { return "bye"; }
};

class Flood final : public BodyStream {
  public:
    ~Flood() override { tap->detach(); }
    void start(Wake wake) override { tap->attach(std::move(wake)); }
    Piece next() override { return {{}, Then::work}; }
    Piece work() override {
        tap->count();
        return {std::string(64 << 10, 'x'), Then::look};
    }
};

class TapAnswer final : public LaterResponse {
  public:
    ~TapAnswer() override { tap->detach(); }
    void start(Wake wake) override { tap->attach(std::move(wake)); }
    Result<std::optional<Response>> look() override {
        BodyStream::Piece piece = tap->take();
        if (piece.then == BodyStream::Then::broken) {
            return fail(ErrorClass::request, "not_found", "It is gone.");
        }
        if (piece.then == BodyStream::Then::wait) {
            return std::nullopt;
        }
        Response response;
        response.body = std::move(piece.bytes);
        return response;
    }
};

// Takes four messages until its next(), of which it has one; then its writer is busy.
class BusyTalk final : public SocketTalk {
  public:
    ~BusyTalk() override { tap->detach(); }
    void start(Wake wake) override { tap->attach(std::move(wake)); }
    Piece next() override { return {{}, BodyStream::Then::work}; }
    Piece work() override {
        tap->await_attached(false);
        return {};
    }
    bool received(std::string) override {
        tap->count();
        return ++heard_ < 4;
    }

  private:
    int heard_ = 0;
};

Result<std::unique_ptr<SocketTalk>> busy_talk(const Services&, const Request&) {
    return std::make_unique<BusyTalk>();
}

template <typename Body>
Result<Response> with_stream(const Services&, const Request&) {
    Response response;
    response.stream = std::make_unique<Body>();
    return response;
}
Result<Response> with_later(const Services&, const Request&) {
    Response response;
    response.later = std::make_unique<TapAnswer>();
    return response;
}

// An answer that the disk holds up until the test lets it go.
struct Held {
    std::latch begun{1};
    std::latch go{1};
};
Held* held = nullptr;

Result<Response> with_delay(const Services&, const Request&) {
    held->begun.count_down();
    held->go.wait();
    Response response;
    response.body = "done";
    return response;
}

constexpr Route kTestRoutes[] = {
    {Method::get, "/held", access::Need::read, with_delay},
    {Method::get, "/stream", access::Need::read, with_stream<TapBody>},
    {Method::get, "/flood", access::Need::read, with_stream<Flood>},
    {Method::get, "/later", access::Need::read, with_later},
    {Method::get, "/busy", access::Need::read, nullptr, nullptr, busy_talk},
};

class StreamedAnswers : public HttpTest {
  protected:
    void SetUp() override {
        HttpTest::SetUp();
        tap = &tap_;
        settings_.keep_alive_interval = Millis{60'000};
    }
    void TearDown() override {
        if (connection_) {
            connection_->close();
        }
        work_.reset();
        io_thread_ = {};
        watch_.reset();  // of the engine, as the next
        live_.reset();
        HttpTest::TearDown();
    }

    // One connection, served by one I/O thread and one blocking thread.
    RawClient serve() {
        start();
        live_.emplace(*engine_, *store_);
        watch_.emplace(engine_->feed());
        access_.emplace(*store_, clock_, settings_.access);
        services_.emplace(*engine_, *store_, *blobs_, facts_, settings_, *live_, *watch_, *access_,
                          metrics_, clock_);
        const UniqueFd listener{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t length = sizeof address;
        EXPECT_EQ(::bind(listener.get(), reinterpret_cast<sockaddr*>(&address), length), 0);
        EXPECT_EQ(::listen(listener.get(), 1), 0);
        ::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &length);
        RawClient client{ntohs(address.sin_port)};
        UniqueFd accepted{
            ::accept4(listener.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC)};
        connection_ = make_connection(io_, std::move(accepted),
                                      {*services_, pool_, true, kTestRoutes}, Welcome::serve);
        connection_->begin([](Connection*) {});
        io_thread_ = std::jthread{[this] { io_.run(); }};
        return client;
    }
    static bool get(RawClient& client, const std::string& path,
                    const std::string& version = "1.1") {
        return client.send("GET " + path + " HTTP/" + version + "\r\nHost: localhost\r\n\r\n");
    }

    Tap tap_;
    NodeFacts facts_{"1.2.3", "somewhere", "sqlite", "full", "scripted", "none"};
    std::optional<LiveHub> live_;
    std::optional<TaskWatch> watch_;
    metrics::Metrics metrics_;
    std::optional<access::AccessControl> access_;
    std::optional<Services> services_;
    asio::io_context io_;
    std::optional<asio::executor_work_guard<asio::io_context::executor_type>> work_{
        asio::make_work_guard(io_)};
    BlockingPool pool_{1};
    std::shared_ptr<Connection> connection_;
    std::jthread io_thread_;
};

TEST_F(StreamedAnswers, SendPiecesAsTheyComeAndKeepTheConnection) {
    RawClient client = serve();
    get(client, "/stream");
    const auto head = client.read(true);
    ASSERT_TRUE(head);
    EXPECT_EQ(head->field("transfer-encoding"), "chunked");
    EXPECT_EQ(head->field("content-length"), "");
    tap_.put("one");
    EXPECT_EQ(client.read_bytes(8), "3\r\none\r\n");
    tap_.put("and two", true);
    EXPECT_EQ(client.read_bytes(17), "7\r\nand two\r\n0\r\n\r\n");
    EXPECT_TRUE(tap_.await_attached(false));
    get(client, "/nothing");
    const auto second = client.read();
    ASSERT_TRUE(second);
    EXPECT_EQ(second->status, 404);
}

TEST_F(StreamedAnswers, HoldNoThreadAndDoNotPoll) {
    RawClient client = serve();
    get(client, "/stream");
    ASSERT_TRUE(client.read(true));
    ASSERT_TRUE(tap_.await_attached(true));
    std::promise<void> done;  // the only blocking thread is free meanwhile
    pool_.post([&done] { done.set_value(); });
    ASSERT_EQ(done.get_future().wait_for(std::chrono::seconds{10}), std::future_status::ready);
    tap_.put("x");
    EXPECT_EQ(client.read_bytes(6), "1\r\nx\r\n");
    EXPECT_LE(tap_.looks, 3);  // at first, and when woken
}

TEST_F(StreamedAnswers, SayThatTheyLiveWhileThereIsNothing) {
    settings_.keep_alive_interval = Millis{20};
    RawClient client = serve();
    get(client, "/stream");
    ASSERT_TRUE(client.read(true));
    EXPECT_EQ(client.read_bytes(38), "e\r\n: keep-alive\n\n\r\ne\r\n: keep-alive\n\n\r\n");
}

TEST_F(StreamedAnswers, AreUntilTheEndOfTheConnectionForHttp10) {
    RawClient client = serve();
    get(client, "/stream", "1.0");
    const auto head = client.read(true);
    ASSERT_TRUE(head);
    EXPECT_EQ(head->field("transfer-encoding"), "");
    EXPECT_EQ(head->field("connection"), "close");
    tap_.put("all of it", true);
    EXPECT_EQ(client.read_bytes(9), "all of it");
    EXPECT_TRUE(client.ended());
}

TEST_F(StreamedAnswers, AreCutWhereTheyCannotBecomeWhole) {
    RawClient client = serve();
    get(client, "/stream");
    ASSERT_TRUE(client.read(true));
    tap_.put("half");
    EXPECT_EQ(client.read_bytes(9), "4\r\nhalf\r\n");
    tap_.cut();
    EXPECT_TRUE(client.ended());  // without the last chunk
}

TEST_F(StreamedAnswers, EndWhenTheClientGoes) {
    RawClient client = serve();
    get(client, "/stream");
    ASSERT_TRUE(client.read(true));
    ASSERT_TRUE(tap_.await_attached(true));
    client.close();
    EXPECT_TRUE(tap_.await_attached(false));
}

TEST_F(StreamedAnswers, SayFarewellAtShutdown) {
    RawClient client = serve();
    get(client, "/stream");
    ASSERT_TRUE(client.read(true));
    connection_->finish_soon();
    EXPECT_EQ(client.read_bytes(13), "3\r\nbye\r\n0\r\n\r\n");
    EXPECT_TRUE(client.ended());
}

TEST_F(StreamedAnswers, AreCutWhereNobodyTakesTheirLastWords) {
    RawClient client = serve();
    get(client, "/flood");
    ASSERT_TRUE(client.read(true));
    tap_.await_stillness();
    connection_->finish_soon();
    connection_->cut_live();
    EXPECT_TRUE(tap_.await_attached(false));
}

TEST_F(StreamedAnswers, ARequestThatIsAtWorkWhenAllIsClosedIsAnswered) {
    Held here;
    held = &here;
    RawClient client = serve();
    get(client, "/held");
    here.begun.wait();
    connection_->finish_soon();
    connection_->cut_live();
    connection_->close();
    here.go.count_down();
    const auto answer = client.read();
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->status, 200);
    EXPECT_EQ(answer->body, "done");
    EXPECT_EQ(answer->field("connection"), "close");
    EXPECT_TRUE(client.ended());
}

TEST_F(StreamedAnswers, AreNotMadeFasterThanTheyAreRead) {
    RawClient client = serve();
    get(client, "/flood");
    ASSERT_TRUE(client.read(true));
    // The sockets' buffers take some megabytes; then it stops, until the client reads.
    const int before = tap_.await_stillness();
    EXPECT_LT(before, 1'000);
    std::size_t got = 0;
    while (got < (std::size_t{64} << 10) * (static_cast<std::size_t>(before) + 1)) {
        const std::string bytes = client.read_bytes(64 << 10);
        ASSERT_FALSE(bytes.empty());
        got += bytes.size();
    }
    EXPECT_GT(tap_.flood(), before);
}

TEST_F(StreamedAnswers, AWebSocketIsNotReadBeyondWhatItsTalkTakes) {
    testing::WebSocketClient client{serve()};
    ASSERT_EQ(client.open("/busy"), 101);
    for (int i = 0; i < 40; ++i) {
        client.send(testing::kText, "more");
    }
    EXPECT_EQ(tap_.await_stillness(), 4);
    tap_.detach();  // lets its writer go
}

TEST_F(StreamedAnswers, MayComeLater) {
    RawClient client = serve();
    get(client, "/later");
    ASSERT_TRUE(tap_.await_attached(true));
    std::promise<void> done;  // the only blocking thread is free meanwhile
    pool_.post([&done] { done.set_value(); });
    ASSERT_EQ(done.get_future().wait_for(std::chrono::seconds{10}), std::future_status::ready);
    tap_.put("here", true);
    const auto answer = client.read();
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->status, 200);
    EXPECT_EQ(answer->body, "here");
}

TEST_F(StreamedAnswers, ThatComeLaterMayBeErrors) {
    RawClient client = serve();
    get(client, "/later");
    ASSERT_TRUE(tap_.await_attached(true));
    tap_.cut();
    const auto answer = client.read();
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->status, 404);
}

TEST_F(StreamedAnswers, ThatWouldComeLaterAreRefusedAtShutdown) {
    RawClient client = serve();
    get(client, "/later");
    ASSERT_TRUE(tap_.await_attached(true));
    connection_->finish_soon();
    const auto answer = client.read();
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->status, 503);
    EXPECT_TRUE(client.ended());
}

TEST_F(StreamedAnswers, ThatWouldComeLaterAreDroppedWhenTheClientGoes) {
    RawClient client = serve();
    get(client, "/later");
    ASSERT_TRUE(tap_.await_attached(true));
    client.close();
    EXPECT_TRUE(tap_.await_attached(false));
}

}  // namespace
}  // namespace durascribe::api
