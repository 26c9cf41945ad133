#include "durascribe/watch/watch_folders.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <map>
#include <set>
#include <span>
#include <string_view>
#include <thread>

#include <fmt/format.h>

#include "durascribe/base/failpoint.h"
#include "durascribe/base/log.h"
#include "durascribe/base/unique_fd.h"
#include "durascribe/domain/text.h"

namespace durascribe::watch {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kPieceBytes = 256U << 10;
constexpr std::size_t kWrittenAtOnce = 50;
constexpr int kDepthMax = 64;  // of folders below a watched one
constexpr Millis kAgainAfterFailure{60'000};
constexpr MonoTime kNotAsItIs{Millis::max()};  // due once it was changed
constexpr std::array<std::string_view, 10> kNotMedia{
    ".srt",     ".vtt",        ".txt",      ".json", ".part",
    ".partial", ".crdownload", ".download", ".tmp",  ".filepart"};

bool worth_a_look(std::string_view name) {
    return !name.empty() && name.front() != '.' && name.back() != '~' &&
           std::ranges::none_of(kNotMedia,
                                [name](std::string_view end) { return name.ends_with(end); });
}

ports::WatchedFile form_of(const fs::path& path, const struct stat& s) {
    return {.path = path.native(),
            .inode = static_cast<std::int64_t>(s.st_ino),
            .size = s.st_size,
            .mtime_ns = s.st_mtim.tv_sec * 1'000'000'000LL + s.st_mtim.tv_nsec};
}

// nullopt: it is not there, or no regular file.
std::optional<ports::WatchedFile> look_at(const fs::path& path) {
    struct stat s{};
    if (::lstat(path.c_str(), &s) != 0 || !S_ISREG(s.st_mode)) {
        return std::nullopt;
    }
    return form_of(path, s);
}

// It is the file, or what was asked for it, that is wrong. One that was changed while it was read
// has another form by now.
bool will_be_refused_again(const Error& error) {
    return (error.cls == ErrorClass::request || error.cls == ErrorClass::input) &&
           error.code != "file_changed";
}

}  // namespace

class WatchFolders::Impl {
  public:
    Impl(engine::Engine& engine, ports::Store& store, const ports::Clock& clock,
         WatchSettings settings)
        : engine_(engine), store_(store), clock_(clock), settings_(std::move(settings)) {}

    ~Impl() {
        if (subscription_) {
            engine_.feed().unsubscribe(*subscription_);
        }
        thread_.request_stop();
        if (wake_.valid()) {
            wake();
        }
        if (thread_.joinable()) {
            thread_.join();
        }
    }

    Result<void> start() {
        notices_ = UniqueFd(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
        wake_ = UniqueFd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
        if (!notices_.valid() || !wake_.valid()) {
            return std::unexpected(system_error(errno, "watch folders"));
        }
        for (const fs::path& folder : settings_.folders) {
            if (!watch(folder)) {
                return fail(ErrorClass::input, "folder_not_readable",
                            fmt::format("{} can't be watched: {}. WATCH_FOLDERS names folders that "
                                        "are there and may be read.",
                                        folder.string(), std::strerror(errno)));
            }
        }
        if (!settings_.outputs.empty()) {
            subscription_ = engine_.feed().subscribe([this](std::span<const ports::Event> events) {
                if (std::ranges::any_of(
                        events, [](const ports::Event& e) { return e.type == "task.state"; })) {
                    wake();
                }
            });
        }
        thread_ = std::jthread([this](std::stop_token stop) { loop(stop); });
        pthread_setname_np(thread_.native_handle(), "ds-watch");
        return {};
    }

  private:
    struct Candidate {
        ports::WatchedFile form;
        MonoTime due;  // where nothing changes until then
    };

    // One that is watched already stays so, under the name that it has now.
    bool watch(const fs::path& folder, bool below = false) {
        const std::uint32_t follow = below ? IN_DONT_FOLLOW : 0;
        const int number =
            ::inotify_add_watch(notices_.get(), folder.c_str(),
                                IN_CREATE | IN_MODIFY | IN_CLOSE_WRITE | IN_MOVED_TO |
                                    IN_MOVED_FROM | IN_DELETE | IN_ONLYDIR | follow);
        if (number >= 0) {
            folders_[number] = folder;
        }
        return number >= 0;
    }

    void wake() {
        const std::uint64_t one = 1;
        static_cast<void>(::write(wake_.get(), &one, sizeof one));  // full: it is awake
    }

    void loop(std::stop_token stop) {
        look_everywhere();
        MonoTime looked = clock_.mono();
        while (!stop.stop_requested()) {
            write_outputs();
            take_due(stop);
            wait(looked + settings_.look_again);
            read_notices();
            if (clock_.mono() - looked >= settings_.look_again) {
                look_everywhere();
                looked = clock_.mono();
            }
        }
    }

    void wait(MonoTime until) {
        for (const auto& [path, candidate] : candidates_) {
            until = std::min(until, candidate.due);
        }
        const Millis patience = std::max(Millis{0}, until - clock_.mono());
        std::array<pollfd, 2> fds{pollfd{notices_.get(), POLLIN, 0},
                                  pollfd{wake_.get(), POLLIN, 0}};
        ::poll(fds.data(), fds.size(), static_cast<int>(patience.count()));
        std::uint64_t ignored = 0;
        static_cast<void>(::read(wake_.get(), &ignored, sizeof ignored));
    }

    void read_notices() {
        alignas(inotify_event) std::array<char, 16U << 10> buffer;
        bool anew = false;
        for (;;) {
            const ssize_t got = ::read(notices_.get(), buffer.data(), buffer.size());
            if (got <= 0) {
                break;
            }
            for (ssize_t at = 0; at < got;) {
                const auto* notice = reinterpret_cast<const inotify_event*>(buffer.data() + at);
                at += static_cast<ssize_t>(sizeof(inotify_event) + notice->len);
                if ((notice->mask & IN_Q_OVERFLOW) != 0) {
                    anew = true;
                } else if ((notice->mask & IN_IGNORED) != 0) {
                    folders_.erase(notice->wd);  // the folder is gone
                } else if (const auto folder = folders_.find(notice->wd);
                           folder != folders_.end() && notice->len > 0) {
                    if ((notice->mask & IN_ISDIR) == 0) {
                        consider(folder->second / notice->name);
                    } else {
                        anew = anew || settings_.subfolders;  // it came, went, or has another name
                    }
                }
            }
        }
        if (anew) {
            look_everywhere();
        }
    }

    void look_everywhere() {
        std::set<fs::path> seen;
        bool all = true;
        for (const fs::path& folder : settings_.folders) {
            all = look_into(folder, seen, 0) && all;
        }
        if (all) {
            std::erase_if(candidates_,
                          [&](const auto& entry) { return !seen.contains(entry.first); });
        }
    }

    // Whether all of it could be read. It is watched before it is read: what comes into it after
    // that is noticed.
    bool look_into(const fs::path& folder, std::set<fs::path>& seen, int depth) {
        if (!watch(folder, depth > 0) && errno != ENOENT && errno != ENOTDIR) {
            // It is looked into every look_again, at least.
            log::warning("{} can't be watched: {}", folder.string(), std::strerror(errno));
        }
        std::error_code failed;
        std::vector<fs::path> below;
        for (fs::directory_iterator it(folder, failed), end; !failed && it != end;
             it.increment(failed)) {
            std::error_code unknown;
            if (it->symlink_status(unknown).type() != fs::file_type::directory) {
                seen.insert(it->path());
                consider(it->path());
            } else if (settings_.subfolders && depth < kDepthMax &&
                       !it->path().filename().native().starts_with('.')) {
                below.push_back(it->path());
            }
        }
        if (failed && (depth == 0 || failed != std::errc::no_such_file_or_directory)) {
            log::warning("the watched folder {} can't be read: {}", folder.string(),
                         failed.message());
            return false;
        }
        bool all = true;
        for (const fs::path& one : below) {
            all = look_into(one, seen, depth + 1) && all;
        }
        return all;
    }

    // Something happened to it, or it is looked at.
    void consider(const fs::path& path) {
        if (!worth_a_look(path.filename().native())) {
            return;
        }
        const auto form = look_at(path);
        if (!form || form->size == 0) {
            candidates_.erase(path);
            return;
        }
        const auto known = candidates_.find(path);
        if (known != candidates_.end() && known->second.form == *form) {
            return;
        }
        const auto before = store_.watched_file(path.native());
        if (before && *before && (*before)->file == *form) {
            candidates_.erase(path);
            return;
        }
        candidates_[path] = {*form, clock_.mono() + settings_.settle};
    }

    void take_due(std::stop_token stop) {
        std::vector<fs::path> due;
        for (const auto& [path, candidate] : candidates_) {
            if (candidate.due <= clock_.mono()) {
                due.push_back(path);
            }
        }
        for (const fs::path& path : due) {
            if (stop.stop_requested()) {
                return;
            }
            consider(path);  // what was changed since waits anew
            const auto still = candidates_.find(path);
            if (still == candidates_.end() || still->second.due > clock_.mono()) {
                continue;
            }
            const auto taken = take(path, still->second.form, stop);
            if (taken) {
                candidates_.erase(path);
            } else if (will_be_refused_again(taken.error())) {
                log::warning("{} was not taken: {} Once it was changed it is tried again.",
                             path.string(), taken.error().message);
                still->second.due = kNotAsItIs;
            } else if (taken.error().code != "stopped") {
                log::warning("{} was not taken: {}", path.string(), taken.error().message);
                still->second.due = clock_.mono() + kAgainAfterFailure;
            }
        }
    }

    Result<void> take(const fs::path& path, const ports::WatchedFile& form, std::stop_token stop) {
        const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
        const auto unchanged = [&] {
            struct stat s{};
            return ::fstat(file.get(), &s) == 0 && S_ISREG(s.st_mode) && form_of(path, s) == form;
        };
        if (!file.valid()) {
            return std::unexpected(system_error(errno, fmt::format("read {}", path.string())));
        }
        if (!unchanged()) {
            return fail(ErrorClass::input, "file_changed", "It was changed just now.");
        }
        if (auto possible = engine_.check_request(settings_.options, {}); !possible) {
            return possible;  // before all of it is copied
        }
        auto upload = engine_.begin_upload(form.size, settings_.limit_bytes);
        if (!upload) {
            return std::unexpected(upload.error());
        }
        std::vector<std::byte> piece(kPieceBytes);
        for (;;) {
            const ssize_t got = ::read(file.get(), piece.data(), piece.size());
            if (got < 0 && errno == EINTR) {
                continue;
            }
            if (got < 0) {
                return std::unexpected(system_error(errno, fmt::format("read {}", path.string())));
            }
            if (stop.stop_requested()) {
                return fail(ErrorClass::lost, "stopped", "Stopped.");
            }
            if (got == 0) {
                break;
            }
            if (auto written = (*upload)->write(
                    std::span<const std::byte>(piece).first(static_cast<std::size_t>(got)));
                !written) {
                return written;
            }
        }
        if (!unchanged()) {
            return fail(ErrorClass::input, "file_changed", "It was changed while it was read.");
        }
        const std::string name = domain::clean_text(path.filename().string());
        const auto made = (*upload)->finish(name, domain::clean_text(path.stem().string()),
                                            settings_.options, {}, false, form);
        DURASCRIBE_FAILPOINT("watch.taken");
        if (!made) {
            return std::unexpected(made.error());
        }
        log::info("{} was taken: task {}", path.string(), made->task.id.value);
        return {};
    }

    // Of what was delivered; a file that is there is left as it is.
    void write_outputs() {
        if (settings_.outputs.empty()) {
            return;
        }
        // Those that can't be written now stand in nobody's way.
        const std::size_t limit = kWrittenAtOnce + not_written_.size();
        const auto delivered = store_.unwritten_files(static_cast<int>(limit));
        if (!delivered) {
            log::warning("transcripts of watched files: {}", delivered.error().message);
            return;
        }
        for (const ports::WatchedRow& row : *delivered) {
            const auto before = not_written_.find(row.file.path);
            if (before != not_written_.end() && clock_.mono() < before->second) {
                continue;
            }
            if (!write_outputs_of(row, before == not_written_.end())) {
                not_written_[row.file.path] = clock_.mono() + settings_.look_again;
                continue;
            }
            not_written_.erase(row.file.path);
            if (auto marked = store_.mark_written(row.file); !marked) {
                log::warning("{}: {}", row.file.path, marked.error().message);
                return;
            }
            DURASCRIBE_FAILPOINT("watch.written");
        }
        if (delivered->size() == limit) {
            wake();
        }
    }

    // False: something of it could not be written, and is to be tried again.
    bool write_outputs_of(const ports::WatchedRow& row, bool first_time) {
        bool all = true;
        for (const domain::DocumentFormat format : settings_.outputs) {
            const auto document = engine_.document(row.task_id, format);
            fs::path path = row.file.path;
            path.replace_extension(fmt::format(".{}", domain::to_string(format)));
            const auto written = document ? settings_.write(path, *document)
                                          : Result<void>(std::unexpected(document.error()));
            if (written) {
                continue;
            }
            if (first_time) {
                log::warning("{} was not written: {}", path.string(), written.error().message);
            }
            all = all && written.error().code == "output_exists";
        }
        return all;
    }

    engine::Engine& engine_;
    ports::Store& store_;
    const ports::Clock& clock_;
    const WatchSettings settings_;
    UniqueFd notices_;
    UniqueFd wake_;
    std::map<int, fs::path> folders_;  // by the number of the watch
    std::map<fs::path, Candidate> candidates_;
    std::map<std::string, MonoTime> not_written_;  // whose transcript is tried again, and when
    std::optional<int> subscription_;
    std::jthread thread_;
};

Result<std::unique_ptr<WatchFolders>> WatchFolders::start(engine::Engine& engine,
                                                          ports::Store& store,
                                                          const ports::Clock& clock,
                                                          WatchSettings settings) {
    auto impl = std::make_unique<Impl>(engine, store, clock, std::move(settings));
    if (auto started = impl->start(); !started) {
        return std::unexpected(started.error());
    }
    return std::unique_ptr<WatchFolders>(new WatchFolders(std::move(impl)));
}

WatchFolders::WatchFolders(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
WatchFolders::~WatchFolders() = default;

}  // namespace durascribe::watch
