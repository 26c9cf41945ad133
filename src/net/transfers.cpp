#include "durascribe/net/transfers.h"

#include <curl/curl.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <map>
#include <mutex>

#include <fmt/format.h>

#include "durascribe/net/web_address.h"

namespace durascribe::net {
namespace {

using SteadyTime = std::chrono::steady_clock::time_point;

constexpr std::size_t kHeaderBytesMax = 64U << 10;
constexpr std::size_t kAddressesMax = 16;  // of a name, that are tried

SteadyTime now() {
    return std::chrono::steady_clock::now();
}

void library_ready() {
    static std::once_flag once;
    std::call_once(once,
                   [] { DURASCRIBE_ASSERT(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK); });
}

char lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

std::string_view trimmed(std::string_view text) {
    const auto first = text.find_first_not_of(" \t\r\n");
    if (first == std::string_view::npos) {
        return {};
    }
    return text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

bool is_redirect(int status) {
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

struct ListOwner {
    curl_slist* list = nullptr;
    ListOwner() = default;
    ListOwner(const ListOwner&) = delete;
    ListOwner& operator=(const ListOwner&) = delete;
    ~ListOwner() { curl_slist_free_all(list); }
    void add(const std::string& line) { list = curl_slist_append(list, line.c_str()); }
};

}  // namespace

std::optional<std::string> AnswerHead::header(std::string_view name) const {
    for (const auto& [key, value] : headers) {
        if (std::ranges::equal(key, name, {}, lower, lower)) {
            return value;
        }
    }
    return std::nullopt;
}

// One request, from its start over its redirects to its end.
struct Transfer {
    Transfer(TransferRequest r, Transfers::Done d, const AddressPolicy& p)
        : request(std::move(r)), done(std::move(d)), policy(p) {}

    TransferRequest request;
    Transfers::Done done;
    const AddressPolicy& policy;
    WebAddress address;
    int redirects_left = 0;
    std::optional<SteadyTime> deadline;
    std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> easy{nullptr, &curl_easy_cleanup};
    ListOwner fields;
    std::unique_ptr<ListOwner> addresses;
    AnswerHead head;
    std::size_t header_bytes = 0;
    bool head_told = false;
    std::optional<Error> error;  // found in a callback

    bool redirects() const {
        return request.redirects_max > 0 && is_redirect(head.status) && head.header("location");
    }
    bool tell_head() {
        if (head_told || redirects()) {
            return true;
        }
        head_told = true;
        if (request.on_head) {
            if (auto fine = request.on_head(head); !fine) {
                error = fine.error();
                return false;
            }
        }
        return true;
    }
};

namespace {

curl_socket_t open_socket(void* self, curlsocktype, curl_sockaddr* to) {
    auto& transfer = *static_cast<Transfer*>(self);
    const auto address = IpAddress::of(&to->addr);
    const auto kind =
        address ? transfer.policy.refusal(*address) : std::string_view("an address of no kind");
    if (kind) {
        transfer.error = address_refused(transfer.address.host, *kind);
        return CURL_SOCKET_BAD;
    }
    return ::socket(to->family, to->socktype | SOCK_CLOEXEC, to->protocol);
}

std::size_t take_header(char* bytes, std::size_t size, std::size_t count, void* self) {
    auto& transfer = *static_cast<Transfer*>(self);
    const std::string_view line(bytes, size * count);
    transfer.header_bytes += line.size();
    if (transfer.header_bytes > kHeaderBytesMax) {
        return 0;
    }
    if (line.starts_with("HTTP/")) {
        transfer.head.headers.clear();
        long status = 0;
        curl_easy_getinfo(transfer.easy.get(), CURLINFO_RESPONSE_CODE, &status);
        transfer.head.status = static_cast<int>(status);
        return line.size();
    }
    if (const auto colon = line.find(':'); colon != std::string_view::npos) {
        transfer.head.headers.emplace_back(trimmed(line.substr(0, colon)),
                                           trimmed(line.substr(colon + 1)));
    }
    return line.size();
}

std::size_t take_body(char* bytes, std::size_t size, std::size_t count, void* self) {
    auto& transfer = *static_cast<Transfer*>(self);
    const std::string_view part(bytes, size * count);
    if (transfer.redirects() || !transfer.tell_head()) {
        return 0;  // what a redirect says besides is not read
    }
    if (transfer.head_told && transfer.request.on_body) {
        if (auto fine = transfer.request.on_body(part); !fine) {
            transfer.error = fine.error();
            return 0;
        }
    }
    return part.size();
}

Error error_of(CURLcode code, const Transfer& transfer) {
    const std::string& host = transfer.address.host;
    const std::string_view reason = curl_easy_strerror(code);
    switch (code) {
        case CURLE_COULDNT_CONNECT:
            return {ErrorClass::network, "connect_failed",
                    fmt::format("{} could not be connected to.", host), std::string(reason)};
        case CURLE_OPERATION_TIMEDOUT:
            return {ErrorClass::network, "timed_out",
                    fmt::format("{} did not answer in time.", host), std::string(reason)};
        case CURLE_SSL_CONNECT_ERROR:
        case CURLE_PEER_FAILED_VERIFICATION:
        case CURLE_SSL_CACERT_BADFILE:
        case CURLE_SSL_ISSUER_ERROR:
            return {ErrorClass::network,
                    "tls_failed",
                    fmt::format("{} could not be trusted ({}).", host, reason),
                    {}};
        default:
            return {ErrorClass::network,
                    "connection_lost",
                    fmt::format("The connection to {} ended early ({}).", host, reason),
                    {}};
    }
}

template <typename Value>
void set(CURL* easy, CURLoption option, Value value) {
    DURASCRIBE_ASSERT(curl_easy_setopt(easy, option, value) == CURLE_OK);
}

}  // namespace

class Transfers::Impl {
  public:
    Impl(std::unique_ptr<Resolver> resolver, TransferSettings settings)
        : settings_(std::move(settings)), resolver_(std::move(resolver)) {
        library_ready();
        multi_ = curl_multi_init();
        DURASCRIBE_ASSERT(multi_ != nullptr);
    }

    ~Impl() {
        for (auto& [id, transfer] : active_) {
            if (transfer->easy) {
                curl_multi_remove_handle(multi_, transfer->easy.get());
            }
        }
        active_.clear();
        curl_multi_cleanup(multi_);
    }

    void start(TransferRequest request, Done done) {
        auto transfer =
            std::make_unique<Transfer>(std::move(request), std::move(done), settings_.policy);
        transfer->redirects_left = transfer->request.redirects_max;
        if (transfer->request.timeout > Millis{0}) {
            transfer->deadline = now() + transfer->request.timeout;
        }
        const std::uint64_t id = ++last_id_;
        auto address = WebAddress::parse(transfer->request.url);
        Transfer& t = *active_.emplace(id, std::move(transfer)).first->second;
        if (!address) {
            t.error = address.error();
            ended_.push_back(id);
            return;
        }
        look_up(id, std::move(*address));
    }

    std::size_t active() const { return active_.size(); }
    void wake() { curl_multi_wakeup(multi_); }

    void run_once(Millis patience) {
        if (!ended_.empty()) {
            patience = Millis{0};
            tell_ended();
        }
        int running = 0;
        curl_multi_perform(multi_, &running);
        take_finished();
        wait(ended_.empty() ? patience : Millis{0});
        end_overdue();
        curl_multi_perform(multi_, &running);
        take_finished();
        tell_ended();
    }

  private:
    void wait(Millis patience) {
        std::vector<pollfd> names;
        if (const auto until = resolver_->patience()) {
            patience = std::min(patience, *until);
        }
        resolver_->add_descriptors(names);
        for (const auto& [id, transfer] : active_) {
            if (transfer->deadline) {
                patience = std::min(patience, std::max(Millis{0}, left_of(*transfer)));
            }
        }
        std::vector<curl_waitfd> extra;
        for (const pollfd& fd : names) {
            extra.push_back({fd.fd,
                             static_cast<short>(((fd.events & POLLIN) ? CURL_WAIT_POLLIN : 0) |
                                                ((fd.events & POLLOUT) ? CURL_WAIT_POLLOUT : 0)),
                             0});
        }
        curl_multi_poll(multi_, extra.data(), static_cast<unsigned>(extra.size()),
                        static_cast<int>(patience.count()), nullptr);
        for (std::size_t i = 0; i < extra.size(); ++i) {
            names[i].revents =
                static_cast<short>(((extra[i].revents & CURL_WAIT_POLLIN) ? POLLIN : 0) |
                                   ((extra[i].revents & CURL_WAIT_POLLOUT) ? POLLOUT : 0));
        }
        resolver_->process(names);
    }

    static Millis left_of(const Transfer& transfer) {
        return std::chrono::duration_cast<Millis>(*transfer.deadline - now());
    }

    void look_up(std::uint64_t id, WebAddress address) {
        Transfer& t = *active_.at(id);
        t.address = std::move(address);
        t.head = {};
        t.header_bytes = 0;
        t.head.url = t.address.text;
        if (t.address.literal) {
            connect(id, {*t.address.literal});
            return;
        }
        resolver_->resolve(t.address.host, [this, id](Result<std::vector<IpAddress>> found) {
            const auto it = active_.find(id);
            if (it == active_.end() || it->second->error) {
                return;
            }
            if (!found) {
                it->second->error = found.error();
                ended_.push_back(id);
                return;
            }
            connect(id, std::move(*found));
        });
    }

    // Where one address of a name is refused, all are: a name that leads to both is a trap or a
    // mistake.
    void connect(std::uint64_t id, std::vector<IpAddress> addresses) {
        Transfer& t = *active_.at(id);
        for (const IpAddress& address : addresses) {
            if (const auto kind = settings_.policy.refusal(address)) {
                t.error = address_refused(t.address.host, *kind);
                ended_.push_back(id);
                return;
            }
        }
        t.easy.reset(curl_easy_init());
        DURASCRIBE_ASSERT(t.easy != nullptr);
        CURL* easy = t.easy.get();
        if (!t.address.literal) {
            // In place of the name's own lookup; replaces what an earlier request was given.
            std::string line = fmt::format("{}:{}:", t.address.host, t.address.port);
            addresses.resize(std::min(addresses.size(), kAddressesMax));
            for (std::size_t i = 0; i < addresses.size(); ++i) {
                line += (i == 0 ? "" : ",") +
                        (addresses[i].v6 ? "[" + addresses[i].text() + "]" : addresses[i].text());
            }
            t.addresses = std::make_unique<ListOwner>();
            t.addresses->add(line);
            set(easy, CURLOPT_RESOLVE, t.addresses->list);
        }
        set_up(t, easy);
        curl_multi_add_handle(multi_, easy);
    }

    void set_up(Transfer& t, CURL* easy) {
        set(easy, CURLOPT_URL, t.address.text.c_str());
        set(easy, CURLOPT_PRIVATE, &t);
        set(easy, CURLOPT_NOSIGNAL, 1L);
        set(easy, CURLOPT_PROTOCOLS_STR, "http,https");
        set(easy, CURLOPT_FOLLOWLOCATION, 0L);
        set(easy, CURLOPT_PROXY, "");  // whatever the environment says: a proxy would look up names
        set(easy, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
        set(easy, CURLOPT_USERAGENT, settings_.user_agent.c_str());
        set(easy, CURLOPT_OPENSOCKETFUNCTION, &open_socket);
        set(easy, CURLOPT_OPENSOCKETDATA, &t);
        set(easy, CURLOPT_HEADERFUNCTION, &take_header);
        set(easy, CURLOPT_HEADERDATA, &t);
        set(easy, CURLOPT_WRITEFUNCTION, &take_body);
        set(easy, CURLOPT_WRITEDATA, &t);
        set(easy, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(t.request.connect_timeout.count()));
        if (t.request.stall_timeout > Millis{0}) {
            set(easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
            set(easy, CURLOPT_LOW_SPEED_TIME,
                std::max(1L, static_cast<long>(t.request.stall_timeout.count() / 1000)));
        }
        if (!settings_.certificates.empty()) {
            curl_blob blob{const_cast<char*>(settings_.certificates.data()),
                           settings_.certificates.size(), CURL_BLOB_NOCOPY};
            set(easy, CURLOPT_CAINFO_BLOB, &blob);
            set(easy, CURLOPT_CAPATH, static_cast<const char*>(nullptr));
        }
        if (t.request.post) {
            set(easy, CURLOPT_POST, 1L);
            set(easy, CURLOPT_POSTFIELDS, t.request.body.data());
            set(easy, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(t.request.body.size()));
        }
        if (t.fields.list == nullptr) {
            for (const std::string& field : t.request.headers) {
                t.fields.add(field);
            }
            t.fields.add("Expect:");
        }
        set(easy, CURLOPT_HTTPHEADER, t.fields.list);
    }

    void end_overdue() {
        for (auto& [id, transfer] : active_) {
            if (transfer->deadline && left_of(*transfer) <= Millis{0} && !transfer->error) {
                transfer->error = error_of(CURLE_OPERATION_TIMEDOUT, *transfer);
                ended_.push_back(id);
            }
        }
    }

    void take_finished() {
        int left = 0;
        while (const CURLMsg* message = curl_multi_info_read(multi_, &left)) {
            if (message->msg != CURLMSG_DONE) {
                continue;
            }
            const CURLcode code = message->data.result;
            CURL* easy = message->easy_handle;
            const auto found = std::ranges::find_if(
                active_, [&](const auto& entry) { return entry.second->easy.get() == easy; });
            curl_multi_remove_handle(multi_, easy);
            if (found != active_.end()) {
                finished(found->first, *found->second, code);
            }
        }
    }

    void finished(std::uint64_t id, Transfer& t, CURLcode code) {
        if (t.error) {
            // Found in a callback, or overdue: it is told by now, or will be.
            if (std::ranges::find(ended_, id) == ended_.end()) {
                ended_.push_back(id);
            }
            return;
        }
        if (t.redirects() && (code == CURLE_OK || code == CURLE_WRITE_ERROR)) {
            follow(id, t);
            return;
        }
        if (code != CURLE_OK) {
            t.error = error_of(code, t);
        } else {
            t.tell_head();
        }
        ended_.push_back(id);
    }

    void follow(std::uint64_t id, Transfer& t) {
        if (t.redirects_left-- <= 0) {
            t.error = Error{ErrorClass::input,
                            "too_many_redirects",
                            fmt::format("The address was redirected more than {} times.",
                                        t.request.redirects_max),
                            {}};
            ended_.push_back(id);
            return;
        }
        auto next = t.address.resolve(*t.head.header("location"));
        t.easy.reset();
        if (!next) {
            t.error = next.error();
            ended_.push_back(id);
            return;
        }
        look_up(id, std::move(*next));
    }

    void tell_ended() {
        std::vector<std::uint64_t> ended;
        ended.swap(ended_);
        for (const std::uint64_t id : ended) {
            auto node = active_.extract(id);
            if (node.empty()) {
                continue;
            }
            Transfer& t = *node.mapped();
            if (t.easy) {
                curl_multi_remove_handle(multi_, t.easy.get());
                t.easy.reset();
            }
            t.done({.error = std::move(t.error), .head = std::move(t.head)});
        }
    }

    const TransferSettings settings_;
    CURLM* multi_ = nullptr;
    std::unique_ptr<Resolver> resolver_;
    std::map<std::uint64_t, std::unique_ptr<Transfer>> active_;
    std::vector<std::uint64_t> ended_;  // to be told, in this order
    std::uint64_t last_id_ = 0;
};

Transfers::Transfers(std::unique_ptr<Resolver> resolver, TransferSettings settings)
    : impl_(std::make_unique<Impl>(std::move(resolver), std::move(settings))) {}
Transfers::~Transfers() = default;

void Transfers::start(TransferRequest request, Done done) {
    impl_->start(std::move(request), std::move(done));
}
std::size_t Transfers::active() const {
    return impl_->active();
}
void Transfers::run_once(Millis patience) {
    impl_->run_once(patience);
}
void Transfers::wake() {
    impl_->wake();
}

std::optional<Millis> retry_after(std::string_view value, WallTime at) {
    value = trimmed(value);
    std::int64_t seconds = 0;
    const auto [end, problem] = std::from_chars(value.data(), value.data() + value.size(), seconds);
    constexpr std::int64_t kMost = 365LL * 24 * 3600;
    if (problem == std::errc{} && end == value.data() + value.size() && seconds >= 0) {
        return Millis{std::min(seconds, kMost) * 1000};
    }
    const std::time_t date = curl_getdate(std::string(value).c_str(), nullptr);
    if (date < 0) {
        return std::nullopt;
    }
    const Millis wait = WallTime{Millis{date * 1000}} - at;
    return std::clamp(wait, Millis{0}, Millis{kMost * 1000});
}

}  // namespace durascribe::net
