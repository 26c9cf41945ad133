// Values that a client chose, from the query, a form or a JSON body: checked, and named where
// wrong.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <boost/json/fwd.hpp>

#include "durascribe/api/message.h"
#include "durascribe/base/error.h"
#include "durascribe/domain/pipeline.h"
#include "durascribe/ports/store.h"

namespace durascribe::api {

// All errors: request "bad_value", naming the field and what was expected.

// nullopt: not given. Given twice is an error.
Result<std::optional<std::string>> text_parameter(const Request& request, std::string_view name);
Result<std::optional<bool>> flag_parameter(const Request& request, std::string_view name);
Result<std::optional<int>> number_parameter(const Request& request, std::string_view name,
                                            int least, int most);
// A UUID, in lower case; nullopt: it is none.
std::optional<std::string> id_from(std::string_view text);
// The same of a parameter.
Result<std::optional<std::string>> id_parameter(const Request& request, std::string_view name);
// Seconds, three decimals of which count.
Result<std::optional<Millis>> seconds_parameter(const Request& request, std::string_view name);
// RFC 3339, or a day.
Result<std::optional<WallTime>> time_parameter(const Request& request, std::string_view name);
Result<ports::Page> page_of(const Request& request);  // `limit`, `cursor`
Result<std::optional<domain::TaskState>> state_parameter(const Request& request);  // `status`

// The request's Idempotency-Key, with a fingerprint of method, path, query and body; what comes by
// upload is added by the engine. nullopt: it has none.
Result<std::optional<ports::IdempotencyKey>> idempotency_key_of(const Request& request);

// 1 to 500 characters of UTF-8 without control characters, trimmed.
Result<std::string> checked_title(std::string_view text);

// The id of a `what`, in that part of the path. Errors: request "not_found", where it is no UUID.
template <typename Id>
Result<Id> path_id(const Request& request, std::string_view part, std::string_view what) {
    auto id = id_from(request.capture(part));
    if (!id) {
        // Not repeated in the message: it may be anything.
        return fail(ErrorClass::request, "not_found",
                    "There is no such " + std::string{what} + ": its id must be a UUID.");
    }
    return Id{std::move(*id)};
}

// What may be chosen for a task; what was not given stays as it is.
class TaskFields {
  public:
    // For a media that comes in. from_step is refused: no earlier step has left anything.
    TaskFields() = default;
    // For a new task over one that is there.
    static TaskFields of_known_media();

    // Whether the name is one of: title, language, engine, model, audio_track, diarize,
    // priority, from_step.
    static bool knows(std::string_view name);
    static std::string_view names();  // for people; of a media that comes in

    // An empty value means "not given", as forms send it. Requires knows(name).
    Result<void> set(std::string_view name, std::string_view value);
    // Of a JSON body: text, a whole number, true or false.
    Result<void> set_json(std::string_view name, const boost::json::value& value);
    // Those of the query that are known.
    Result<void> set_from_query(const Request& request);

    const std::optional<std::string>& title() const { return title_; }
    // Leaves none behind.
    std::optional<std::string> take_title() { return std::exchange(title_, std::nullopt); }
    domain::TaskOptions over(domain::TaskOptions options) const;
    // What was given of engine, model and language, whatever else holds; "auto" for the others.
    domain::TaskOptions chosen() const;

  private:
    bool known_media_ = false;
    std::optional<std::string> title_;
    std::optional<std::string> language_;
    std::optional<std::string> engine_;
    std::optional<std::string> model_;
    std::optional<std::optional<int>> audio_track_;  // none inside: the file's default
    std::optional<bool> diarize_;
    std::optional<int> priority_;
    std::optional<domain::Step> from_step_;
};

}  // namespace durascribe::api
