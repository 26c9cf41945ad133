#include "store_contract.h"

#include <map>

#include <boost/json.hpp>

namespace durascribe::contract {

namespace json = boost::json;

void Recorder::on_commit(std::span<const ports::Event> events,
                         std::span<const bool, domain::kLanes> lanes) noexcept {
    const std::lock_guard lock(mutex_);
    events_.insert(events_.end(), events.begin(), events.end());
    for (std::size_t i = 0; i < lanes.size(); ++i) {
        lanes_[i] = lanes_[i] || lanes[i];
    }
}

std::vector<ports::Event> Recorder::events() const {
    const std::lock_guard lock(mutex_);
    return events_;
}

bool Recorder::take_lane(domain::Lane lane) {
    const std::lock_guard lock(mutex_);
    return std::exchange(lanes_[static_cast<std::size_t>(lane)], false);
}

StoreContract::StoreContract() : place_(GetParam().make_place()) {
    store_ = place_->open(clock_);
    store_->set_listener(&recorder_);
}

StoreContract::~StoreContract() {
    store_.reset();
}

void StoreContract::reopen() {
    store_.reset();
    store_ = place_->open(clock_);
    store_->set_listener(&recorder_);
}

void StoreContract::TearDown() {
    if (pruned_) {
        return;
    }
    const auto stored = store_->events_after(0, 10'000);
    ASSERT_TRUE(stored.has_value());
    const auto told = recorder_.events();
    ASSERT_EQ(told.size(), stored->size()) << "the listener hears of every event, once";
    std::map<std::string, json::object> last;
    for (std::size_t i = 0; i < stored->size(); ++i) {
        const ports::Event& e = (*stored)[i];
        EXPECT_EQ(told[i].seq, e.seq);
        EXPECT_EQ(told[i].type, e.type);
        EXPECT_EQ(told[i].payload, e.payload);
        if (i > 0) {
            EXPECT_GT(e.seq, (*stored)[i - 1].seq);
        }
        const json::value payload = json::parse(e.payload);
        if (e.type == "task.state") {
            EXPECT_EQ(payload.at("previous_state"), last[e.task_id.value].at("state"))
                << "no change was left out";
        }
        if (e.type.starts_with("task.")) {
            last[e.task_id.value] = payload.as_object();
        }
    }
    for (const TaskId& id : tasks_) {
        const auto row = store_->task(id);
        if (!row) {
            continue;  // deleted by the test
        }
        const json::object& told_last = last[id.value];
        EXPECT_EQ(std::string(told_last.at("state").as_string()), to_string(row->state));
        EXPECT_EQ(told_last.at("run_number").to_number<int>(), row->run_number);
        EXPECT_EQ(told_last.contains("error"), row->error.has_value());
        if (domain::is_terminal(row->state)) {
            EXPECT_TRUE(row->completed_at.has_value());
        }
    }
}

ports::TaskRow StoreContract::submit(int priority, std::int64_t source_bytes) {
    clock_.advance(Millis{1});
    ports::NewMedia media{.id = new_id<MediaId>(),
                          .task_id = new_id<TaskId>(),
                          .title = "A talk",
                          .filename = "talk.mp4",
                          .source = {std::string(64, 'a'), source_bytes},
                          .options = {}};
    media.options.priority = priority;
    const auto row = store_->submit(media);
    EXPECT_TRUE(row.has_value()) << row.error().message << row.error().detail;
    tasks_.push_back(media.task_id);
    return row->task;
}

ports::ClaimedUnit StoreContract::claim(domain::Lane lane) {
    const auto unit = store_->claim({.node = node_, .lane = lane, .model = "m"});
    EXPECT_TRUE(unit.has_value()) << unit.error().message << unit.error().detail;
    EXPECT_TRUE(unit->has_value()) << "nothing to claim";
    return unit->value();
}

void StoreContract::expect_nothing_to_claim(domain::Lane lane) {
    const auto unit = store_->claim({.node = node_, .lane = lane, .model = {}});
    ASSERT_TRUE(unit.has_value()) << unit.error().message;
    EXPECT_FALSE(unit->has_value());
}

void StoreContract::fail_for_want_of_room(const ports::Lease& lease) {
    ASSERT_TRUE(store_
                    ->fail_unit(lease,
                                {.error = {ErrorClass::storage, "no_room_for_audio", "", ""},
                                 .retry_after = Millis{300'000}},
                                {}, 0)
                    .has_value());
}

ports::UnitEnd StoreContract::extract(const ports::Lease& lease, int chunks) {
    ports::ExtractResult result;
    result.info.container = "mov,mp4";
    result.info.duration = Millis{30'000 * std::max(chunks, 1)};
    result.info.audio_tracks.push_back(
        {.index = 0, .codec = "aac", .channels = 2, .sample_rate_hz = 48'000});
    result.info.warnings.push_back("The file ends early.");
    result.pcm = {std::string(64, 'b'), 32'000};
    result.peaks.min_max = {-128, 127, -1, 1};
    for (int i = 0; i < chunks; ++i) {
        result.chunks.push_back({Millis{30'000 * i}, Millis{30'000 * (i + 1)}});
    }
    const auto end = store_->finish_extract(lease, result);
    EXPECT_TRUE(end.has_value()) << end.error().message << end.error().detail;
    return *end;
}

ports::UnitEnd StoreContract::transcribe(const ports::Lease& lease, const std::string& text) {
    const domain::Segment segment{
        .span = {Millis{lease.unit.value}, Millis{lease.unit.value + 500}},
        .text = text,
        .confidence = 0.5,
        .words = {{.span = {Millis{0}, Millis{500}}, .text = text, .confidence = 0.5}},
        .speaker = std::nullopt};
    const auto end = store_->finish_chunk(
        lease, {.segments = {segment}, .engine = "pocketsphinx", .model = "en-us"});
    EXPECT_TRUE(end.has_value()) << end.error().message << end.error().detail;
    return *end;
}

ports::UnitEnd StoreContract::finalize(const ports::Lease& lease) {
    const domain::Segment segment{
        .span = {Millis{0}, Millis{500}}, .text = "joined", .words = {}, .speaker = "A"};
    const auto end =
        store_->finish_final(lease, {.segments = {segment},
                                     .documents = {{domain::DocumentFormat::srt, "1\n"},
                                                   {domain::DocumentFormat::txt, "joined\n"}}});
    EXPECT_TRUE(end.has_value()) << end.error().message << end.error().detail;
    return *end;
}

ports::UnitEnd StoreContract::fail(const ports::Lease& lease, ErrorClass cls,
                                   const std::string& message) {
    const auto end = store_->fail_unit(lease, {.error = {cls, "broke", message, {}}}, {}, 0.5);
    EXPECT_TRUE(end.has_value()) << end.error().message << end.error().detail;
    return *end;
}

ports::TaskRow StoreContract::task(const TaskId& id) {
    const auto row = store_->task(id);
    EXPECT_TRUE(row.has_value()) << row.error().message;
    return *row;
}

std::vector<ports::UnitRow> StoreContract::units_of(const TaskId& id, domain::Step step) {
    auto units = store_->units(id);
    EXPECT_TRUE(units.has_value());
    std::erase_if(*units, [&](const ports::UnitRow& u) { return u.step != step; });
    return *units;
}

ports::TaskRow StoreContract::submit_extracted(int chunks) {
    const ports::TaskRow row = submit();
    const auto unit = claim(domain::Lane::media);
    EXPECT_EQ(unit.task_id, row.id);
    extract(unit.lease, chunks);
    return row;
}

void StoreContract::run_to_end(int chunks, int failing) {
    for (int i = 0; i < chunks; ++i) {
        const auto unit = claim(domain::Lane::speech);
        if (unit.ordinal == failing) {
            fail_for_good(unit.lease);
        } else {
            transcribe(unit.lease);
        }
    }
    finalize(claim(domain::Lane::local).lease);
}

}  // namespace durascribe::contract
