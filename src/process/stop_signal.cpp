#include "durascribe/process/stop_signal.h"

#include <sys/eventfd.h>

#include <cerrno>

namespace durascribe::process {

Result<UniqueFd> StopSignal::make_event() {
    UniqueFd event(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!event.valid()) {
        return std::unexpected(system_error(errno, "wait for a worker process"));
    }
    return event;
}

void StopSignal::Raise::operator()() const noexcept {
    // Adding 1 to a fresh counter can't fail.
    DURASCRIBE_ASSERT(::eventfd_write(event, 1) == 0);
}

}  // namespace durascribe::process
