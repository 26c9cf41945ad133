#include "durascribe/base/unique_fd.h"

#include <unistd.h>

namespace durascribe {

void UniqueFd::reset(int fd) {
    if (fd_ >= 0) {
        ::close(fd_);  // the outcome is known to nobody: what must be durable was fsynced before
    }
    fd_ = fd;
}

}  // namespace durascribe
