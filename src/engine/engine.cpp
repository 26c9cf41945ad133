#include "durascribe/engine/engine.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <limits>
#include <map>
#include <mutex>

#include "durascribe/base/failpoint.h"
#include "durascribe/base/log.h"
#include "durascribe/base/log_fields.h"
#include "durascribe/engine/choose_model.h"
#include "durascribe/engine/document_of.h"
#include "durascribe/engine/housekeeper.h"
#include "durascribe/engine/lane_pace.h"
#include "durascribe/engine/lease_watch.h"
#include "durascribe/engine/memory_admission.h"
#include "durascribe/engine/model_memory.h"
#include "durascribe/engine/resumable_uploads.h"
#include "durascribe/engine/room_waiters.h"
#include "durascribe/engine/slot.h"
#include "durascribe/engine/spare_worker.h"
#include "durascribe/engine/supervisor.h"
#include "durascribe/engine/task_views.h"
#include "durascribe/engine/upload.h"

namespace durascribe::engine {

class Engine::Impl final : public ports::CommitListener {
  public:
    Impl(Engine& self, ports::Store& store, ports::BlobStore& blobs, ports::WorkerFactory& workers,
         const ports::Clock& clock, EngineSettings settings)
        : self_(self),
          store_(store),
          blobs_(blobs),
          workers_(workers),
          clock_(clock),
          settings_(std::move(settings)),
          guard_(store, blobs),
          uploads_(store, blobs, guard_, settings_.uploads),
          memory_(settings_.models, settings_.worker_memory_bytes),
          admission_(settings_.free_memory_bytes),
          spare_(workers, admission_, [this] {
              return memory_.needed(settings_.engine, settings_.model, settings_.language);
          }) {
        store_.set_listener(this);
    }

    ~Impl() override { store_.set_listener(nullptr); }

    Result<void> start() {
        auto recovered = store_.recover(node_);
        if (!recovered) {
            return std::unexpected(recovered.error());
        }
        DURASCRIBE_FAILPOINT("engine.recovered");
        if (*recovered > 0) {
            log::info("{} units were running when the last server ended: they go on now",
                      *recovered);
        }
        const SlotContext context{.store = store_,
                                  .workers = workers_,
                                  .clock = clock_,
                                  .settings = settings_,
                                  .running = running_,
                                  .node = node_,
                                  .pace = pace_,
                                  .memory = memory_,
                                  .admission = admission_,
                                  .spare = spare_,
                                  .unit_started = [this] { kick_supervisor(); }};
        {
            const std::scoped_lock lock(supervisor_mutex_);
            supervisor_ =
                std::make_unique<Supervisor>(self_, store_, blobs_, clock_, settings_, running_,
                                             room_waiters_, node_, [this] { wake_lanes(); });
        }
        lease_watch_ = std::make_unique<LeaseWatch>(running_, clock_, settings_.lease_length);
        const auto add_slots = [&](domain::Lane lane, int count) {
            for (int i = 0; i < count; ++i) {
                slots_.push_back(std::make_unique<Slot>(
                    context, lane, signal(lane),
                    UnitRunner(store_, blobs_, guard_, room_waiters_, workers_, clock_, settings_,
                               [this](const TaskId& task) { store_progress(task); })));
            }
        };
        add_slots(domain::Lane::speech, settings_.speech_slots);
        add_slots(domain::Lane::media, settings_.media_slots);
        add_slots(domain::Lane::fetch, settings_.fetch_slots);
        add_slots(domain::Lane::local, 1);
        const std::scoped_lock lock(housekeeper_mutex_);
        housekeeper_ =
            std::make_unique<Housekeeper>(store_, blobs_, guard_, uploads_, clock_, settings_);
        DURASCRIBE_FAILPOINT("engine.started");
        return {};
    }

    void stop_claiming() {
        draining_ = true;
        spare_.stop();
        for (const auto& slot : slots_) {
            slot->request_stop();
        }
    }

    void stop(Millis grace) {
        draining_ = true;
        const std::scoped_lock stopping(stop_mutex_);
        DURASCRIBE_FAILPOINT("drain.begun");
        std::unique_ptr<Housekeeper> housekeeper;
        {
            const std::scoped_lock lock(housekeeper_mutex_);
            housekeeper = std::move(housekeeper_);
        }
        if (housekeeper) {
            housekeeper->request_stop();
        }
        stop_claiming();
        if (!running_.wait_until_empty(grace)) {
            running_.stop_all(StopReason::drained);
            DURASCRIBE_FAILPOINT("drain.units_told");
        }
        for (const auto& slot : slots_) {
            slot->join();
        }
        DURASCRIBE_FAILPOINT("drain.slots_ended");
        lease_watch_.reset();
        std::unique_ptr<Supervisor> supervisor;
        {
            const std::scoped_lock lock(supervisor_mutex_);
            supervisor = std::move(supervisor_);
        }
        // Both end here, after the units have been handed back; the supervisor outside its lock: it
        // may be in a store call whose commit tells us, and so takes it.
    }

