#include "durascribe/cli/output_files.h"

#include <cerrno>
#include <cstdio>
#include <map>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "durascribe/base/failpoint.h"
#include "durascribe/base/ids.h"
#include "durascribe/base/unique_fd.h"
#include "durascribe/cli/terminal_text.h"

namespace durascribe::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kNameBytesMax = 255;  // NAME_MAX of Linux file systems

std::string shown(const fs::path& path) {
    return printable(path.native());
}

std::string name_for(const fs::path& input, domain::DocumentFormat format) {
    const std::string extension = "." + std::string(domain::to_string(format));
    std::string stem = input.stem().native();
    if (stem.size() + extension.size() > kNameBytesMax) {
        std::size_t end = kNameBytesMax - extension.size();
        while (end > 0 && (static_cast<unsigned char>(stem[end]) & 0xC0U) == 0x80U) {
            --end;  // never within a UTF-8 character
        }
        stem.resize(end);
    }
    return stem + extension;
}

Result<std::string> read_whole(const fs::path& path) {
    const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file.valid()) {
        return std::unexpected(system_error(errno, fmt::format("read {}", shown(path))));
    }
    std::string content;
    char buffer[65536];
    while (true) {
        const ssize_t got = ::read(file.get(), buffer, sizeof buffer);
        if (got == 0) {
            return content;
        }
        if (got < 0 && errno != EINTR) {
            return std::unexpected(system_error(errno, fmt::format("read {}", shown(path))));
        }
        if (got > 0) {
            content.append(buffer, static_cast<std::size_t>(got));
        }
    }
}

Result<void> check_writable(const fs::path& directory) {
    if (::access(directory.c_str(), W_OK | X_OK) == 0) {
        return {};
    }
    return fail(
        ErrorClass::input, "folder_not_writable",
        fmt::format(
            "Transcripts can't be written to the folder {}. Choose another with --output DIR, or "
            "--output - for standard output.",
            shown(directory)),
        std::generic_category().message(errno));
}

// A file that is written whole before it gets its name. Until then it has none, so that a process
// that is killed leaves nothing; only where the file system cannot do that (no O_TMPFILE) it has a
// hidden one, which is removed unless it was renamed.
struct Unnamed {
    fs::path folder;
    UniqueFd file;
    fs::path hidden;  // empty: it has no name, or its final one

