// How much memory a speech worker needs with which model. Not here: whether that much is there
// (memory_admission.h).
#pragma once

#include <algorithm>
#include <compare>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "durascribe/base/time.h"
#include "durascribe/domain/model_choice.h"

namespace durascribe::engine {

// Within what a worker is to have loaded a model that needs so much: from a disk that gives 16 MiB
// a second, and a minute for all else.
constexpr Millis load_within(std::int64_t bytes) {
    return Millis{60'000} + Millis{1'000} * (std::max<std::int64_t>(bytes, 0) >> 24);
}

struct SpeechModel {
    std::string engine;
    std::string model;
    auto operator<=>(const SpeechModel&) const = default;
};

// Thread-safe. An engine or model "auto" (or empty) is what a worker loads that is left to choose:
// taken for the first engine's smallest that speaks the language. What a task gets for "auto" may
// be larger, and is named when its units come.
class ModelMemory {
  public:
    // `models`: those installed; empty: nothing is known of any. `bytes_unknown`: for one that does
    // not say what it needs.
    ModelMemory(std::function<std::vector<domain::ModelCandidate>()> models,
                std::int64_t bytes_unknown)
        : models_(std::move(models)), bytes_unknown_(bytes_unknown) {}

    SpeechModel named(const std::string& engine, const std::string& model,
                      const std::string& language) const;

    // The most that a worker was seen to hold with it; before one was, what the model says.
    std::int64_t needed(const std::string& engine, const std::string& model,
                        const std::string& language);

    // So much holds a worker that has had no other model loaded.
    void measured(const SpeechModel& model, std::int64_t bytes);

  private:
    std::optional<domain::ModelCandidate> candidate(const std::string& engine,
                                                    const std::string& model,
                                                    const std::string& language) const;

    const std::function<std::vector<domain::ModelCandidate>()> models_;
    const std::int64_t bytes_unknown_;
    std::mutex mutex_;
    std::map<SpeechModel, std::int64_t> measured_;  // guarded by mutex_
};

}  // namespace durascribe::engine
