#include "durascribe/worker/site_fetch.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <vector>

#include <fmt/format.h>
#include <boost/json.hpp>

#include "durascribe/domain/text.h"
#include "durascribe/net/checking_proxy.h"
#include "durascribe/net/web_address.h"

namespace durascribe::worker {
namespace {

using Clock = std::chrono::steady_clock;

constexpr Millis kLookAgain{1'000};
constexpr std::size_t kLineMax = 64U << 10;
constexpr std::size_t kToldMax = 300;
constexpr std::string_view kInfo = "durascribe-info ";

std::string host_of(const std::string& url) {
    const auto address = net::WebAddress::parse(url);
    return address ? address->host : url;
}

std::vector<std::string> arguments_of(const SiteJob& job, std::uint16_t proxy_port) {
    std::vector<std::string> out{
        "--ignore-config", "--no-cache-dir", "--no-playlist", "--playlist-items", "1", "--no-exec",
        "--no-warnings", "--no-progress", "--no-mtime", "--no-simulate",
        // What is fetched as one file comes first; pieces are joined by yt-dlp itself, not by
        // FFmpeg.
        "--format", "ba[protocol^=http]/b[protocol^=http]/ba/b", "--downloader", "m3u8:native",
        "--ffmpeg-location", "/nowhere", "--match-filter", "!is_live", "--retries", "2",
        "--fragment-retries", "2", "--socket-timeout", "20", "--proxy",
        fmt::format("http://127.0.0.1:{}", proxy_port), "--print",
        fmt::format("before_dl:{}%(.{{title,ext}})j", kInfo), "--output", "-"};
    if (job.limit_bytes > 0) {
        out.insert(out.end(), {"--max-filesize", std::to_string(job.limit_bytes)});
    }
    out.insert(out.end(), {"--", job.url});
    return out;
}

// A name for people; what is none gives none.
std::string name_from(std::string_view info) {
    boost::system::error_code bad;
    const boost::json::value value = boost::json::parse({info.data(), info.size()}, bad);
    const auto text = [&value](const char* key) -> std::string {
        const auto* object = value.if_object();
        const auto* found = object != nullptr ? object->if_contains(key) : nullptr;
        const auto* string = found != nullptr ? found->if_string() : nullptr;
        return string != nullptr ? std::string(string->data(), string->size()) : std::string();
    };
    if (bad || text("title").empty()) {
        return {};
    }
    std::string name = text("title") + (text("ext").empty() ? "" : "." + text("ext"));
    std::ranges::replace_if(name, [](char c) { return c == '/' || c == '\\'; }, '-');
    return domain::clean_text(name);
}

class Run {
  public:
    Run(SiteProgram& program, net::CheckingProxy& proxy, const SiteJob& job, const SiteSink& sink)
        : program_(program), proxy_(proxy), job_(job), sink_(sink) {}

    std::optional<Error> run() {
        const auto begun = Clock::now();
        auto carried_at = begun;
        std::int64_t carried = 0;
        bool output_open = true;
        bool messages_open = true;
        while (output_open || messages_open) {
            std::vector<pollfd> fds;
            if (messages_open) {
                fds.push_back({program_.messages(), POLLIN, 0});
            }
            if (output_open) {
                fds.push_back({program_.output(), POLLIN, 0});
            }
            const std::size_t own = fds.size();
            proxy_.add_descriptors(fds);
            const Millis patience = std::min(kLookAgain, proxy_.patience().value_or(kLookAgain));
            if (::poll(fds.data(), fds.size(), static_cast<int>(patience.count())) < 0 &&
                errno != EINTR) {
                return system_error(errno, "wait for a download");
            }
            proxy_.process(std::span(fds).subspan(own));
            // Messages first: what is said of a file comes before its first byte.
            if (messages_open && fds[0].revents != 0) {
                messages_open = read_messages();
            }
            if (output_open && fds[own - 1].revents != 0) {
                const auto more = read_output();
                if (!more) {
                    return more.error();
                }
                output_open = *more;
            }
            if (proxy_.bytes() > carried) {
                carried = proxy_.bytes();
                carried_at = Clock::now();
                sink_.progress(carried);
            }
            if (late(begun, job_.timeout) || late(carried_at, job_.stall)) {
                return Error{ErrorClass::network,
                             "timed_out",
                             fmt::format("{} did not answer in time.", host_of(job_.url)),
                             {}};
            }
        }
        return how_it_ended();
    }

  private:
    static bool late(Clock::time_point since, Millis limit) {
        return limit > Millis{0} && Clock::now() - since > limit;
    }

    // Whether more may come.
    bool read_messages() {
        std::array<char, 4096> buffer{};
        const ssize_t got = ::read(program_.messages(), buffer.data(), buffer.size());
        if (got <= 0) {
            return got < 0 && errno == EINTR;
        }
        line_.append(buffer.data(), static_cast<std::size_t>(got));
        for (auto end = line_.find('\n'); end != std::string::npos; end = line_.find('\n')) {
            take_line(std::string_view(line_).substr(0, end));
            line_.erase(0, end + 1);
        }
        if (line_.size() > kLineMax) {
            line_.clear();  // no line of yt-dlp's
        }
        return true;
    }

    void take_line(std::string_view line) {
        if (line.starts_with(kInfo)) {
            name_ = name_from(line.substr(kInfo.size()));
            found_ = true;
        } else if (line.starts_with("ERROR:")) {
            last_error_ = line;
        }
    }

    Result<bool> read_output() {
        std::array<char, 64U << 10> buffer;
        const ssize_t got = ::read(program_.output(), buffer.data(), buffer.size());
        if (got <= 0) {
            return got < 0 && errno == EINTR;
        }
        if (!std::exchange(begun_, true)) {
            if (auto done = sink_.begin(name_); !done) {
                return std::unexpected(done.error());
            }
        }
        if (auto done = sink_.body({buffer.data(), static_cast<std::size_t>(got)}); !done) {
            return std::unexpected(done.error());
        }
        return true;
    }

    std::optional<Error> how_it_ended() {
        const int code = program_.exit_code();
        if (code == 0 && begun_) {
            return std::nullopt;
        }
        if (proxy_.refused()) {
            return proxy_.refused();
        }
        if (code == 0 && found_) {  // it says nothing where the file is too large
            return Error{ErrorClass::input,
                         "too_large",
                         fmt::format("The file is larger than this server takes ({} bytes). Raise "
                                     "upload_limit.",
                                     job_.limit_bytes),
                         {}};
        }
        return site_error(host_of(job_.url), last_error_);
    }

    SiteProgram& program_;
    net::CheckingProxy& proxy_;
    const SiteJob& job_;
    const SiteSink& sink_;
    std::string line_;
    std::string name_;
    std::string last_error_;
    bool found_ = false;
    bool begun_ = false;
};

}  // namespace

Error site_error(std::string_view host, std::string_view last_error) {
    const auto said = [last_error](std::string_view words) {
        return last_error.find(words) != std::string_view::npos;
    };
    if (last_error.empty() || said("Unsupported URL") || said("No video formats found") ||
        said("Requested format is not available")) {
        return {ErrorClass::input, "no_media_found",
                fmt::format("Nothing that can be transcribed was found on the page of {}. Give the "
                            "address of the file itself, or of a page of one video.",
                            host),
                std::string(last_error)};
    }
    std::string told = domain::clean_text(std::string(last_error.substr(6)));
    if (told.size() > kToldMax) {
        told = told.substr(0, kToldMax) + "…";
    }
    const bool again = said("urlopen error") || said("timed out") || said("HTTP Error 5") ||
                       said("HTTP Error 429") || said("Connection reset") ||
                       said("IncompleteRead") || said("Remote end closed");
    return {again ? ErrorClass::network : ErrorClass::input,
            again ? "site_unreachable" : "site_refused",
            fmt::format("{} gave nothing: {}", host, told), std::string(last_error)};
}

std::optional<Error> fetch_from_site(SiteProgram& program, net::Resolver& resolver,
                                     const net::AddressPolicy& policy, const SiteJob& job,
                                     const SiteSink& sink) {
    net::CheckingProxy proxy(program.take_listener(), resolver, policy);
    if (auto begun = program.run(arguments_of(job, program.port())); !begun) {
        return begun.error();
    }
    return Run(program, proxy, job, sink).run();
}

}  // namespace durascribe::worker
