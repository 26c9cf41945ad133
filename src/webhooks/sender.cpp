#include "durascribe/webhooks/sender.h"

#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <random>
#include <thread>
#include <vector>

#include <fmt/format.h>

#include "durascribe/base/failpoint.h"
#include "durascribe/base/log.h"
#include "durascribe/domain/text.h"
#include "durascribe/net/dns_resolver.h"
#include "durascribe/net/transfers.h"
#include "durascribe/webhooks/signature.h"

namespace durascribe::webhooks {
namespace {

constexpr int kEventsAtOnce = 500;
constexpr std::size_t kAnswerBytesMax = 64U << 10;
constexpr std::size_t kExcerptBytes = 1'024;
constexpr Millis kLookAgain{60'000};  // whatever the store said of the next one
constexpr Millis kStoreAgain{1'000};

// Of the answer's first bytes; cut before a character that does not fit.
std::string excerpt_of(const std::string& body) {
    std::string clean = domain::clean_text(body);
    if (clean.size() > kExcerptBytes) {
        std::size_t end = kExcerptBytes;
        while (end > 0 && (static_cast<unsigned char>(clean[end]) & 0xc0U) == 0x80U) {
            --end;
        }
        clean.resize(end);
    }
    return clean;
}

}  // namespace

class Sender::Impl {
  public:
    Impl(ports::WebhookStore& store, const ports::Clock& clock, SenderSettings settings,
         std::unique_ptr<net::Resolver> resolver)
        : store_(store),
          clock_(clock),
          settings_(std::move(settings)),
          transfers_(std::move(resolver),
                     {.policy = settings_.policy, .user_agent = settings_.user_agent}),
          random_(std::random_device{}()),
          thread_([this](std::stop_token stop) { loop(stop); }) {
        pthread_setname_np(thread_.native_handle(), "ds-webhooks");
    }
    ~Impl() {
        thread_.request_stop();
        transfers_.wake();
        thread_.join();
    }

    void wake() {
        woken_ = true;
        transfers_.wake();
    }

  private:
    void loop(std::stop_token stop) {
        Millis patience{0};
        bool look = true;
        while (!stop.stop_requested()) {
            if (woken_.exchange(false)) {
                look = true;
            }
            if (look) {
                patience = record_ended() && make_deliveries() ? send_due() : kStoreAgain;
            }
            const MonoTime until = clock_.mono() + patience;
            transfers_.run_once(woken_ ? Millis{0} : patience);
            const Millis left = until - clock_.mono();
            look = woken_ || !ended_.empty() || left <= Millis{0};
            patience = std::max(Millis{0}, left);
        }
    }

    // What is behind the cursor; false: the store would not.
    bool make_deliveries() {
        for (;;) {
            const auto more = store_.fan_out(kEventsAtOnce);
            if (!more) {
                return complain("make deliveries of events", more.error());
            }
            if (!*more) {
                return true;
            }
        }
    }

    bool record_ended() {
        if (ended_.empty()) {
            return true;
        }
        DURASCRIBE_FAILPOINT("webhooks.answered");
        const auto recorded = store_.record_attempts(ended_);
        if (!recorded) {
            return complain("record attempts", recorded.error());
        }
        DURASCRIBE_FAILPOINT("webhooks.recorded");
        for (const ports::AttemptEnd& end : ended_) {
            release(end.delivery);
        }
        ended_.clear();
        return true;
    }

    bool complain(std::string_view what, const Error& error) {
        log::warning("webhooks: could not {}: {} Tried again in a second.", what, error.message);
        return false;
    }

    // Starts what may go; gives the time until there may be more.
    Millis send_due() {
        // Twice as many as may go at once: those that are under way are among them.
        auto found = store_.due_deliveries(2 * settings_.at_once_max, longest_wait(settings_.plan));
        if (!found) {
            complain("look for what is due", found.error());
            return kStoreAgain;
        }
        for (ports::DueDelivery& due : found->due) {
            int& busy = busy_[due.webhook.id];
            const int most = due.webhook.failures > 0 ? 1 : settings_.at_once_max;
            if (under_way_.contains(due.delivery.id) || (busy >= most && !due.delivery.ping)) {
                continue;
            }
            ++busy;
            under_way_.emplace(due.delivery.id, due.webhook.id);
            send(std::move(due));
        }
        std::erase_if(busy_, [](const auto& entry) { return entry.second == 0; });
        if (!found->next) {
            return kLookAgain;
        }
        return std::clamp(*found->next - clock_.wall(), Millis{1}, kLookAgain);
    }

    void send(ports::DueDelivery due) {
        const WallTime now = clock_.wall();
        const ports::DeliveryRow& d = due.delivery;
        const std::int64_t timestamp =
            std::chrono::floor<std::chrono::seconds>(now).time_since_epoch().count();
        auto answer_body = std::make_shared<std::string>();  // with the transfer's callbacks
        net::TransferRequest request{
            .url = due.webhook.url,
            .post = true,
            .body = d.body,
            .headers = {"Content-Type: application/json", "webhook-id: " + d.message_id,
                        fmt::format("webhook-timestamp: {}", timestamp),
                        "webhook-signature: " + signatures(due.webhook, d.message_id, now, d.body)},
            .connect_timeout = settings_.connect_timeout,
            .timeout = settings_.timeout,
            .on_body = [answer_body](std::string_view part) -> Result<void> {
                answer_body->append(part.substr(0, kAnswerBytesMax - answer_body->size()));
                if (answer_body->size() < kAnswerBytesMax) {
                    return {};
                }
                return fail(ErrorClass::input, "read_enough", "The rest is not read.");
            }};
        transfers_.start(std::move(request), [this, due = std::move(due), now, answer_body,
                                              begun = clock_.mono()](net::TransferEnd end) {
            ended(due, std::move(end), now, clock_.mono() - begun, *answer_body);
        });
    }

    void ended(const ports::DueDelivery& due, net::TransferEnd end, WallTime started_at,
               Millis duration, const std::string& body) {
        Answer answer{.status = end.head.status,
                      .excerpt = excerpt_of(body),
                      .started_at = started_at,
                      .duration = duration};
        if (end.error && end.error->code != "read_enough") {
            answer.status = 0;  // an answer that was not whole is none
            answer.error = end.error->message;
        }
        if (const auto wait = end.head.header("retry-after")) {
            answer.retry_after = net::retry_after(*wait, clock_.wall());
        }
        const double random01 = std::uniform_real_distribution<double>(0, 1)(random_);
        ended_.push_back(plan(due, answer, clock_.wall(), random01, settings_.plan));
        const ports::AttemptEnd& what = ended_.back();
        if (what.taken) {
            log::debug("webhook {}: {} was taken", due.webhook.id.value, due.delivery.type);
            return;
        }
        log::info("webhook {}: {} was not taken: {}", due.webhook.id.value, due.delivery.type,
                  what.attempt.error);
        if (what.state) {
            log::warning("webhook {} is {}: {}", due.webhook.id.value, to_string(*what.state),
                         what.state_reason);
        }
    }

    void release(const ports::DeliveryId& delivery) {
        const auto found = under_way_.find(delivery);
        if (found != under_way_.end()) {
            --busy_[found->second];
            under_way_.erase(found);
        }
    }

    ports::WebhookStore& store_;
    const ports::Clock& clock_;
    const SenderSettings settings_;
    net::Transfers transfers_;
    std::mt19937_64 random_;
    std::map<ports::DeliveryId, ports::WebhookId> under_way_;  // until its end is recorded
    std::map<ports::WebhookId, int> busy_;
    std::vector<ports::AttemptEnd> ended_;  // not recorded yet
    std::atomic<bool> woken_{false};
    std::jthread thread_;  // last: uses all the rest
};

Result<std::unique_ptr<Sender>> Sender::start(ports::WebhookStore& store, const ports::Clock& clock,
                                              SenderSettings settings) {
    auto resolver = net::DnsResolver::create({.servers = settings.dns_servers});
    if (!resolver) {
        return std::unexpected(resolver.error());
    }
    return std::unique_ptr<Sender>(new Sender(
        std::make_unique<Impl>(store, clock, std::move(settings), std::move(*resolver))));
}

Sender::Sender(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Sender::~Sender() = default;

void Sender::wake() {
    impl_->wake();
}

}  // namespace durascribe::webhooks