    // On the store's thread, after the commit: the one place from which changes are told.
    void on_commit(std::span<const ports::Event> events,
                   std::span<const bool, domain::kLanes> lanes) noexcept override {
        for (const ports::Event& event : events) {
            const log::Scope about{{"event", event.type},
                                   {"task_id", event.task_id.value},
                                   {"media_id", event.media_id.value}};
            if (event.type == "task.progress") {
                log::debug("{} {} {}", event.type, event.task_id.value, event.payload);
            } else {
                log::info("{} {} {}", event.type,
                          event.task_id.value.empty() ? event.media_id.value : event.task_id.value,
                          event.payload);
            }
            if (event.type == "unit.retry") {
                kick_supervisor();
            }
        }
        feed_.publish(events);
        for (std::size_t i = 0; i < lanes.size(); ++i) {
            if (lanes[i]) {
                signals_[i].notify();
            }
        }
    }

    Result<void> check_request(const domain::TaskOptions& options,
                               const std::optional<ports::IdempotencyKey>& idempotency) const {
        if (idempotency) {
            // What was installed when it was answered does not matter any more.
            const auto known = store_.key_known(*idempotency);
            if (!known) {
                return std::unexpected(known.error());
            }
            if (*known) {
                return {};
            }
        }
        if (options.diarize) {
            return fail(ErrorClass::input, "no_diarizer",
                        "diarize is true, and no diarizer is installed here. Leave it out: the "
                        "transcript comes without the names of speakers.");
        }
        if (options.from_step && *options.from_step > domain::Step::transcribe) {
            return {};  // nothing of it runs again
        }
        return domain::check_installed(options.engine, options.model, options.language, models());
    }

    std::vector<domain::ModelCandidate> models() const {
        return settings_.models ? settings_.models() : std::vector<domain::ModelCandidate>{};
    }

    Result<ports::TaskRow> cancel(const TaskId& task) {
        store_progress(task);
        auto outcome = store_.request_cancel(task);
        if (!outcome) {
            return std::unexpected(outcome.error());
        }
        DURASCRIBE_FAILPOINT("cancel.recorded");
        running_.stop_task(task, outcome->task.run_number, StopReason::cancelled);
        return std::move(outcome->task);
    }

    // Before a task may end: what was shown of it is what its end shows, after a restart, too. The
    // supervisor's own is up to a second old.
    void store_progress(const TaskId& task) {
        const auto view = views_.of(task);
        if (!view || view->percent <= view->row.progress) {
            return;
        }
        const std::array percents{ports::TaskPercent{.task = task,
                                                     .run_number = view->row.run_number,
                                                     .percent = view->percent,
                                                     .worked = view->row.worked}};
        if (const auto stored = store_.report_progress({}, percents); !stored) {
            log::warning("progress could not be stored: {}", stored.error().message);
        }
    }

    ports::NewMedia media_of(const NewImport& import) const {
        ports::NewMedia media{
            .id = new_id<MediaId>(),
            .task_id = new_id<TaskId>(),
            .title = import.title.empty() ? import.title_until_known : import.title,
            .filename = import.filename,
            .source = {},
            .url = import.url,
            .titled = !import.title.empty(),
            .options = import.options,
            .idempotency = import.idempotency,
            .charge = import.charge};
        media.options.from_url = true;
        return media;
    }

    Result<ports::Submission> import(const NewImport& import) {
        if (auto checked = check_request(import.options, import.idempotency); !checked) {
            return std::unexpected(checked.error());
        }
        auto made = store_.submit(media_of(import));
        DURASCRIBE_FAILPOINT("import.requested");
        return made;
    }

    Result<ports::BatchRow> submit_batch(const NewBatch& batch) {
        ports::NewBatch made{.id = new_id<BatchId>(),
                             .title = batch.title,
                             .items = {},
                             .idempotency = batch.idempotency};
        for (std::size_t i = 0; i < batch.items.size(); ++i) {
            auto added = std::visit([&](const auto& one) { return add_to(made, one, batch); },
                                    batch.items[i]);
            if (!added) {
                return std::unexpected(ports::in_batch_item(added.error(), i));
            }
        }
        auto row = store_.submit_batch(made);
        DURASCRIBE_FAILPOINT("batch.recorded");
        if (!row && row.error().code == "in_doubt") {
            for (const auto& item : batch.items) {
                if (const auto* file = std::get_if<NewBatch::File>(&item)) {
                    file->upload->leave_in_doubt();
                }
            }
        }
        return row;
    }

