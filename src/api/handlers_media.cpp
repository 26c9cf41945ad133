#include <algorithm>
#include <charconv>

#include "durascribe/api/handlers.h"
#include "durascribe/api/intake.h"
#include "durascribe/api/json_text.h"
#include "durascribe/api/media_filter.h"
#include "durascribe/api/parameters.h"
#include "durascribe/api/problem.h"
#include "durascribe/api/shapes.h"
#include "durascribe/base/log.h"

namespace durascribe::api {
namespace {

// Whether the uploaded file is still there; null where that can't be told now.
json::value source_available(const Services& services, const ports::MediaRow& media) {
    if (media.source.empty()) {
        return false;  // not fetched yet
    }
    const auto there = services.blobs.exists(media.source);
    if (!there) {
        log::warning("media {}: {}", media.id.value, there.error().message);
    }
    return there ? json::value(*there) : json::value(nullptr);
}

// The revisions of the media that If-Match names; nullopt: it demands none.
Result<std::optional<std::vector<int>>> seen_revisions(const Services& services,
                                                       const Request& request, const MediaId& id) {
    const auto tags = if_match_of(services, request);
    if (!tags) {
        return std::unexpected(tags.error());
    }
    if (!*tags) {
        return std::nullopt;
    }
    std::vector<int> revisions;
    for (const std::string& tag : **tags) {
        const std::string begin = id.value + ".";
        int revision = 0;
        const char* const end = tag.data() + tag.size();
        if (tag.starts_with(begin) &&
            std::from_chars(tag.data() + begin.size(), end, revision).ptr == end) {
            revisions.push_back(revision);
        }
    }
    return revisions;
}

}  // namespace

Result<MediaId> media_id_of(const Request& request) {
    return path_id<MediaId>(request, "id", "media");
}

Result<ports::MediaRow> media_of(const Services& services, const Request& request) {
    const auto id = media_id_of(request);
    return id ? services.store.media(*id) : std::unexpected(id.error());
}

Result<TaskId> task_id_of(const Request& request) {
    return path_id<TaskId>(request, "id", "task");
}

Result<UploadId> upload_id_of(const Request& request) {
    return path_id<UploadId>(request, "id", "upload");
}

Result<std::unique_ptr<BodySink>> upload_media(const Services& services, const Request& request) {
    const std::int64_t limit = services.settings.upload_limit_bytes;
    const ports::Charge& charge = request.who.charge;
    // Said before the bytes come, where it can be: what was asked before is answered again, and
    // costs nothing more.
    if (request.header("idempotency-key") == nullptr) {
        const auto allowed =
            services.store.check_charge(charge, request.content_length.value_or(0));
        if (!allowed) {
            return std::unexpected(allowed.error());
        }
    }
    return make_upload_sink(
        request, {.begin =
                      [&engine = services.engine, limit, charge](std::int64_t expected) {
                          return engine.begin_upload(expected, limit, charge);
                      },
                  .import =
                      [&engine = services.engine, charge](engine::Engine::NewImport import) {
                          import.charge = charge;
                          return engine.import(import);
                      },
                  .json_limit_bytes = services.settings.json_limit_bytes,
                  .check =
                      [&engine = services.engine](const auto& options, const auto& idempotency) {
                          return engine.check_request(options, idempotency);
                      },
                  .defaults = services.settings.task_defaults,
                  .limit_bytes = limit});
}

Result<Response> list_media(const Services& services, const Request& request) {
    const auto page = page_of(request);
    if (!page) {
        return std::unexpected(page.error());
    }
    const auto filter = media_filter_of(request);
    if (!filter) {
        return std::unexpected(filter.error());
    }
    const auto found = services.store.list_media(*filter, *page);
    if (!found) {
        return std::unexpected(found.error());
    }
    json::array items;
    for (const auto& media : found->rows) {
        const auto newest = services.store.newest_task(media.id);
        if (!newest) {
            return std::unexpected(newest.error());
        }
        json::object item = media_shape(media, *newest, dialect_of(request));
        item["source_available"] = source_available(services, media);
        items.push_back(std::move(item));
    }
    return json_response(200, page_shape(std::move(items), found->next_cursor));
}

Result<Response> get_media(const Services& services, const Request& request) {
    const auto one_moment = services.store.read_view();
    const auto media = media_of(services, request);
    if (!media) {
        return std::unexpected(media.error());
    }
    const auto view = services.engine.view_of_media(*media);
    if (!view) {
        return std::unexpected(view.error());
    }
    std::optional<ports::TaskRow> newest;
    if (*view) {
        newest = (*view)->row;
        newest->progress = (*view)->percent;
    }
    json::object body = media_shape(*media, newest, dialect_of(request));
    body["source_available"] = source_available(services, *media);
    body["media_info"] = media_info_or_null(media->info);
    body["task"] = *view ? json::value(task_view_shape(**view)) : json::value(nullptr);
    Response response = json_response(200, std::move(body));
    response.headers.emplace_back("ETag", media_tag(*media));
    return response;
}

Result<Response> rename_media(const Services& services, const Request& request) {
    const auto id = media_id_of(request);
    if (!id) {
        return std::unexpected(id.error());
    }
    const auto body = json_body(request);
    if (!body) {
        return std::unexpected(body.error());
    }
    const json::value* title = body->if_contains("title");
    if (title == nullptr || !title->is_string() || body->size() != 1) {
        return std::unexpected(bad_value("The body", "{\"title\": \"…\"} and nothing else"));
    }
    const json::string& text = title->get_string();
    const auto checked = checked_title({text.data(), text.size()});
    if (!checked) {
        return std::unexpected(checked.error());
    }
    const auto seen = seen_revisions(services, request, *id);
    if (!seen) {
        return std::unexpected(seen.error());
    }
    if (const auto renamed = services.store.rename_media(*id, *checked, *seen); !renamed) {
        return std::unexpected(renamed.error());
    }
    return get_media(services, request);
}

Result<Response> delete_media(const Services& services, const Request& request) {
    const auto id = media_id_of(request);
    if (!id) {
        return std::unexpected(id.error());
    }
    // Not demanded, also where it is for edits: who deletes does not mean a title.
    const auto seen = request.header("if-match") != nullptr
                          ? seen_revisions(services, request, *id)
                          : Result<std::optional<std::vector<int>>>{std::nullopt};
    if (!seen) {
        return std::unexpected(seen.error());
    }
    if (const auto deleted = services.engine.delete_media(*id, *seen); !deleted) {
        return std::unexpected(deleted.error());
    }
    Response response;
    response.status = 204;
    return response;
}

Result<Response> get_media_status(const Services& services, const Request& request) {
    const auto id = media_id_of(request);
    if (!id) {
        return std::unexpected(id.error());
    }
    const auto view = services.engine.view_of_media(*id);
    if (!view) {
        return std::unexpected(view.error());
    }
    if (!*view) {
        // Never had a task, or is not there at all.
        if (const auto media = services.store.media(*id); !media) {
            return std::unexpected(media.error());
        }
    }
    return json_response(200, status_shape(*id, *view, dialect_of(request)));
}

}  // namespace durascribe::api
