#include "durascribe/engine/download.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <span>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "durascribe/base/failpoint.h"
#include "durascribe/domain/text.h"
#include "durascribe/protocol/frame.h"
#include "durascribe/protocol/messages.h"

namespace durascribe::engine {
namespace {

constexpr std::size_t kPieceBytes = 256U << 10;
// After so much, or so long, what has come is made durable.
constexpr std::int64_t kDurableBytes = 16LL << 20;
constexpr Millis kDurableAfter{1'000};

// Bytes, or the end.
bool comes_within(int fd, Millis patience) {
    pollfd wait{fd, POLLIN, 0};
    return ::poll(&wait, 1, static_cast<int>(patience.count())) != 0;
}

Result<std::size_t> read_some(int fd, std::span<char> into) {
    for (;;) {
        const ssize_t got = ::read(fd, into.data(), into.size());
        if (got >= 0) {
            return static_cast<std::size_t>(got);
        }
        if (errno != EINTR) {
            return std::unexpected(system_error(errno, "read what a worker downloaded"));
        }
    }
}

// False: it ended before.
Result<bool> read_all(int fd, std::span<char> into) {
    while (!into.empty()) {
        const auto got = read_some(fd, into);
        if (!got) {
            return std::unexpected(got.error());
        }
        if (*got == 0) {
            return false;
        }
        into = into.subspan(*got);
    }
    return true;
}

// Shown, never used as a path.
std::string shown_name(const std::string& name) {
    const std::string last = name.substr(name.find_last_of("/\\") + 1);
    std::string clean = domain::clean_text(last);
    return clean.size() <= 255 ? clean : std::string();
}

}  // namespace

Download::Download(ports::Store& store, const ports::Clock& clock, ports::Lease lease,
                   ports::ImportRow import, std::unique_ptr<ports::PartialBlob> file,
                   std::function<Result<void>(std::int64_t bytes)> check_room)
    : store_(store),
      clock_(clock),
      lease_(lease),
      import_(std::move(import)),
      file_(std::move(file)),
      check_room_(std::move(check_room)) {
    const bool known = !import_.etag.empty() || !import_.last_modified.empty();
    offset_ = known ? file_->size_bytes() : 0;
}

Download::~Download() = default;  // the thread ends when the pipe does

bool Download::whole() const {
    return import_.bytes_total && *import_.bytes_total > 0 &&
           import_.bytes_done == *import_.bytes_total &&
           file_->size_bytes() == *import_.bytes_total;
}

Result<UniqueFd> Download::begin() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
        return std::unexpected(system_error(errno, "make a pipe for a download"));
    }
    pipe_.reset(ends[0]);
    UniqueFd theirs(ends[1]);
    thread_ = std::jthread([this] {
        pthread_setname_np(pthread_self(), "ds-download");
        pumped_ = pump();
        pipe_.reset();  // a worker that goes on writing learns that nobody reads
    });
    return theirs;
}

Result<void> Download::finish() {
    thread_.join();
    return pumped_;
}

Result<void> Download::pump() {
    if (auto head = take_head(); !head) {
        return head;
    }
    std::vector<char> piece(kPieceBytes);
    MonoTime durable_at = clock_.mono();
    for (;;) {
        // Also where nothing more comes for a while.
        if (file_->size_bytes() > import_.bytes_done && !comes_within(pipe_.get(), kDurableAfter)) {
            if (auto done = make_durable(); !done) {
                return done;
            }
            durable_at = clock_.mono();
        }
        const auto got = read_some(pipe_.get(), piece);
        if (!got) {
            return std::unexpected(got.error());
        }
        if (*got == 0) {
            return make_durable();
        }
        if (auto written = file_->write(std::as_bytes(std::span(piece).first(*got))); !written) {
            // What was taken of it is worth keeping; that the disk is full is what is told.
            static_cast<void>(make_durable());
            return written;
        }
        if (file_->size_bytes() - import_.bytes_done >= kDurableBytes ||
            clock_.mono() - durable_at >= kDurableAfter) {
            if (auto done = make_durable(); !done) {
                return done;
            }
            durable_at = clock_.mono();
        }
    }
}

// Before the first byte: of which file it is, and where it goes on.
Result<void> Download::take_head() {
    std::array<char, 4> bytes{};
    auto whole = read_all(pipe_.get(), bytes);
    if (!whole || !*whole) {
        return whole ? Result<void>() : std::unexpected(whole.error());  // it had nothing to send
    }
    std::size_t length = 0;
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        length |= static_cast<std::size_t>(static_cast<unsigned char>(bytes[i])) << (8 * i);
    }
    if (length > protocol::kFetchHeadMax) {
        return std::unexpected(protocol::protocol_error("the head of a download is too long"));
    }
    std::string payload(length, '\0');
    whole = read_all(pipe_.get(), payload);
    if (!whole || !*whole) {
        return whole ? Result<void>() : std::unexpected(whole.error());
    }
    const auto head = protocol::decode<protocol::FetchHead>(payload);
    if (!head) {
        return std::unexpected(head.error());
    }
    if (head->offset != 0 && head->offset != offset_) {
        return std::unexpected(protocol::protocol_error("a download goes on where nobody asked"));
    }
    if (auto cut = file_->cut(head->offset); !cut) {
        return cut;
    }
    import_.etag = head->etag;
    import_.last_modified = head->last_modified;
    import_.bytes_total = head->total >= 0 ? std::optional{head->total} : std::nullopt;
    import_.filename = shown_name(head->filename);
    if (auto done = make_durable(); !done) {
        return done;
    }
    DURASCRIBE_FAILPOINT("import.head_recorded");
    const auto coming = left();
    return coming && *coming > 0 ? check_room_(*coming) : Result<void>();
}

Result<void> Download::make_durable() {
    if (auto synced = file_->sync(); !synced) {
        return synced;
    }
    DURASCRIBE_FAILPOINT("import.bytes_synced");
    import_.bytes_done = file_->size_bytes();
    auto recorded = store_.record_import(lease_, import_);
    DURASCRIBE_FAILPOINT("import.bytes_recorded");
    return recorded;
}

Result<void> Download::seal() {
    const std::int64_t size = file_->size_bytes();
    if (import_.bytes_total && size != *import_.bytes_total) {
        return fail(ErrorClass::network, "cut_short",
                    fmt::format("Only {} of {} bytes came.", size, *import_.bytes_total));
    }
    if (size == 0) {
        return fail(ErrorClass::input, "empty_file",
                    "The file at this address is empty: there is nothing to transcribe.");
    }
    const auto address = file_->address();
    if (!address) {
        return std::unexpected(address.error());
    }
    import_.source = *address;
    auto sealed = store_.record_import(lease_, import_);
    DURASCRIBE_FAILPOINT("import.sealed");
    return sealed;
}

}  // namespace durascribe::engine
