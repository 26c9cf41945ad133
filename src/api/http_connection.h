// The implementation of a Connection, spread over connection.cpp (requests one after another),
// connection_bodies.cpp (what comes in) and connection_answers.cpp (what goes out). Included by
// these alone: it includes Beast.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/buffer_body.hpp>
#include <boost/beast/http/parser.hpp>

#include "durascribe/api/blocking.h"
#include "durascribe/api/connection.h"
#include "durascribe/api/cors.h"
#include "durascribe/api/credentials.h"
#include "durascribe/api/message.h"
#include "durascribe/api/router.h"
#include "durascribe/api/thrown.h"
#include "durascribe/api/wake_signal.h"
#include "durascribe/api/websocket_session.h"
#include "durascribe/base/log.h"
#include "durascribe/base/log_fields.h"

namespace durascribe::api {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using boost::system::error_code;
using Steady = std::chrono::steady_clock;

inline constexpr auto kTuple = asio::as_tuple(asio::use_awaitable);
inline constexpr std::size_t kReadBufferMax = 64 << 10;

using Parser = http::request_parser<http::buffer_body>;

Error error_of_parse(error_code ec);
bool is_parse_error(error_code ec);
Error error_of_exception(const std::exception& e);

class HttpConnection final : public Connection,
                             public std::enable_shared_from_this<HttpConnection> {
  public:
    HttpConnection(asio::ip::tcp::socket socket, const ConnectionContext& context, Welcome welcome)
        : stream_(std::move(socket)),
          services_(context.services),
          settings_(context.services.settings),
          pool_(context.pool),
          bound_to_loopback_(context.bound_to_loopback),
          routes_(context.routes),
          peer_(peer_of(stream_.socket().native_handle())),
          welcome_(welcome) {}

    void begin(std::function<void(Connection*)> ended) override {
        asio::co_spawn(stream_.get_executor(), welcome_ == Welcome::serve ? serve() : refuse(),
                       [self = shared_from_this(), ended = std::move(ended)](std::exception_ptr e) {
                           if (e) {
                               log_exception("A connection ended with an exception", e);
                           }
                           self->stream_.close();
                           ended(self.get());
                       });
    }

    void finish_soon() override {
        asio::dispatch(stream_.get_executor(), [self = shared_from_this()] {
            self->stopping_ = true;
            if (self->idle_) {
                self->stream_.close();
            }
            self->wake_waiting();
            if (self->socket_) {
                self->socket_->finish_soon();
            }
        });
    }

    void cut_live() override {
        asio::dispatch(stream_.get_executor(), [self = shared_from_this()] {
            if (self->waiting_) {
                self->gone_ = true;
                self->stream_.close();
                self->wake_waiting();
            }
            if (self->socket_) {
                self->socket_->cut();
            }
        });
    }

    void close() override {
        asio::dispatch(stream_.get_executor(), [self = shared_from_this()] {
            self->stopping_ = true;
            self->closing_ = true;
            if (self->working_ && !self->receiving_) {
                return;  // what it was asked for is being done: the answer still goes out
            }
            self->gone_ = true;
            self->stream_.close();
            self->wake_waiting();
            if (self->socket_) {
                self->socket_->cut();
            }
        });
    }

    void hang_up_on(const std::string& owner) override {
        asio::dispatch(stream_.get_executor(), [self = shared_from_this(), owner] {
            const access::Principal& who = self->who_;
            if (owner != who.token.value && owner != who.session) {
                return;
            }
            self->access_ended_ = true;  // for what is only being opened
            if (self->socket_) {
                self->socket_->end_access();
            } else if (self->waiting_ || self->receiving_) {
                self->gone_ = true;
                self->stream_.close();
                self->wake_waiting();
            }
        });
    }

  private:
    enum class Next { keep_alive, hang_up, linger };

    asio::awaitable<void> serve();
    asio::awaitable<void> refuse();

    asio::awaitable<bool> wait_for_request(bool first);
    asio::awaitable<error_code> read_header(Parser& parser);
    asio::awaitable<Next> serve_one(Parser& parser);
    Result<const Route*> admit(Request& request, bool http11);
    void tell_of_request();
    // Runs `work` on a blocking thread, its log lines named after the request, and counts its time.
    template <typename Work>
    asio::awaitable<std::invoke_result_t<Work>> at_work(Work work) {
        const auto since = Steady::now();
        working_ = true;
        auto result = co_await blocking(pool_, [this, &work] {
            const log::Scope about{{"request_id", now_.id}};
            return work();
        });
        working_ = false;
        now_.worked += Steady::now() - since;
        co_return result;
    }
    Result<void> authorise(Request& request, const Route& route);
    asio::awaitable<Next> serve_small(Parser& parser, Request request, const Route* route);
    asio::awaitable<Next> serve_upload(Parser& parser, Request request, const Route* route);
    asio::awaitable<Next> serve_websocket(Parser& parser, Request request, const Route* route);
    asio::awaitable<error_code> pass_body_on(Parser& parser, BodySink& sink, Result<void>& good);
    asio::awaitable<Result<void>> write_piece(BodySink& sink, std::string_view bytes);
    asio::awaitable<bool> say_continue(const Parser& parser);
    asio::awaitable<error_code> read_body(Parser& parser, char* into, std::size_t size,
                                          std::size_t& got);
    asio::awaitable<bool> respond(Response response, bool head_only, bool keep_alive);
    asio::awaitable<Next> respond_unread(Response response, const Parser& parser);
    asio::awaitable<std::optional<Response>> settle(Response response);
    asio::awaitable<bool> send_file(FileBody file);
    asio::awaitable<bool> send_stream(std::unique_ptr<BodyStream> body, Framing framing);
    asio::awaitable<bool> send_pieces(BodyStream& body, Framing framing);
    asio::awaitable<bool> send_piece(std::string bytes, Framing framing);
    asio::awaitable<bool> send(const char* data, std::size_t size);
    asio::awaitable<void> linger();

    void begin_waiting();
    void end_waiting();
    void watch_for_departure();
    void wake_waiting() {
        if (waiting_) {
            waiting_->wake_here();
        }
    }

    bool body_ended(const Parser& parser) const {
        return body_left_ ? *body_left_ == 0 : parser.is_done();
    }
    bool keeps_alive(const Parser& parser) const { return parser.get().keep_alive() && !stopping_; }

    // All used on the stream's strand alone.
    beast::tcp_stream stream_;
    const Services& services_;
    const ServerSettings& settings_;
    BlockingPool& pool_;
    bool bound_to_loopback_;
    std::span<const Route> routes_;
    const Peer peer_;
    Welcome welcome_;
    access::Principal who_;  // asks now
    // Of the request now answered: for its log lines and the metrics.
    struct Answering {
        std::string id;
        std::string what;  // method and path
        std::string_view method;
        std::string_view route;  // its pattern; empty: none matched
        int status = 0;          // 0: not answered
        Steady::duration
            worked{};  // what the server itself took; waiting for the client is not in it
    } now_;
    bool receiving_ = false;     // a body
    bool access_ended_ = false;  // of who asks now, since it was let in
    beast::flat_buffer buffer_{kReadBufferMax};
    bool idle_ = false;  // nothing is lost by closing now
    bool stopping_ = false;
    bool working_ = false;                      // at_work()
    bool closing_ = false;                      // close() was called: nothing more is read …
    bool last_answer_ = false;                  // … and this goes out within kLastAnswer
    bool http11_ = true;                        // the request now answered
    bool takes_gzip_ = false;                   // who asks it
    ForeignPage page_;                          // that asks for it
    std::shared_ptr<WebSocketSession> socket_;  // once this has become one
    // While an answer waits for what is not there yet.
    std::shared_ptr<WakeSignal> waiting_;
    bool gone_ = false;  // the client has left, or close() was called
    // Of the body now read: what is still to come, where its length was told; time that the client
    // let pass, and what it sent.
    std::optional<std::uint64_t> body_left_ = 0;
    bool body_refused_ = false;  // no more of it is wanted
    Steady::duration body_waited_{};
    std::int64_t body_received_ = 0;
};

}  // namespace durascribe::api
