#include "durascribe/api/handlers.h"
#include "durascribe/api/parameters.h"
#include "durascribe/api/problem.h"
#include "durascribe/api/shapes.h"

namespace durascribe::api {
namespace {

constexpr std::size_t kQueryBytesMax = 500;

}  // namespace

Result<Response> search(const Services& services, const Request& request) {
    const auto page = page_of(request);
    if (!page) {
        return std::unexpected(page.error());
    }
    const auto text = text_parameter(request, "q");
    if (!text) {
        return std::unexpected(text.error());
    }
    if (!*text || (*text)->empty() || (*text)->size() > kQueryBytesMax) {
        return std::unexpected(bad_value("q", "1 to 500 bytes of what to look for"));
    }
    const auto media = id_parameter(request, "media_id");
    if (!media) {
        return std::unexpected(media.error());
    }
    ports::SearchRequest wanted{.text = **text, .media = std::nullopt};
    if (*media) {
        wanted.media = MediaId{**media};
    }
    const auto found = services.store.search(wanted, *page);
    if (!found) {
        return std::unexpected(found.error());
    }
    json::array items;
    for (const ports::SearchHit& hit : found->hits) {
        items.push_back(search_hit_shape(hit, dialect_of(request)));
    }
    json::object body = page_shape(std::move(items), found->next_cursor);
    body["order"] = found->best_first ? "best_first" : "newest_first";
    return json_response(200, std::move(body));
}

}  // namespace durascribe::api
