#include "durascribe/metrics/metrics.h"

#include <algorithm>
#include <exception>
#include <iterator>
#include <map>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <unordered_map>

#include <fmt/format.h>
#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include "durascribe/base/log.h"

namespace durascribe::metrics {
namespace {

using prometheus::BuildCounter;
using prometheus::BuildGauge;
using prometheus::BuildHistogram;
using Buckets = prometheus::Histogram::BucketBoundaries;

const Buckets kRequestBuckets{0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10};
const Buckets kCommitBuckets{0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 5};
const Buckets kStartBuckets{0.01, 0.1, 0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 14400};
const Buckets kDurationBuckets{1, 5, 15, 30, 60, 120, 300, 600, 1800, 3600, 7200, 14400, 43200};
const Buckets kRtfBuckets{0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 1.5, 2, 5, 10};

constexpr ErrorClass kClasses[] = {ErrorClass::input,   ErrorClass::network, ErrorClass::memory,
                                   ErrorClass::model,   ErrorClass::crash,   ErrorClass::stall,
                                   ErrorClass::timeout, ErrorClass::storage, ErrorClass::lost,
                                   ErrorClass::request, ErrorClass::internal};
constexpr domain::TaskState kEnds[] = {domain::TaskState::completed,
                                       domain::TaskState::partial_failure,
                                       domain::TaskState::failed, domain::TaskState::cancelled};

std::string text_of(std::string_view name) {
    return std::string{name};
}

// Counting must never fail what is counted.
template <typename Count>
void quietly(Count count) noexcept {
    try {
        count();
    } catch (const std::exception& e) {
        log::warning("Something could not be counted: {}.", e.what());
    }
}

}  // namespace

struct Metrics::Families {
    prometheus::Registry registry;

    template <typename Metric>
    prometheus::Family<Metric>& family(prometheus::detail::Builder<Metric> builder,
                                       const char* name, const char* help) {
        return builder.Name(name).Help(help).Register(registry);
    }

    prometheus::Family<prometheus::Counter>& ended =
        family(BuildCounter(), "transcriptions_total", "Tasks that have ended, by how.");
    prometheus::Counter& failed =
        family(BuildCounter(), "transcriptions_failed", "Tasks that have ended failed.").Add({});
    prometheus::Histogram& duration =
        family(BuildHistogram(), "transcription_duration_seconds",
               "From the first start of a task to its end, where it delivered.")
            .Add({}, kDurationBuckets);
    prometheus::Gauge& queue_size =
        family(BuildGauge(), "transcription_queue_size", "Tasks that wait.").Add({});
    prometheus::Gauge& running =
        family(BuildGauge(), "durascribe_tasks_running", "Tasks that are worked on.").Add({});
    prometheus::Gauge& oldest = family(BuildGauge(), "durascribe_oldest_waiting_seconds",
                                       "For how long the task has waited that has waited "
                                       "unserved longest.")
                                    .Add({});
    prometheus::Histogram& to_start = family(BuildHistogram(), "durascribe_time_to_start_seconds",
                                             "From the submission of a task to its first start.")
                                          .Add({}, kStartBuckets);
    prometheus::Family<prometheus::Histogram>& rtf =
        family(BuildHistogram(), "durascribe_real_time_factor",
               "Seconds of work for a second of the recording, by engine and model.");
    prometheus::Family<prometheus::Counter>& retries =
        family(BuildCounter(), "durascribe_retries_total",
               "Attempts that failed and are followed by another, by the error's class.");
    prometheus::Family<prometheus::Counter>& failures =
        family(BuildCounter(), "durascribe_failures_total",
               "Units that failed for good, by the error's class.");
    prometheus::Counter& leases = family(BuildCounter(), "durascribe_lease_expiries_total",
                                         "Units handed back because their lease had run out.")
                                      .Add({});
    prometheus::Family<prometheus::Counter>& starts =
        family(BuildCounter(), "durascribe_worker_starts_total", "Worker processes started.");
    prometheus::Family<prometheus::Counter>& restarts =
        family(BuildCounter(), "durascribe_worker_restarts_total",
               "Of them, those that took the place of one that died, was killed or was worn.");
    prometheus::Gauge& stuck =
        family(BuildGauge(), "durascribe_stuck_tasks",
               "Tasks said to be processing that no worker works on: to be 0.")
            .Add({});
    prometheus::Gauge& paused =
        family(BuildGauge(), "durascribe_queue_paused", "1 while the queue is paused.").Add({});
    prometheus::Gauge& workers =
        family(BuildGauge(), "durascribe_speech_slots", "Speech workers that there may be.")
            .Add({});
    prometheus::Gauge& workers_busy =
        family(BuildGauge(), "durascribe_speech_slots_busy", "Of them, those at work.").Add({});
    prometheus::Gauge& free_bytes =
        family(BuildGauge(), "durascribe_disk_free_bytes", "Room for files.").Add({});
    prometheus::Histogram& commits =
        family(BuildHistogram(), "durascribe_store_commit_seconds",
               "A commit of the database with all its changes, on disk.")
            .Add({}, kCommitBuckets);
    prometheus::Counter& verbs =
        family(BuildCounter(), "durascribe_store_verbs_total", "Changes that these commits shared.")
            .Add({});
    prometheus::Family<prometheus::Counter>& requests =
        family(BuildCounter(), "durascribe_http_requests_total",
               "Requests answered, by method, route and status.");
    prometheus::Family<prometheus::Histogram>& request_time =
        family(BuildHistogram(), "durascribe_http_request_seconds",
               "What the server itself took for them; waiting for the client is not in it.");
    prometheus::Gauge& connections =
        family(BuildGauge(), "durascribe_http_connections", "Open connections.").Add({});
    prometheus::Counter& received =
        family(BuildCounter(), "durascribe_http_received_bytes_total", "Bytes that came in.")
            .Add({});
    prometheus::Counter& sent =
        family(BuildCounter(), "durascribe_http_sent_bytes_total", "Bytes that went out.").Add({});