    Result<void> add_to(ports::NewBatch& made, const NewImport& import, const NewBatch& batch) {
        ports::NewMedia media = media_of(import);
        media.charge = batch.charge;
        made.items.emplace_back(std::move(media));
        return check_request(import.options, batch.idempotency);
    }

    Result<void> add_to(ports::NewBatch& made, const NewBatch::Again& again,
                        const NewBatch& batch) {
        if (auto checked = check_request(again.options, batch.idempotency); !checked) {
            return checked;
        }
        auto choice = choose_model_anew(store_, settings_, again.options, again.media);
        if (!choice) {
            return std::unexpected(choice.error());
        }
        made.items.emplace_back(ports::NewTask{.media_id = again.media,
                                               .id = new_id<TaskId>(),
                                               .options = again.options,
                                               .charge = batch.charge,
                                               .choice = std::move(*choice)});
        return {};
    }

    Result<void> add_to(ports::NewBatch& made, const NewBatch::File& file, const NewBatch& batch) {
        if (auto checked = check_request(file.options, batch.idempotency); !checked) {
            return checked;
        }
        auto source = file.upload->keep();
        if (!source) {
            return std::unexpected(source.error());
        }
        if (made.idempotency) {
            made.idempotency->fingerprint += source->sha256;
        }
        made.items.emplace_back(ports::NewMedia{.id = new_id<MediaId>(),
                                                .task_id = new_id<TaskId>(),
                                                .title = file.title,
                                                .filename = file.filename,
                                                .source = std::move(*source),
                                                .options = file.options,
                                                .idempotency = {},
                                                .charge = batch.charge});
        return {};
    }

    static Result<void> add_to(ports::NewBatch& made, const ports::FromUpload& upload,
                               const NewBatch&) {
        made.items.emplace_back(upload);
        return {};
    }

    Result<ports::Submission> submit_task(const MediaId& media, const domain::TaskOptions& options,
                                          bool force,
                                          const std::optional<ports::IdempotencyKey>& idempotency,
                                          const ports::Charge& charge) {
        if (auto checked = check_request(options, idempotency); !checked) {
            return std::unexpected(checked.error());
        }
        auto choice = choose_model_anew(store_, settings_, options, media);
        if (!choice) {
            return std::unexpected(choice.error());
        }
        const TaskId id = new_id<TaskId>();
        auto made = store_.submit_task({.media_id = media,
                                        .id = id,
                                        .options = options,
                                        .force = force,
                                        .idempotency = idempotency,
                                        .charge = charge,
                                        .choice = std::move(*choice)});
        if (!made) {
            return std::unexpected(made.error());
        }
        DURASCRIBE_FAILPOINT("new_task.recorded");
        if (made->replaced) {
            // It is not retried while the one that takes its place is active.
            running_.stop_task(*made->replaced, std::numeric_limits<int>::max(),
                               StopReason::cancelled);
        }
        return made;
    }

    Result<void> delete_media(const MediaId& media,
                              const std::optional<std::vector<int>>& if_revision) {
        auto blobs = store_.delete_media(media, if_revision);
        if (!blobs) {
            return std::unexpected(blobs.error());
        }
        DURASCRIBE_FAILPOINT("delete.recorded");
        guard_.collect(*blobs);
        if (auto removed = blobs_.remove_partial(media.value); !removed) {
            log::warning("media {}: {}", media.value,
                         removed.error().message);  // the sweep's, then
        }
        DURASCRIBE_FAILPOINT("delete.files_removed");
        return {};
    }

    Result<std::string> document(const TaskId& id, domain::DocumentFormat format,
                                 std::optional<int> revision) {
        return document_of(store_, id, format, revision);
    }

    std::vector<SlotStatus> slot_status() {
        std::vector<SlotStatus> all;
        all.reserve(slots_.size());
        for (const auto& slot : slots_) {
            all.push_back(slot->status());
        }
        return all;
    }

    ports::Store& store() { return store_; }
    ports::BlobStore& blobs() { return blobs_; }
    BlobGuard& guard() { return guard_; }
    TaskViews& views() { return views_; }
    ResumableUploads& uploads() { return uploads_; }
    EventFeed& feed() { return feed_; }
    bool draining() const { return draining_; }
    Housekeeping housekeeping() {
        const std::scoped_lock lock(housekeeper_mutex_);
        return housekeeper_ ? housekeeper_->status() : Housekeeping{};
    }

  private:
    LaneSignal& signal(domain::Lane lane) { return signals_[static_cast<std::size_t>(lane)]; }

    void wake_lanes() {
        for (LaneSignal& lane : signals_) {
            lane.notify();
        }
    }

