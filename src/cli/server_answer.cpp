#include "durascribe/cli/server_answer.h"

#include <fmt/format.h>

namespace durascribe::cli {

std::string text_in(const json::object& object, std::string_view key) {
    const json::value* value = object.if_contains(json::string_view(key.data(), key.size()));
    return value != nullptr && value->is_string() ? std::string(value->get_string())
                                                  : std::string();
}

std::optional<double> number_in(const json::object& object, std::string_view key) {
    const json::value* value = object.if_contains(json::string_view(key.data(), key.size()));
    return value != nullptr && value->is_number() ? std::optional(value->to_number<double>())
                                                  : std::nullopt;
}

const json::object* object_in(const json::object& object, std::string_view key) {
    const json::value* value = object.if_contains(json::string_view(key.data(), key.size()));
    return value != nullptr && value->is_object() ? &value->get_object() : nullptr;
}

const json::array* array_in(const json::object& object, std::string_view key) {
    const json::value* value = object.if_contains(json::string_view(key.data(), key.size()));
    return value != nullptr && value->is_array() ? &value->get_array() : nullptr;
}

std::unexpected<Error> strange_answer(std::string_view what) {
    return fail(ErrorClass::internal, "strange_answer",
                fmt::format("The server's answer is not understood ({}). Its version may differ "
                            "from this program's: "
                            "restart it with this version.",
                            what));
}

Result<json::object> object_of(const Result<HttpReply>& reply) {
    if (!reply) {
        return std::unexpected(reply.error());
    }
    boost::system::error_code problem;
    json::value content = json::parse(reply->body, problem);
    if (problem || !content.is_object()) {
        return strange_answer(fmt::format("status {}, no JSON object", reply->status));
    }
    const json::object& object = content.get_object();
    if (reply->status >= kFirstError) {
        return fail(ErrorClass::request, text_in(object, "code"), text_in(object, "detail"));
    }
    return object;
}

}  // namespace durascribe::cli
