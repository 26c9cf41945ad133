// Many HTTP requests at once in one thread, each to addresses that the policy lets pass.
//
// A name is resolved here; where one of its addresses is refused, the request is. libcurl is given
// the checked addresses and no name to look up, no proxy, no redirects to follow, and the address
// of every socket is checked once more when it is made: an answer of the DNS that changes between
// the two helps nobody.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "durascribe/base/error.h"
#include "durascribe/base/time.h"
#include "durascribe/net/address_policy.h"
#include "durascribe/net/resolver.h"

namespace durascribe::net {

// What answered before its body came; after redirects: the last answer.
struct AnswerHead {
    int status = 0;
    std::string url;  // that answered
    std::vector<std::pair<std::string, std::string>> headers;

    // Of the first header of that name, in whatever case.
    std::optional<std::string> header(std::string_view name) const;
};

struct TransferRequest {
    std::string url;
    bool post = false;  // with `body`; else GET
    std::string body;
    std::vector<std::string> headers;  // "Name: value"
    Millis connect_timeout{10'000};
    Millis timeout{0};        // of all of it; 0: none
    Millis stall_timeout{0};  // without a byte, in whole seconds; 0: none
    int redirects_max = 0;    // more than that are an error; 0: a redirect is an answer like others
    // Called in run_once(), and must not call this object. An error ends the request with it.
    std::function<Result<void>(const AnswerHead&)> on_head;
    std::function<Result<void>(std::string_view)> on_body;
};

// Errors: input "bad_url", "address_refused", "too_many_redirects"; network "name_not_resolved",
// "connect_failed", "tls_failed", "connection_lost", "timed_out"; what on_head and on_body say.
struct TransferEnd {
    std::optional<Error> error;
    AnswerHead head;  // as far as it came
};

struct TransferSettings {
    AddressPolicy policy;
    std::string certificates;  // PEM, of those who may sign; empty: the system's file
    std::string user_agent = "durascribe";
};

// One thread, but for wake().
class Transfers {
  public:
    Transfers(std::unique_ptr<Resolver> resolver, TransferSettings settings);
    ~Transfers();  // what is under way is dropped, and its `done` not called

    using Done = std::function<void(TransferEnd)>;
    // `done` is called once, from run_once(); it may start others.
    void start(TransferRequest request, Done done);
    std::size_t active() const;

    // Waits until something can be done, at most for `patience`, and does it.
    void run_once(Millis patience);
    // Any thread: a run_once() that waits returns.
    void wake();

  private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

// Retry-After (RFC 9110 §10.2.3), in seconds or as a date; nullopt: neither.
std::optional<Millis> retry_after(std::string_view value, WallTime now);

}  // namespace durascribe::net
