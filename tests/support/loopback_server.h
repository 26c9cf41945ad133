// A small HTTP server on 127.0.0.1 that a test owns: each connection gets one answer, which the
// test makes of the request.
#pragma once

#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "loopback_listener.h"

namespace durascribe::testing {

class LoopbackServer {
  public:
    // Gets the head and the body of a request; what it gives is sent as it is, then the connection
    // is closed. Called on a thread for each connection.
    using Answer = std::function<std::string(const std::string& request)>;

    explicit LoopbackServer(Answer answer) : answer_(std::move(answer)) {
        accepting_ = std::jthread([this] { accept_all(); });
    }
    ~LoopbackServer() {
        listener_.stop();
        accepting_.join();
        {
            const std::scoped_lock lock(mutex_);
            for (const int fd : open_) {
                ::shutdown(fd, SHUT_RDWR);
            }
        }
        serving_.clear();
    }

    std::uint16_t port() const { return listener_.port(); }
    std::string url(const std::string& path = "/") const {
        return "http://127.0.0.1:" + std::to_string(listener_.port()) + path;
    }
    std::vector<std::string> requests() const {
        const std::scoped_lock lock(mutex_);
        return requests_;
    }
    // False: not within 20 s.
    bool await_requests(std::size_t count) {
        std::unique_lock lock(mutex_);
        return arrived_.wait_for(lock, std::chrono::seconds{20},
                                 [&] { return requests_.size() >= count; });
    }

  private:
    void accept_all() {
        for (;;) {
            const int fd = listener_.accept();
            if (fd < 0) {
                return;
            }
            const std::scoped_lock lock(mutex_);
            open_.push_back(fd);
            serving_.emplace_back([this, fd] { serve(fd); });
        }
    }
    void serve(int fd) {
        std::string request;
        char buffer[4096];
        std::size_t wanted = std::string::npos;
        while (request.size() < wanted) {
            const ssize_t got = ::recv(fd, buffer, sizeof buffer, 0);
            if (got <= 0) {
                break;
            }
            request.append(buffer, static_cast<std::size_t>(got));
            const auto head = request.find("\r\n\r\n");
            if (wanted == std::string::npos && head != std::string::npos) {
                const auto length = request.find("Content-Length: ");
                wanted = head + 4 +
                         (length < head ? std::stoul(request.substr(length + 16)) : std::size_t{0});
            }
        }
        {
            const std::scoped_lock lock(mutex_);
            requests_.push_back(request);
            arrived_.notify_all();
        }
        const std::string answer = answer_(request);
        for (std::size_t sent = 0; sent < answer.size();) {
            const ssize_t n = ::send(fd, answer.data() + sent, answer.size() - sent, MSG_NOSIGNAL);
            if (n <= 0) {
                break;
            }
            sent += static_cast<std::size_t>(n);
        }
        const std::scoped_lock lock(mutex_);
        std::erase(open_, fd);
        ::close(fd);
    }

    const Answer answer_;
    LoopbackListener listener_;
    mutable std::mutex mutex_;
    std::condition_variable arrived_;
    std::vector<std::string> requests_;
    std::vector<int> open_;
    std::vector<std::jthread> serving_;
    std::jthread accepting_;
};

// "HTTP/1.1 200 OK" with these fields and this body.
inline std::string http_answer(int status, const std::string& fields, const std::string& body) {
    return "HTTP/1.1 " + std::to_string(status) + " Said\r\n" + fields +
           "Content-Length: " + std::to_string(body.size()) + "\r\nConnection: close\r\n\r\n" +
           body;
}

}  // namespace durascribe::testing
