// yt-dlp in a room of its own: a process that sees of this machine the system's programs and
// libraries, read-only, and a small folder in memory, and reaches nothing of the network but a
// socket on which somebody here listens (net/checking_proxy.h). It is made before this process
// gives up its files, and waits there until it is needed.
//
// It has a user, a mount, an IPC and a network namespace of its own; so what yt-dlp, or what it was
// made to do by a page, asks for has no way but through the proxy.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "durascribe/base/error.h"
#include "durascribe/base/unique_fd.h"

namespace durascribe::worker {

class SiteProgram {
  public:
    // `program`: absolute, below /usr. Requires that this process has one thread. Errors: internal
    // "no_room", whose detail says what the kernel refused.
    static Result<std::unique_ptr<SiteProgram>> prepare(const std::string& program);
    ~SiteProgram();  // kills and reaps

    // Listens on 127.0.0.1 within the room.
    UniqueFd take_listener() { return std::move(listener_); }
    std::uint16_t port() const { return port_; }

    // Runs the program, once, with these arguments.
    Result<void> run(const std::vector<std::string>& arguments);
    int output() const { return output_.get(); }      // its standard output
    int messages() const { return messages_.get(); }  // its standard error
    // After both have ended. -1: it was killed.
    int exit_code();

  private:
    SiteProgram() = default;
    pid_t pid_ = -1;
    UniqueFd control_, output_, messages_, listener_;
    std::uint16_t port_ = 0;
};

}  // namespace durascribe::worker
