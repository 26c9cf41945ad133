// Downloads one file: what comes is written to the job's descriptor as it comes.
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <fstream>
#include <iterator>

#include <fmt/format.h>

#include "durascribe/base/log.h"
#include "durascribe/net/dns_resolver.h"
#include "durascribe/net/transfers.h"
#include "durascribe/net/web_address.h"
#include "durascribe/protocol/frame.h"
#include "durascribe/protocol/messages.h"
#include "durascribe/worker/role.h"
#include "durascribe/worker/sandbox.h"
#include "durascribe/worker/site_fetch.h"
#include "durascribe/worker/site_program.h"

namespace durascribe::worker {
namespace {

constexpr const char* kCertificates = "/etc/ssl/certs/ca-certificates.crt";
constexpr int kRedirectsMax = 10;
constexpr Millis kLookAgain{60'000};

WallTime wall_now() {
    return std::chrono::floor<Millis>(std::chrono::system_clock::now());
}

std::optional<std::int64_t> number_from(std::string_view text) {
    std::int64_t value = 0;
    const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (problem != std::errc{} || end != text.data() + text.size() || value < 0 ||
        value > protocol::kFetchBytesMax) {
        return std::nullopt;
    }
    return value;
}

// "bytes 100-199/200", "bytes 100-199/*" (RFC 9110 §14.4): where it begins, and how long the whole
// is, -1 where that is not said.
std::optional<std::pair<std::int64_t, std::int64_t>> content_range(std::string_view text) {
    const auto dash = text.find('-');
    const auto slash = text.find('/');
    if (!text.starts_with("bytes ") || dash == std::string_view::npos ||
        slash == std::string_view::npos || dash < 6) {
        return std::nullopt;
    }
    const auto first = number_from(text.substr(6, dash - 6));
    const std::string_view total = text.substr(slash + 1);
    const auto whole = total == "*" ? std::optional<std::int64_t>{-1} : number_from(total);
    if (!first || !whole) {
        return std::nullopt;
    }
    return std::pair{*first, *whole};
}

// The file name of a Content-Disposition in its plain form; the server cleans it.
std::string disposition_name(const std::string& field) {
    const auto at = field.find("filename=");
    if (at == std::string::npos) {
        return {};
    }
    std::string_view rest = std::string_view(field).substr(at + 9);
    if (rest.starts_with('"')) {
        rest.remove_prefix(1);
        return std::string(rest.substr(0, rest.find('"')));
    }
    return std::string(rest.substr(0, rest.find(';')));
}

std::string host_of(const net::AnswerHead& head) {
    const auto address = net::WebAddress::parse(head.url);
    return address ? address->host : head.url;
}

Error refused(const net::AnswerHead& head) {
    const std::string host = host_of(head);
    const int status = head.status;
    if (status == 408 || status == 425 || status == 429 || status >= 500) {
        return {
            ErrorClass::network, "server_busy", fmt::format("{} answered {}.", host, status), {}};
    }
    const std::string_view advice =
        status == 404 || status == 410   ? "There is nothing at this address: check it."
        : status == 401 || status == 403 ? "It may not be read without signing in: download the "
                                           "file yourself, then upload it."
                                         : "Check the address.";
    return {ErrorClass::input,
            "download_refused",
            fmt::format("{} answered {}. {}", host, status, advice),
            {}};
}

std::string lower(std::string text) {
    std::ranges::transform(text, text.begin(), [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    });
    return text;
}

// What leads to media and is none, in words; empty: it may be a file. Servers that do not know the
// types of HLS and DASH send theirs as text or as bytes.
std::string_view page_or_list(const net::AnswerHead& head) {
    const std::string type = lower(head.header("content-type").value_or(""));
    const std::string path = lower(head.url.substr(0, head.url.find_first_of("?#")));
    if (type.starts_with("text/html") || type.starts_with("application/xhtml")) {
        return "a web page";
    }
    const bool list = type.find("mpegurl") != std::string::npos ||
                      type.starts_with("application/dash+xml") || path.ends_with(".m3u8") ||
                      path.ends_with(".mpd");
    return list ? "a list of a stream's pieces (HLS, DASH)" : "";
}

Error web_page(const net::AnswerHead& head, std::string_view what, std::string_view why_no_sites) {
    return {ErrorClass::input,
            "web_page",
            fmt::format("The address is of {} of {}, not of a media file. Give the address of the "
                        "file itself. (Of streams and pages of video sites, files are got with "
                        "yt-dlp, {}: download with it, then upload the file.)",
                        what, host_of(head), why_no_sites),
            {}};
}

Error too_large(std::int64_t limit) {
    return {ErrorClass::input,
            "too_large",
            fmt::format("The file is larger than this server takes ({} bytes). Raise upload_limit, "
                        "or cut the file.",
                        limit),
            {}};
}

// Where pages go; without `program`, why they go nowhere.
struct Sites {
    std::unique_ptr<SiteProgram> program;
    std::unique_ptr<net::Resolver> resolver;
    std::string why_not;
};

Error out_of_time(Millis limit, const std::string& detail) {
    return {ErrorClass::network, "timed_out",
            fmt::format("The file was not there within {:.0f} s. Raise IMPORT_TIMEOUT if a "
                        "download may take longer.",
                        std::chrono::duration<double>(limit).count()),
            detail};
}

// One job, over at most two requests: what is there already may turn out to be of another file.
class Fetch {
  public:
    Fetch(net::Transfers& transfers, Sites& sites, const net::AddressPolicy& policy,
          const protocol::FetchRequest& job, int output, const OnProgress& on_progress)
        : transfers_(transfers),
          sites_(sites),
          policy_(policy),
          job_(job),
          output_(output),
          on_progress_(on_progress) {}

    protocol::Fetched run() {
        protocol::Fetched fetched = fetch();
        if (fetched.error && fetched.error->code == "timed_out" && left() == kNothingLeft) {
            fetched.error = out_of_time(job_.timeout, fetched.error->message);
        }
        return fetched;
    }

  private:
    using Clock = std::chrono::steady_clock;
    static constexpr Millis kNothingLeft{1};

    protocol::Fetched fetch() {
        bool resume = job_.offset > 0 && !validator().empty();
        for (;;) {
            start_over_ = false;
            const net::TransferEnd end = request(resume);
            if (start_over_) {
                resume = false;
                continue;
            }
            if (is_page_ && sites_.program) {
                const auto error = from_site();
                return {.bytes = written_, .error = error};
            }
            protocol::Fetched fetched{.bytes = written_, .error = end.error};
            if (const auto wait = end.head.header("retry-after"); wait && end.error) {
                fetched.retry_after =
                    net::retry_after(*wait, wall_now()).value_or(fetched.retry_after);
            }
            return fetched;
        }
    }

    // Of the job's time; 0: there is no limit.
    Millis left() const {
        if (job_.timeout <= Millis{0}) {
            return Millis{0};
        }
        const auto passed = std::chrono::duration_cast<Millis>(Clock::now() - begun_);
        return std::max(kNothingLeft, job_.timeout - passed);
    }

    // Weak ETags do not tell ranges apart (RFC 9110 §13.1.5).
    const std::string& validator() const {
        return !job_.etag.empty() && !job_.etag.starts_with("W/") ? job_.etag : job_.last_modified;
    }

    net::TransferEnd request(bool resume) {
        net::TransferRequest request{.url = job_.url,
                                     .timeout = left(),
                                     .stall_timeout = job_.stall,
                                     .redirects_max = kRedirectsMax};
        if (resume) {
            request.headers.push_back(fmt::format("Range: bytes={}-", job_.offset));
            request.headers.push_back("If-Range: " + validator());
        }
        request.on_head = [this, resume](const net::AnswerHead& head) {
            return begin(head, resume);
        };
        request.on_body = [this](std::string_view part) { return take(part); };
        std::optional<net::TransferEnd> end;
        transfers_.start(std::move(request), [&end](net::TransferEnd e) { end = std::move(e); });
        while (!end) {
            transfers_.run_once(kLookAgain);
        }
        return std::move(*end);
    }

    std::unexpected<Error> start_over() {
        start_over_ = true;
        return fail(ErrorClass::network, "start_over", "From its beginning.");
    }

    Result<void> begin(const net::AnswerHead& head, bool resume) {
        if (resume && head.status == 416) {
            return start_over();
        }
        if (head.status != 200 && head.status != 206) {
            return std::unexpected(refused(head));
        }
        if (const auto what = page_or_list(head); !what.empty()) {
            is_page_ = true;
            return std::unexpected(web_page(head, what, sites_.why_not));
        }
        protocol::FetchHead out{
            .etag = head.header("etag").value_or(""),
            .last_modified = head.header("last-modified").value_or(""),
            .filename = disposition_name(head.header("content-disposition").value_or(""))};
        if (head.status == 206) {
            const auto range = content_range(head.header("content-range").value_or(""));
            if (!resume || !range || range->first != job_.offset) {
                return resume ? start_over() : std::unexpected(refused(head));
            }
            out.offset = range->first;
            out.total = range->second;
        } else if (const auto length = number_from(head.header("content-length").value_or("x"))) {
            out.total = *length;
        }
        position_ = out.offset;
        if (job_.limit_bytes > 0 && std::max(out.total, position_) > job_.limit_bytes) {
            return std::unexpected(too_large(job_.limit_bytes));
        }
        return write_head(out);
    }

    std::optional<Error> from_site() {
        const SiteSink sink{
            .begin =
                [this](const std::string& filename) { return write_head({.filename = filename}); },
            .body = [this](std::string_view part) { return take(part); },
            .progress = [this](std::int64_t bytes) { on_progress_(Millis{bytes / 1024 + 1}); }};
        return fetch_from_site(*sites_.program, *sites_.resolver, policy_,
                               {.url = job_.url,
                                .limit_bytes = job_.limit_bytes,
                                .timeout = left(),
                                .stall = job_.stall},
                               sink);
    }

    Result<void> write_head(const protocol::FetchHead& head) {
        const std::string payload = protocol::encode(head);
        std::array<char, 4> length{};
        for (std::size_t i = 0; i < length.size(); ++i) {
            length[i] = static_cast<char>(payload.size() >> (8 * i));
        }
        if (auto sent = write({length.data(), length.size()}); !sent) {
            return sent;
        }
        return write(payload);
    }

    Result<void> take(std::string_view part) {
        position_ += static_cast<std::int64_t>(part.size());
        if (job_.limit_bytes > 0 && position_ > job_.limit_bytes) {
            return std::unexpected(too_large(job_.limit_bytes));
        }
        if (auto sent = write(part); !sent) {
            return sent;
        }
        written_ += static_cast<std::int64_t>(part.size());
        on_progress_(Millis{written_ / 1024 + 1});
        return {};
    }

    Result<void> write(std::string_view bytes) {
        while (!bytes.empty()) {
            const ssize_t n = ::write(output_, bytes.data(), bytes.size());
            if (n < 0 && errno == EINTR) {
                continue;
            }
            if (n < 0) {
                return std::unexpected(system_error(errno, "hand on what was downloaded"));
            }
            bytes.remove_prefix(static_cast<std::size_t>(n));
        }
        return {};
    }

    net::Transfers& transfers_;
    Sites& sites_;
    const net::AddressPolicy& policy_;
    const protocol::FetchRequest& job_;
    const int output_;
    const OnProgress& on_progress_;
    const Clock::time_point begun_ = Clock::now();
    bool start_over_ = false;
    bool is_page_ = false;
    std::int64_t position_ = 0;  // in the file
    std::int64_t written_ = 0;
};

class FetchRole final : public JobRunner {
  public:
    explicit FetchRole(const WorkerSettings& settings) : settings_(settings) {}

    protocol::FrameType request() const override { return protocol::FrameType::fetch; }
    protocol::FrameType answer() const override { return protocol::FrameType::fetched; }
    std::size_t descriptors() const override { return 1; }

    // Reads all that it needs of the machine, then gives up its files but for the table of hosts.
    Result<protocol::Ready> get_ready() override {
        ::signal(SIGPIPE, SIG_IGN);
        auto policy = net::AddressPolicy::parse(settings_.allow_private_addresses);
        if (!policy) {
            return fail(ErrorClass::internal, "bad_networks",
                        "A worker was given networks that are none. Please report this.");
        }
        policy_ = std::move(*policy);
        auto resolver = net::DnsResolver::create({.servers = settings_.dns_servers});
        if (!resolver) {
            return std::unexpected(resolver.error());
        }
        prepare_sites();
        std::ifstream file(kCertificates, std::ios::binary);
        std::string certificates{std::istreambuf_iterator<char>(file), {}};
        transfers_ = std::make_unique<net::Transfers>(
            std::move(*resolver),
            net::TransferSettings{.policy = policy_, .certificates = std::move(certificates)});
        constexpr std::array<const char*, 1> kReadable{"/etc/hosts"};
        if (!close_files_but(kReadable)) {
            log::warning("the sandbox of downloads is not whole: files open");
        }
        return protocol::Ready{};
    }

    Result<std::string> run(std::string_view request, const std::vector<UniqueFd>& files,
                            const Reports& reports) override {
        const auto job = protocol::decode<protocol::FetchRequest>(request);
        if (!job) {
            return std::unexpected(job.error());
        }
        return protocol::encode(
            Fetch(*transfers_, sites_, policy_, *job, files[0].get(), reports.progress).run());
    }

  private:
    // While there is one thread, and files to be seen.
    void prepare_sites() {
        sites_.why_not = "which is not installed here, or was turned off (IMPORT_SITES)";
        if (!settings_.site_program.empty()) {
            auto resolver = net::DnsResolver::create({.servers = settings_.dns_servers});
            auto program = SiteProgram::prepare(settings_.site_program);
            if (resolver && program) {
                sites_.resolver = std::move(*resolver);
                sites_.program = std::move(*program);
            } else {
                const Error& error = program ? resolver.error() : program.error();
                log::warning("pages of sites are not read: {} {}", error.message, error.detail);
                sites_.why_not = "which this server cannot shut in (" + error.detail + ")";
            }
        }
        // The program's files are small, and its own; this process writes none.
        const rlimit none{0, 0};
        ::setrlimit(RLIMIT_FSIZE, &none);
    }

    const WorkerSettings settings_;
    net::AddressPolicy policy_;
    Sites sites_;
    std::unique_ptr<net::Transfers> transfers_;
};

}  // namespace

std::unique_ptr<JobRunner> make_fetch_role(const WorkerSettings& settings) {
    return std::make_unique<FetchRole>(settings);
}

}  // namespace durascribe::worker
