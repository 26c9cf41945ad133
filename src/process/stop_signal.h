// A stop_token as a descriptor that poll(2) can wait for.
#pragma once

#include <stop_token>

#include "durascribe/base/error.h"
#include "durascribe/base/unique_fd.h"

namespace durascribe::process {

// Readable from the moment at which stop is requested. Does not take part in the request: other
// callbacks of the same token are not delayed.
class StopSignal {
  public:
    static Result<UniqueFd> make_event();

    // `event`: from make_event, borrowed, used by one StopSignal only.
    StopSignal(int event, std::stop_token token) : callback_(std::move(token), Raise{event}) {}

  private:
    struct Raise {
        int event;
        void operator()() const noexcept;
    };
    std::stop_callback<Raise> callback_;
};

}  // namespace durascribe::process
