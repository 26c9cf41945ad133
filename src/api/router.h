// Finds the handler of a request. Pure matching; the table itself is in routes.cpp.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "durascribe/api/message.h"
#include "durascribe/api/services.h"
#include "durascribe/api/socket_talk.h"

namespace durascribe::api {

// A body that is taken as it streams by. Dropped without finish(), nothing of it stays
// (of a piece of an upload, what has come). Called from
// one blocking thread at a time.
class BodySink {
  public:
    virtual ~BodySink() = default;
    virtual Result<void> write(std::string_view bytes) = 0;
    virtual Result<Response> finish() = 0;
};

// All run on blocking threads and may call the store and the disk.
using Handler = Result<Response> (*)(const Services&, const Request&);
using TalkMaker = Result<std::unique_ptr<SocketTalk>> (*)(const Services&, const Request&);
using SinkMaker = Result<std::unique_ptr<BodySink>> (*)(const Services&, const Request&);

struct Route {
    Method method = Method::get;
    // Segments; `{name}` stands for any one segment, `text.{name}` for one that begins so.
    std::string_view pattern;
    access::Need need = access::Need::admin;  // of who calls it, also by an earlier client's path
    // Gets the whole body, at most ServerSettings::json_limit_bytes, of open ones much less.
    Handler handler = nullptr;
    SinkMaker sink = nullptr;  // or: gets the body as it comes
    TalkMaker talk = nullptr;  // or: becomes a WebSocket
};

// An earlier client's path: what begins with `from` is served as if it began with `to`.
struct PathAlias {
    std::string_view from;
    std::string_view to;
};

struct RouteMatch {
    const Route* route = nullptr;
    // Where there is none: the methods that this path takes, for Allow; empty: it is unknown.
    std::string allow;
};

// Fills request.captures and request.legacy_path. GET routes take HEAD; every known path takes
// OPTIONS, for which `route` stays null where the table has none.
RouteMatch find_route(std::span<const Route> routes, std::span<const PathAlias> aliases,
                      Request& request);

}  // namespace durascribe::api
