#include "durascribe/domain/model_choice.h"

namespace durascribe::domain {

std::optional<ModelChoice> choose_model(const ModelQuestion&, std::span<const ModelCandidate>) {
    return std::nullopt;
}

std::optional<std::string> next_smaller_model(const std::string&, const std::string&,
                                              const std::string&, std::span<const ModelCandidate>) {
    return std::nullopt;
}

}  // namespace durascribe::domain