    explicit Unnamed(fs::path in) : folder(std::move(in)) {
        file = UniqueFd(::open(folder.c_str(), O_TMPFILE | O_WRONLY | O_CLOEXEC, 0666));
        if (!file.valid() && (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL)) {
            hidden = hidden_name();
            file = UniqueFd(::open(hidden.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
            if (!file.valid()) {
                hidden.clear();
            }
        }
    }
    ~Unnamed() {
        if (!hidden.empty()) {
            ::unlink(hidden.c_str());
        }
    }
    Unnamed(const Unnamed&) = delete;
    Unnamed& operator=(const Unnamed&) = delete;

    // Each gives 0, or -1 and errno.
    int name_new(const fs::path& path) {  // EEXIST where something is there
        if (hidden.empty()) {
            const std::string self = fmt::format("/proc/self/fd/{}", file.get());
            return ::linkat(AT_FDCWD, self.c_str(), AT_FDCWD, path.c_str(), AT_SYMLINK_FOLLOW);
        }
        // renameat2 refuses in one step what is there; some file systems do not have it, link() is
        // the older way to the same.
        if (::renameat2(AT_FDCWD, hidden.c_str(), AT_FDCWD, path.c_str(), RENAME_NOREPLACE) == 0) {
            hidden.clear();
            return 0;
        }
        return errno == EINVAL || errno == ENOSYS ? ::link(hidden.c_str(), path.c_str()) : -1;
    }
    int name_or_replace(const fs::path& path) {
        if (name_new(path) == 0) {
            return 0;
        }
        if (errno != EEXIST) {
            return -1;
        }
        if (hidden.empty()) {
            const fs::path name = hidden_name();
            if (name_new(name) != 0) {
                return -1;
            }
            hidden = name;
            DURASCRIBE_FAILPOINT("output.named");
        }
        if (::rename(hidden.c_str(), path.c_str()) != 0) {
            return -1;
        }
        hidden.clear();
        return 0;
    }

  private:
    fs::path hidden_name() const { return folder / fmt::format(".durascribe-{}", new_uuid()); }
};

}  // namespace

Result<std::vector<std::vector<OutputFile>>> plan_outputs(
    const std::vector<fs::path>& inputs, const std::vector<domain::DocumentFormat>& formats,
    const std::optional<fs::path>& directory) {
    if (directory) {
        std::error_code problem;
        fs::create_directories(*directory, problem);
        if (problem && !fs::is_directory(*directory)) {
            return fail(
                ErrorClass::request, "bad_output",
                fmt::format("The folder {} can't be made: {}. Choose another with --output DIR.",
                            shown(*directory), problem.message()));
        }
    }
    std::vector<std::vector<OutputFile>> plan;
    std::map<fs::path, fs::path> input_of;
    for (const fs::path& input : inputs) {
        const fs::path folder = directory                 ? *directory
                                : input.has_parent_path() ? input.parent_path()
                                                          : fs::path(".");
        if (!formats.empty()) {
            if (auto writable = check_writable(folder); !writable) {
                return std::unexpected(writable.error());
            }
        }
        auto& outputs = plan.emplace_back();
        for (const domain::DocumentFormat format : formats) {
            const fs::path output = folder / name_for(input, format);
            std::error_code ignored;  // where either is not there, they are not the same
            if (fs::equivalent(output, input, ignored)) {
                return fail(
                    ErrorClass::request, "output_is_input",
                    fmt::format(
                        "The transcript of {} would replace it. Choose a folder with --output DIR.",
                        shown(input)));
            }
            const auto [entry, fresh] =
                input_of.emplace(fs::absolute(output).lexically_normal(), input);
            if (!fresh) {
                return fail(ErrorClass::request, "same_output",
                            fmt::format("The transcripts of {} and {} would both be {}. Transcribe "
                                        "them one by one, "
                                        "each with its own --output DIR.",
                                        shown(entry->second), shown(input), shown(output)));
            }
            outputs.push_back({output, format});
        }
    }
    return plan;
}

Result<void> write_output(const fs::path& path, const std::string& content, bool replace) {
    const std::string doing = fmt::format("write {}", shown(path));
    const fs::path folder = path.has_parent_path() ? path.parent_path() : fs::path(".");
    Unnamed output(folder);
    if (!output.file.valid()) {
        const int problem = errno;
        if (problem == EACCES || problem == EROFS || problem == ENOENT) {
            if (auto writable = check_writable(folder); !writable) {
                return writable;
            }
        }
        return std::unexpected(system_error(problem, doing));
    }
    DURASCRIBE_FAILPOINT("output.begun");
    for (std::size_t done = 0; done < content.size();) {
        const ssize_t wrote =
            ::write(output.file.get(), content.data() + done, content.size() - done);
        if (wrote < 0 && errno != EINTR) {
            return std::unexpected(system_error(errno, doing));
        }
        done += wrote > 0 ? static_cast<std::size_t>(wrote) : 0;
    }
    DURASCRIBE_FAILPOINT("output.written");
    if (::fsync(output.file.get()) != 0) {
        return std::unexpected(system_error(errno, doing));
    }
    DURASCRIBE_FAILPOINT("output.synced");
    if (replace) {
        if (output.name_or_replace(path) != 0) {
            return std::unexpected(system_error(errno, doing));
        }
        DURASCRIBE_FAILPOINT("output.replaced");
        return {};
    }
    if (output.name_new(path) == 0) {
        DURASCRIBE_FAILPOINT("output.in_place");
        return {};
    }
    if (errno != EEXIST) {
        return std::unexpected(system_error(errno, doing));
    }
    const auto there = read_whole(path);
    if (there && *there == content) {
        return {};
    }
    return fail(
        ErrorClass::request, "output_exists",
        fmt::format(
            "{} is there already and was left as it is. Replace it with --overwrite, or choose "
            "another folder with --output DIR.",
            shown(path)));
}

}  // namespace durascribe::cli