    // From 0 on, so that the first of a kind is seen as a rise.
    std::map<ErrorClass, prometheus::Counter*> retries_by_class;
    std::map<ErrorClass, prometheus::Counter*> failures_by_class;
    std::map<domain::TaskState, prometheus::Counter*> ended_by_state;
    std::map<domain::Lane, prometheus::Counter*> starts_by_lane;
    std::map<domain::Lane, prometheus::Counter*> restarts_by_lane;

    struct Answers {
        prometheus::Counter* count = nullptr;
        prometheus::Histogram* time = nullptr;
    };
    // Looked up once for each kind of answer: a family's Add copies and hashes its labels.
    Answers answers(std::string_view method, std::string_view route, int status) {
        thread_local std::string kind;
        kind.clear();
        fmt::format_to(std::back_inserter(kind), "{} {} {}", status, method, route);
        {
            const std::shared_lock lock(answers_mutex);
            if (const auto known = answers_by_kind.find(kind); known != answers_by_kind.end()) {
                return known->second;
            }
        }
        const std::string pattern{route.empty() ? "none" : route};
        const Answers made{
            &requests.Add({{"method", text_of(method)},
                           {"route", pattern},
                           {"status", std::to_string(status)}}),
            &request_time.Add({{"method", text_of(method)}, {"route", pattern}}, kRequestBuckets)};
        const std::scoped_lock lock(answers_mutex);
        return answers_by_kind.emplace(kind, made).first->second;
    }

    std::shared_mutex answers_mutex;
    std::unordered_map<std::string, Answers> answers_by_kind;  // guarded by answers_mutex

