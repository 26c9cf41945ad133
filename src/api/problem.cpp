#include "durascribe/api/problem.h"

#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>
#include <boost/json.hpp>

#include "durascribe/api/json_text.h"
#include "durascribe/api/names.h"
#include "durascribe/api/openai_errors.h"
#include "durascribe/api/tus.h"
#include "durascribe/base/ids.h"
#include "durascribe/base/log.h"

namespace durascribe::api {
namespace {

// Codes whose status does not follow from their class.
constexpr std::array kByCode{
    std::pair<std::string_view, int>{"not_found", 404},
    std::pair<std::string_view, int>{"no_route", 404},
    std::pair<std::string_view, int>{"model_not_found", 404},
    std::pair<std::string_view, int>{"waveform_not_ready", 404},
    std::pair<std::string_view, int>{"token_required", 401},
    std::pair<std::string_view, int>{"invalid_token", 401},
    std::pair<std::string_view, int>{"insufficient_scope", 403},
    std::pair<std::string_view, int>{"bad_csrf_token", 403},
    std::pair<std::string_view, int>{"token_name_taken", 409},
    std::pair<std::string_view, int>{"token_secret_gone", 409},
    std::pair<std::string_view, int>{"too_many_tokens", 409},
    std::pair<std::string_view, int>{"rate_limited", 429},
    std::pair<std::string_view, int>{"too_many_jobs", 429},
    std::pair<std::string_view, int>{"storage_quota", 429},
    std::pair<std::string_view, int>{"audio_not_kept", 404},
    std::pair<std::string_view, int>{"no_poster", 404},
    std::pair<std::string_view, int>{"source_not_ready", 404},
    std::pair<std::string_view, int>{"method_not_allowed", 405},
    std::pair<std::string_view, int>{"not_acceptable", 406},
    std::pair<std::string_view, int>{"task_running", 409},
    std::pair<std::string_view, int>{"task_ended", 409},
    std::pair<std::string_view, int>{"task_cancelled", 409},
    std::pair<std::string_view, int>{"not_retryable", 409},
    std::pair<std::string_view, int>{"too_many_webhooks", 409},
    std::pair<std::string_view, int>{"transcript_not_final", 409},
    std::pair<std::string_view, int>{"precondition_failed", 412},
    std::pair<std::string_view, int>{"precondition_required", 428},
    std::pair<std::string_view, int>{"upload_offset", 409},
    std::pair<std::string_view, int>{"upload_not_finished", 409},
    std::pair<std::string_view, int>{"tus_version", 412},
    std::pair<std::string_view, int>{"upload_locked", 423},
    std::pair<std::string_view, int>{"upload_taken_over", 423},
    std::pair<std::string_view, int>{"too_many_uploads", 429},
    std::pair<std::string_view, int>{"checksum_mismatch", 460},
    std::pair<std::string_view, int>{"body_too_large", 413},
    std::pair<std::string_view, int>{"idempotency_key_reused", 422},
    std::pair<std::string_view, int>{"uri_too_long", 414},
    std::pair<std::string_view, int>{"unsupported_content_type", 415},
    std::pair<std::string_view, int>{"range_not_satisfiable", 416},
    std::pair<std::string_view, int>{"expectation_failed", 417},
    std::pair<std::string_view, int>{"websocket_off", 404},
    std::pair<std::string_view, int>{"upgrade_required", 426},
    std::pair<std::string_view, int>{"header_too_large", 431},
    std::pair<std::string_view, int>{"foreign_origin", 403},
    std::pair<std::string_view, int>{"foreign_host", 403},
    std::pair<std::string_view, int>{"empty_file", 400},
    std::pair<std::string_view, int>{"busy", 503},
    std::pair<std::string_view, int>{"in_doubt", 503},
    std::pair<std::string_view, int>{"blob_missing", 410},
    std::pair<std::string_view, int>{"events_pruned", 410},
};

// In seconds: a bucket has one more request after a second at most; a task or a media has to go
// first.
constexpr std::array kRetryAfter{
    std::pair<std::string_view, std::string_view>{"rate_limited", "1"},
    std::pair<std::string_view, std::string_view>{"too_many_jobs", "10"},
    std::pair<std::string_view, std::string_view>{"storage_quota", "3600"},
    std::pair<std::string_view, std::string_view>{"too_many_uploads", "600"},
};

}  // namespace

int http_status(const Error& error) {
    const auto* found = std::ranges::find(kByCode, std::string_view{error.code},
                                          &std::pair<std::string_view, int>::first);
    if (found != kByCode.end()) {
        return found->second;
    }
    switch (error.cls) {
        case ErrorClass::request:
            return 400;
        case ErrorClass::input:
            return 422;
        case ErrorClass::network:
            return 502;
        case ErrorClass::stall:
        case ErrorClass::timeout:
            return 504;
        case ErrorClass::storage:
            return 507;
        case ErrorClass::lost:
        case ErrorClass::memory:
        case ErrorClass::model:
            return 503;
        case ErrorClass::crash:
        case ErrorClass::internal:
            return 500;
    }
    assertion_failed("known ErrorClass", __FILE__, __LINE__);
}

void add_refusal_fields(Response& response, const Error& error) {
    const auto* seconds = std::ranges::find(kRetryAfter, std::string_view{error.code},
                                            &std::pair<std::string_view, std::string_view>::first);
    if (seconds != kRetryAfter.end()) {
        response.headers.emplace_back("Retry-After", seconds->second);
    } else if (response.status == 503 || response.status == 507) {
        response.headers.emplace_back("Retry-After", response.status == 503 ? "1" : "30");
    }
    if (error.code == "insufficient_scope") {
        response.headers.emplace_back(
            "WWW-Authenticate",
            fmt::format(R"(Bearer realm="durascribe", error="insufficient_scope", scope="{}")",
                        error.detail));
    } else if (response.status == 401) {
        response.headers.emplace_back("WWW-Authenticate",
                                      error.code == "invalid_token"
                                          ? R"(Bearer realm="durascribe", error="invalid_token")"
                                          : R"(Bearer realm="durascribe")");
    }
}

Response problem_response(const Error& error, std::string_view instance) {
    const int status = http_status(error);
    if (status >= 500) {
        log::error("{}: {} ({}: {})", instance, error.message, error.code, error.detail);
    }
    if (speaks_openai(instance)) {
        return openai_error_response(error);
    }
    boost::json::object body;
    body["type"] = "urn:durascribe:problem:" + error.code;
    body["title"] = std::string{reason_phrase(status)};
    body["status"] = status;
    body["detail"] = error.message;
    body["code"] = error.code;
    body["instance"] = std::string{instance};
    if (status == 409 && is_uuid(error.detail)) {
        body["task_id"] = error.detail;
    }
    if (error.code == "insufficient_scope") {
        body["required_scope"] = error.detail;
    }
    Response response;
    response.status = status;
    response.headers = {{"Content-Type", "application/problem+json"},
                        {"Cache-Control", "no-store"}};
    if (instance.starts_with(kUploadsPath)) {
        response.headers.emplace_back("Tus-Resumable", kTusVersion);
        if (status == 412) {
            response.headers.emplace_back("Tus-Version", kTusVersion);
        }
    }
    add_refusal_fields(response, error);
    response.body = json_text(body);
    return response;
}

Error bad_value(std::string_view field, std::string_view expected) {
    return {ErrorClass::request, "bad_value", fmt::format("{} must be {}.", field, expected), {}};
}

Error no_route(std::string_view path) {
    return {ErrorClass::request,
            "no_route",
            speaks_openai(path)
                ? "There is nothing at this address. Of OpenAI's API there are "
                  "/v1/audio/transcriptions and /v1/models; the server's own begins at "
                  "/api/v1/media, and /api/openapi.json describes it."
                : "There is nothing at this address. The API begins at /api/v1/media; "
                  "/api/openapi.json describes it.",
            {}};
}

Error unknown_field(std::string_view field, std::string_view of, std::string_view known) {
    constexpr std::size_t kShownBytesMax = 100;
    return {ErrorClass::request,
            "bad_value",
            fmt::format("\"{}\" is no field {}. There are: {}.", utf8_prefix(field, kShownBytesMax),
                        of, known),
            {}};
}

Error not_found(std::string_view what, std::string_view id) {
    return {
        ErrorClass::request,
        "not_found",
        fmt::format("There is no {} {}. It may have been deleted; the list shows what there is.",
                    what, id),
        {}};
}

}  // namespace durascribe::api
