// The step that downloads: UnitRunner's part of it; the file itself is download.h's.
#include <utility>

#include "durascribe/base/failpoint.h"
#include "durascribe/base/log.h"
#include "durascribe/engine/download.h"
#include "durascribe/engine/unit_runner.h"

namespace durascribe::engine {
namespace {

// A fetch worker whose time is over says so itself; this much later it is stopped.
constexpr Millis kFetchWord{15'000};

}  // namespace

Result<ports::UnitEnd> UnitRunner::run_acquire(RunningUnit& unit) {
    const ports::ClaimedUnit& claimed = unit.claimed();
    if (unit.stop_token().stop_requested()) {  // perhaps while it waited for another to let go
        return fail(ErrorClass::lost, "stopped", "Stopped on request before it began.");
    }
    auto import = store_.import_of(claimed.media_id);
    if (import && *import && (*import)->source.empty()) {
        if (auto fetched = fetch(unit, std::move(**import)); !fetched) {
            collect_nothing(unit, fetched.error());
            return std::unexpected(fetched.error());
        }
        import = store_.import_of(claimed.media_id);
    }
    if (!import) {
        return std::unexpected(import.error());
    }
    if (!*import) {
        // Another task of the media has fetched it: before this one was retried, or just now.
        return record_when_possible(unit, [&] { return store_.finish_acquire(claimed.lease); });
    }
    const auto hold = guard_.hold((*import)->source);
    if (auto placed = blobs_.place_partial(claimed.media_id.value, (*import)->source); !placed) {
        if (placed.error().code != "blob_missing") {
            return std::unexpected(placed.error());
        }
        // Lost on disk: from its beginning.
        ports::ImportRow anew{.media_id = claimed.media_id};
        if (auto reset = store_.record_import(claimed.lease, anew); !reset) {
            return std::unexpected(reset.error());
        }
        return fail(ErrorClass::network, "download_lost",
                    "What had been downloaded is no longer there. It is downloaded again.");
    }
    DURASCRIBE_FAILPOINT("import.placed");
    auto end = record_when_possible(unit, [&] { return store_.finish_acquire(claimed.lease); });
    DURASCRIBE_FAILPOINT("import.recorded");
    return end;
}

// Of a download that ended before its first byte was kept there is an empty file, which nobody
// needs.
void UnitRunner::collect_nothing(RunningUnit& unit, const Error& why) {
    if (why.cls == ErrorClass::lost) {
        return;  // perhaps another's by now
    }
    const MediaId& media = unit.claimed().media_id;
    const auto import = store_.import_of(media);
    if (!import || !*import || (*import)->bytes_done > 0 || !(*import)->source.empty()) {
        return;
    }
    if (auto removed = blobs_.remove_partial(media.value); !removed) {
        log::warning("media {}: {}", media.value, removed.error().message);  // with the media, then
    }
}

Result<void> UnitRunner::fetch(RunningUnit& unit, ports::ImportRow import) {
    const ports::ClaimedUnit& claimed = unit.claimed();
    auto file = blobs_.open_partial(claimed.media_id.value, import.bytes_done);
    if (!file) {
        wait_where_full(file.error());
        return std::unexpected(file.error());
    }
    const auto check_room = [this](std::int64_t bytes) -> Result<void> {
        const auto free = blobs_.free_bytes();
        if (!free || bytes <= *free) {
            return free ? Result<void>() : std::unexpected(free.error());
        }
        return std::unexpected(
            no_room("no_room_for_file", "What is to be downloaded", "", bytes, *free));
    };
    Download download(store_, clock_, claimed.lease, std::move(import), std::move(*file),
                      check_room);
    if (download.whole()) {  // asked for what follows it, the other side has nothing (416)
        unit.set_prepared(clock_.mono());
        return download.seal();
    }
    auto worker = workers_.start(ports::WorkerRole::fetch);
    if (!worker) {
        return std::unexpected(worker.error());
    }
    if (settings_.observer != nullptr) {  // each download has one of its own
        settings_.observer->worker_started(domain::Lane::fetch, false);
    }
    if (auto ready = (*worker)->wait_ready(kWarmUpDeadline, unit.stop_token()); !ready) {
        return std::unexpected(ready.error());
    }
    unit.set_prepared(clock_.mono());
    auto begun = download.begin();
    if (!begun) {
        return std::unexpected(begun.error());
    }
    ports::RunControl control = control_for(unit, Millis{0});
    control.stall_window = 2 * settings_.fetch_stall;  // a worker that does not see it itself
    control.deadline = settings_.fetch_timeout + kFetchWord;
    control.on_progress = nullptr;  // how far it is, the store knows
    auto outcome = (*worker)->fetch({.url = download.import().url,
                                     .output_fd = begun->get(),
                                     .offset = download.offset(),
                                     .etag = download.import().etag,
                                     .last_modified = download.import().last_modified,
                                     .limit_bytes = settings_.fetch_limit_bytes,
                                     .stall = settings_.fetch_stall,
                                     .timeout = settings_.fetch_timeout},
                                    control);
    begun->reset();  // with the worker's copy, the last: what it wrote ends there
    auto taken = download.finish();
    if (!taken) {
        wait_where_full(taken.error(), download.left().value_or(kMoreRoom));
        return std::unexpected(taken.error());
    }
    if (!outcome) {
        return std::unexpected(outcome.error());
    }
    if (outcome->error) {
        retry_after_ = outcome->retry_after;
        return std::unexpected(*outcome->error);
    }
    return download.seal();
}

}  // namespace durascribe::engine