    void kick_supervisor() {
        const std::scoped_lock lock(supervisor_mutex_);
        if (supervisor_) {
            supervisor_->kick();
        }
    }

    Engine& self_;
    ports::Store& store_;
    ports::BlobStore& blobs_;
    ports::WorkerFactory& workers_;
    const ports::Clock& clock_;
    const EngineSettings settings_;
    const NodeId node_ = new_id<NodeId>();
    BlobGuard guard_;
    ResumableUploads uploads_;
    RunningUnits running_;
    RoomWaiters room_waiters_{[this] { kick_supervisor(); }};
    LanePace pace_;
    TaskViews views_{store_, running_, pace_, clock_, settings_};
    ModelMemory memory_;
    MemoryAdmission admission_;
    SpareWorker spare_;
    EventFeed feed_;
    std::array<LaneSignal, domain::kLanes> signals_;
    std::atomic<bool> draining_{false};

    std::mutex supervisor_mutex_;
    std::unique_ptr<Supervisor> supervisor_;
    std::mutex stop_mutex_;
    std::unique_ptr<LeaseWatch> lease_watch_;  // outlives the slots' threads
    std::vector<std::unique_ptr<Slot>> slots_;
    std::mutex housekeeper_mutex_;
    std::unique_ptr<Housekeeper> housekeeper_;
};

Engine::Engine(ports::Store& store, ports::BlobStore& blobs, ports::WorkerFactory& workers,
               const ports::Clock& clock, EngineSettings settings)
    : impl_(std::make_unique<Impl>(*this, store, blobs, workers, clock, std::move(settings))) {}

Engine::~Engine() {
    stop();
}

Result<void> Engine::start() {
    return impl_->start();
}
void Engine::stop_claiming() {
    impl_->stop_claiming();
}
void Engine::stop(Millis grace) {
    impl_->stop(grace);
}

Result<std::unique_ptr<Upload>> Engine::begin_upload(std::int64_t expected_bytes,
                                                     std::int64_t limit_bytes,
                                                     const ports::Charge& charge) {
    return engine::begin_upload(impl_->store(), impl_->blobs(), impl_->guard(), expected_bytes,
                                limit_bytes, charge,
                                [impl = impl_.get()](const auto& options, const auto& idempotency) {
                                    return impl->check_request(options, idempotency);
                                });
}

std::vector<domain::ModelCandidate> Engine::models() const {
    return impl_->models();
}
Result<void> Engine::check_request(const domain::TaskOptions& options,
                                   const std::optional<ports::IdempotencyKey>& idempotency) {
    return impl_->check_request(options, idempotency);
}

Result<ports::Submission> Engine::import(const NewImport& import) {
    return impl_->import(import);
}

Result<ports::BatchRow> Engine::submit_batch(const NewBatch& batch) {
    return impl_->submit_batch(batch);
}

Result<ports::Submission> Engine::submit_task(
    const MediaId& media, const domain::TaskOptions& options, bool force,
    const std::optional<ports::IdempotencyKey>& idempotency, const ports::Charge& charge) {
    return impl_->submit_task(media, options, force, idempotency, charge);
}

Result<ports::TaskRow> Engine::cancel(const TaskId& task) {
    return impl_->cancel(task);
}
Result<ports::RetryOutcome> Engine::retry(const TaskId& task,
                                          const std::optional<ports::IdempotencyKey>& idempotency,
                                          const ports::Charge& charge) {
    auto outcome = impl_->store().retry(task, idempotency, charge);
    DURASCRIBE_FAILPOINT("retry.recorded");
    return outcome;
}
Result<void> Engine::delete_media(const MediaId& media,
                                  const std::optional<std::vector<int>>& if_revision) {
    return impl_->delete_media(media, if_revision);
}
Result<TaskView> Engine::view(const TaskId& task) {
    return impl_->views().of(task);
}
Result<std::optional<TaskView>> Engine::view_of_media(const MediaId& media) {
    return impl_->views().of_media(media);
}
Result<std::optional<TaskView>> Engine::view_of_media(const ports::MediaRow& media) {
    return impl_->views().of_media(media);
}
Result<std::string> Engine::document(const TaskId& task, domain::DocumentFormat format,
                                     std::optional<int> revision) {
    return impl_->document(task, format, revision);
}
ResumableUploads& Engine::uploads() {
    return impl_->uploads();
}
EventFeed& Engine::feed() {
    return impl_->feed();
}
std::vector<Engine::SlotStatus> Engine::slots() {
    return impl_->slot_status();
}
bool Engine::draining() const {
    return impl_->draining();
}
Engine::Housekeeping Engine::housekeeping() {
    return impl_->housekeeping();
}

}  // namespace durascribe::engine
