// Workers in this process whose every answer a test decides: a fake, named as such. What real
// worker processes do is tested in src/process and tests/e2e.
#pragma once

#include <atomic>
#include <functional>
#include <memory>

#include "durascribe/ports/worker.h"

namespace durascribe::testing {

class ScriptedWorkers final : public ports::WorkerFactory {
  public:
    using Extract = std::function<Result<ports::ExtractOutcome>(const ports::ExtractJob&,
                                                                const ports::RunControl&)>;
    using Transcribe = std::function<Result<ports::TranscribeOutcome>(const ports::TranscribeJob&,
                                                                      const ports::RunControl&)>;
    using Fetch = std::function<Result<ports::FetchOutcome>(const ports::FetchJob&,
                                                            const ports::RunControl&)>;
    Extract on_extract;
    Fetch on_fetch;
    Transcribe on_transcribe;
    std::atomic<int> started{0};
    std::atomic<int> speech_started{0};
    std::atomic<bool> refuse_speech{false};  // no further speech worker can be started
    std::atomic<int> extracts{0};
    std::atomic<int> transcribes{0};

    Result<std::unique_ptr<ports::Worker>> start(ports::WorkerRole role) override {
        if (role == ports::WorkerRole::speech) {
            if (refuse_speech) {
                return fail(ErrorClass::internal, "refused", "The test lets none start.");
            }
            ++speech_started;
            speech_started.notify_all();
        }
        ++started;
        started.notify_all();
        return std::make_unique<ScriptedWorker>(*this);
    }

  private:
    class ScriptedWorker final : public ports::Worker {
      public:
        explicit ScriptedWorker(ScriptedWorkers& script) : script_(script) {}
        Result<ports::ExtractOutcome> extract(const ports::ExtractJob& job,
                                              const ports::RunControl& control) override {
            ++script_.extracts;
            auto outcome = script_.on_extract(job, control);
            alive_ = false;  // as the real one: a media worker serves one job
            return outcome;
        }
        Result<ports::TranscribeOutcome> transcribe(const ports::TranscribeJob& job,
                                                    const ports::RunControl& control) override {
            ++script_.transcribes;
            auto outcome = script_.on_transcribe(job, control);
            alive_ = outcome.has_value();
            return outcome;
        }
        Result<ports::FetchOutcome> fetch(const ports::FetchJob& job,
                                          const ports::RunControl& control) override {
            auto outcome = script_.on_fetch(job, control);
            alive_ = false;
            return outcome;
        }
        bool alive() override { return alive_; }
        Result<void> wait_ready(Millis, std::stop_token) override { return {}; }
        int pid() const override { return 0; }
        std::int64_t resident_bytes() const override { return 0; }

      private:
        ScriptedWorkers& script_;
        bool alive_ = true;
    };
};

}  // namespace durascribe::testing
