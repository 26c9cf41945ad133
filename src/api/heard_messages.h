// What a client has said over its WebSocket and was not answered yet. Pure.
#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace durascribe::api {

// Never more than kMost messages, and than kBytesFull bytes and one message.
class HeardMessages {
  public:
    static constexpr std::size_t kMost = 16;
    static constexpr std::size_t kBytesFull = 16 << 10;

    // False: full. What comes before the next take() is kept, but the caller reads no more.
    bool add(std::string text) {
        bytes_ += text.size();
        texts_.push_back(std::move(text));
        return texts_.size() < kMost && bytes_ < kBytesFull;
    }
    // All of them, in order; none is kept.
    std::vector<std::string> take() {
        bytes_ = 0;
        return std::exchange(texts_, {});
    }

  private:
    std::vector<std::string> texts_;
    std::size_t bytes_ = 0;
};

}  // namespace durascribe::api
