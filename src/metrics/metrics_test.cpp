#include "durascribe/metrics/metrics.h"

#include <algorithm>
#include <cctype>
#include <fstream>
#include <initializer_list>
#include <iterator>
#include <set>
#include <string>
#include <utility>

#include <gtest/gtest.h>
#include <boost/json.hpp>

namespace durascribe::metrics {
namespace {

namespace json = boost::json;
using domain::TaskState;

// The value of one sample; -1: it is not there.
double sample(Metrics& metrics, const std::string& name_and_labels) {
    const std::string text = "\n" + metrics.text({});
    const std::size_t at = text.find("\n" + name_and_labels + " ");
    return at == std::string::npos ? -1 : std::stod(text.substr(at + name_and_labels.size() + 2));
}

void expect_samples(Metrics& metrics,
                    std::initializer_list<std::pair<std::string, double>> wanted) {
    for (const auto& [name_and_labels, value] : wanted) {
        EXPECT_EQ(sample(metrics, name_and_labels), value) << name_and_labels;
    }
}

TEST(Metrics, TheFourNamesOfOldAreThereFromTheStart) {
    Metrics metrics;
    expect_samples(metrics, {{"transcriptions_total{status=\"completed\"}", 0},
                             {"transcriptions_failed", 0},
                             {"transcription_duration_seconds_count", 0},
                             {"transcription_queue_size", 0}});
}

TEST(Metrics, CountTasks) {
    Metrics metrics;
    metrics.task_started(Seconds{0.2});
    metrics.task_ended(TaskState::completed, Seconds{7});
    metrics.task_ended(TaskState::partial_failure, Seconds{20});
    metrics.task_ended(TaskState::failed, std::nullopt);
    metrics.task_ended(TaskState::cancelled, std::nullopt);
    metrics.task_ended(TaskState::processing, std::nullopt);
    expect_samples(metrics, {{"transcriptions_total{status=\"completed\"}", 1},
                             {"transcriptions_total{status=\"failed\"}", 1},
                             {"transcriptions_failed", 1},
                             {"transcription_duration_seconds_sum", 27},
                             {"transcription_duration_seconds_bucket{le=\"15\"}", 1},
                             {"durascribe_time_to_start_seconds_bucket{le=\"0.5\"}", 1}});
}

TEST(Metrics, CountWhatTheEngineAndTheStoreDo) {
    Metrics metrics;
    metrics.unit_done(
        {domain::Step::transcribe, "pocketsphinx", "en-us", Millis{30'000}, Millis{3'000}});
    metrics.unit_done({domain::Step::extract, "ffmpeg", "", Millis{30'000}, Millis{300}});
    metrics.attempt_failed(domain::Step::transcribe, ErrorClass::crash, true);
    metrics.attempt_failed(domain::Step::extract, ErrorClass::input, false);
    metrics.leases_expired(2);
    metrics.worker_started(domain::Lane::speech, false);
    metrics.worker_started(domain::Lane::speech, true);
    metrics.worker_started(domain::Lane::fetch, false);
    metrics.worker_started(domain::Lane::local, false);  // has no workers: counted nowhere
    metrics.committed(std::chrono::milliseconds{4}, 3);
    EXPECT_EQ(metrics.text({}).find("engine=\"ffmpeg\""), std::string::npos);
    expect_samples(
        metrics, {{"durascribe_real_time_factor_sum{engine=\"pocketsphinx\",model=\"en-us\"}", 0.1},
                  {"durascribe_retries_total{class=\"crash\"}", 1},
                  {"durascribe_failures_total{class=\"crash\"}", 0},
                  {"durascribe_failures_total{class=\"input\"}", 1},
                  {"durascribe_lease_expiries_total", 2},
                  {"durascribe_worker_starts_total{lane=\"speech\"}", 2},
                  {"durascribe_worker_starts_total{lane=\"fetch\"}", 1},
                  {"durascribe_worker_restarts_total{lane=\"speech\"}", 1},
                  {"durascribe_store_commit_seconds_bucket{le=\"0.005\"}", 1},
                  {"durascribe_store_verbs_total", 3}});
}

TEST(Metrics, CountRequestsByRouteAndStatus) {
    Metrics metrics;
    metrics.answered("GET", "/api/v1/media/{id}", 200, Seconds{0.002});
    metrics.answered("GET", "/api/v1/media/{id}", 404, Seconds{0.002});
    metrics.answered("GET", "", 404, Seconds{0});
    metrics.connected();
    metrics.connected();
    metrics.disconnected();
    metrics.received(10);
    metrics.sent(20);
    const std::string route = "route=\"/api/v1/media/{id}\"";
    expect_samples(
        metrics,
        {{"durascribe_http_requests_total{method=\"GET\"," + route + ",status=\"404\"}", 1},
         {"durascribe_http_requests_total{method=\"GET\",route=\"none\",status=\"404\"}", 1},
         {"durascribe_http_request_seconds_count{method=\"GET\"," + route + "}", 2},
         {"durascribe_http_connections", 1},
         {"durascribe_http_received_bytes_total", 10},
         {"durascribe_http_sent_bytes_total", 20}});
}

TEST(Metrics, TellWhatIsNow) {
    Metrics metrics;
    const std::string text = metrics.text({.waiting = 3,
                                           .running = 2,
                                           .oldest_waiting = Seconds{1.5},
                                           .stuck = 1,
                                           .paused = true,
                                           .free_bytes = 1LL << 30,
                                           .workers_busy = 1,
                                           .workers = 2});
    for (const char* line :
         {"transcription_queue_size 3\n", "durascribe_tasks_running 2\n",
          "durascribe_oldest_waiting_seconds 1.5\n", "durascribe_stuck_tasks 1\n",
          "durascribe_queue_paused 1\n", "durascribe_disk_free_bytes 1073741824\n",
          "durascribe_speech_slots_busy 1\n", "durascribe_speech_slots 2\n"}) {
        EXPECT_NE(text.find(line), std::string::npos) << line << text;
    }
}

// Every word of an expression that could be a metric's name.
std::set<std::string> names_in(const std::string& expression) {
    std::set<std::string> out;
    std::string word;
    for (const char c : expression + " ") {
        if (std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_') {
            word += c;
            continue;
        }
        if (word.starts_with("durascribe_") || word.starts_with("transcription")) {
            out.insert(word);
        }
        word.clear();
    }
    return out;
}

void collect_expressions(const json::value& in, std::vector<std::string>& out) {
    if (in.is_array()) {
        for (const auto& item : in.get_array()) {
            collect_expressions(item, out);
        }
    } else if (in.is_object()) {
        for (const auto& [key, value] : in.get_object()) {
            if (key == "expr") {
                out.emplace_back(value.as_string().c_str());
            } else {
                collect_expressions(value, out);
            }
        }
    }
}

TEST(Dashboard, NamesOnlyMetricsThatThereAre) {
    std::ifstream file(DURASCRIBE_DASHBOARD);
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    std::vector<std::string> expressions;
    collect_expressions(json::parse(text), expressions);
    EXPECT_GT(expressions.size(), 15U);

    const Metrics metrics;
    std::set<std::string> known;
    for (const std::string& name : metrics.names()) {
        known.insert({name, name + "_bucket", name + "_sum", name + "_count"});
    }
    std::set<std::string> shown;
    for (const std::string& expression : expressions) {
        const auto names = names_in(expression);
        EXPECT_FALSE(names.empty()) << expression;
        for (const std::string& name : names) {
            EXPECT_TRUE(known.contains(name)) << name << " in " << expression;
            shown.insert(name);
        }
    }
    // And everything that is measured is shown.
    for (const std::string& name : metrics.names()) {
        EXPECT_TRUE(std::ranges::any_of(shown,
                                        [&](const std::string& s) {
                                            return s == name || s == name + "_bucket" ||
                                                   s == name + "_sum" || s == name + "_count";
                                        }))
            << name << " is on no panel";
    }
}

}  // namespace
}  // namespace durascribe::metrics