    Families() {
        for (const ErrorClass cls : kClasses) {
            retries_by_class[cls] = &retries.Add({{"class", text_of(to_string(cls))}});
            failures_by_class[cls] = &failures.Add({{"class", text_of(to_string(cls))}});
        }
        for (const domain::TaskState state : kEnds) {
            ended_by_state[state] = &ended.Add({{"status", text_of(domain::to_string(state))}});
        }
        for (const domain::Lane lane :
             {domain::Lane::fetch, domain::Lane::media, domain::Lane::speech}) {
            starts_by_lane[lane] = &starts.Add({{"lane", text_of(domain::to_string(lane))}});
            restarts_by_lane[lane] = &restarts.Add({{"lane", text_of(domain::to_string(lane))}});
        }
    }
};

Metrics::Metrics() : families_(std::make_unique<Families>()) {}
Metrics::~Metrics() = default;

void Metrics::unit_done(const engine::UnitDone& unit) noexcept {
    if (unit.step != domain::Step::transcribe || unit.audio <= Millis{0}) {
        return;
    }
    quietly([&] {
        families_->rtf.Add({{"engine", unit.engine}, {"model", unit.model}}, kRtfBuckets)
            .Observe(static_cast<double>(unit.took.count()) /
                     static_cast<double>(unit.audio.count()));
    });
}

void Metrics::attempt_failed(domain::Step, ErrorClass cls, bool retried) noexcept {
    (retried ? families_->retries_by_class : families_->failures_by_class).at(cls)->Increment();
}

void Metrics::leases_expired(int units) noexcept {
    families_->leases.Increment(units);
}

void Metrics::worker_started(domain::Lane lane, bool again) noexcept {
    const auto starts = families_->starts_by_lane.find(lane);
    if (starts == families_->starts_by_lane.end()) {
        return;  // a lane without workers
    }
    starts->second->Increment();
    if (again) {
        families_->restarts_by_lane.find(lane)->second->Increment();
    }
}

void Metrics::committed(std::chrono::nanoseconds took, std::size_t verbs) noexcept {
    families_->commits.Observe(Seconds(took).count());
    families_->verbs.Increment(static_cast<double>(verbs));
}

void Metrics::task_started(Seconds waited) noexcept {
    families_->to_start.Observe(std::max(0.0, waited.count()));
}

void Metrics::task_ended(domain::TaskState state, std::optional<Seconds> took) noexcept {
    const auto ended = families_->ended_by_state.find(state);
    if (ended == families_->ended_by_state.end()) {
        return;
    }
    ended->second->Increment();
    if (state == domain::TaskState::failed) {
        families_->failed.Increment();
    }
    if (took) {
        families_->duration.Observe(std::max(0.0, took->count()));
    }
}

void Metrics::answered(std::string_view method, std::string_view route, int status,
                       Seconds took) noexcept {
    quietly([&] {
        const Families::Answers answers = families_->answers(method, route, status);
        answers.count->Increment();
        answers.time->Observe(took.count());
    });
}

void Metrics::connected() noexcept {
    families_->connections.Increment();
}
void Metrics::disconnected() noexcept {
    families_->connections.Decrement();
}
void Metrics::received(std::size_t bytes) noexcept {
    families_->received.Increment(static_cast<double>(bytes));
}
void Metrics::sent(std::size_t bytes) noexcept {
    families_->sent.Increment(static_cast<double>(bytes));
}

std::string Metrics::text(const Now& now) {
    families_->queue_size.Set(now.waiting);
    families_->running.Set(now.running);
    families_->oldest.Set(now.oldest_waiting.count());
    families_->stuck.Set(now.stuck);
    families_->paused.Set(now.paused ? 1 : 0);
    families_->workers.Set(now.workers);
    families_->workers_busy.Set(now.workers_busy);
    families_->free_bytes.Set(static_cast<double>(now.free_bytes.value_or(0)));
    return prometheus::TextSerializer{}.Serialize(families_->registry.Collect());
}

std::vector<std::string> Metrics::names() const {
    std::vector<std::string> out;
    // A family without a sample yet is not collected.
    for (const auto& family : families_->registry.Collect()) {
        out.push_back(family.name);
    }
    for (const std::string& late : {families_->rtf.GetName(), families_->requests.GetName(),
                                    families_->request_time.GetName()}) {
        if (std::ranges::find(out, late) == out.end()) {
            out.push_back(late);
        }
    }
    std::ranges::sort(out);
    return out;
}

}  // namespace durascribe::metrics
