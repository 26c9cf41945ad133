// Live events: the stream of server-sent events, and the WebSocket.
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <boost/json.hpp>

#include "durascribe/api/handlers.h"
#include "durascribe/api/heard_messages.h"
#include "durascribe/api/json_text.h"
#include "durascribe/api/live_filter.h"
#include "durascribe/api/live_reader.h"
#include "durascribe/api/parameters.h"
#include "durascribe/api/problem.h"
#include "durascribe/api/shapes.h"
#include "durascribe/base/log.h"

namespace durascribe::api {
namespace {

// Each message in `data`, with its sequence number as the event's id (WHATWG HTML §9.2).
class EventStreamBody final : public BodyStream {
  public:
    EventStreamBody(const Services& services, LiveFilter filter, std::optional<std::int64_t> after)
        : reader_(services, std::move(filter), after) {}

    void start(Wake wake) override { reader_.start(std::move(wake)); }
    Piece next() override { return wrap(reader_.next()); }
    Piece work() override { return wrap(reader_.work()); }
    // The id alone is no event, but goes with a reconnection: what did not match is not asked for
    // again.
    std::string keep_alive() override {
        return fmt::format(": keep-alive\nid: {}\n\n", reader_.position());
    }

  private:
    static Piece wrap(const LiveReader::Batch& batch) {
        Piece piece{{}, batch.then};
        for (const LiveMessage& message : batch.messages) {
            if (message.seq) {
                piece.bytes += fmt::format("id: {}\n", *message.seq);
            }
            piece.bytes += "data: ";
            piece.bytes += *message.text;
            piece.bytes += "\n\n";
        }
        return piece;
    }

    LiveReader reader_;
};

struct Subscription {
    LiveFilter filter;
    std::optional<std::int64_t> after;
};

std::string error_text(const Error& error) {
    return json_line({{"type", "error"}, {"code", error.code}, {"detail", error.message}});
}

Result<void> add_from_json(LiveFilter& filter, std::string_view name, const json::value& value) {
    json::array single;
    if (!value.is_array()) {
        single.push_back(value);
    }
    for (const json::value& one : value.is_array() ? value.get_array() : single) {
        if (!one.is_string()) {
            return std::unexpected(bad_value(name, "text, or a list of texts"));
        }
        if (auto added = add_to_filter(filter, name, std::string{one.get_string().c_str()});
            !added) {
            return added;
        }
    }
    return {};
}

// Of a message {type: "subscribe", media_id, task_id, event, after}: each may be left out.
Result<Subscription> subscription_of(const json::object& message) {
    Subscription subscription;
    for (const auto& [key, value] : message) {
        const std::string_view name{key.data(), key.size()};
        if (name == "type") {
            continue;
        }
        if (name == "after") {
            if (!value.is_int64() || value.get_int64() < 0) {
                return std::unexpected(
                    bad_value("after", "the sequence number of an event, 0 or more"));
            }
            subscription.after = value.get_int64();
        } else if (name == "media_id" || name == "task_id" || name == "event") {
            const std::string_view field = name == "event" ? "type" : name;
            if (auto added = add_from_json(subscription.filter, field, value); !added) {
                return std::unexpected(added.error());
            }
        } else {
            return fail(ErrorClass::request, "bad_value",
                        fmt::format("\"{}\" is not known in a subscribe message. There are: "
                                    "media_id, task_id, event and after.",
                                    name));
        }
    }
    return subscription;
}

// The conversation of /api/v1/ws.
class LiveTalk final : public SocketTalk {
  public:
    LiveTalk(const Services& services, Subscription first)
        : reader_(services, std::move(first.filter), first.after) {}

    void start(Wake wake) override { reader_.start(std::move(wake)); }

    Piece next() override {
        Piece piece{{}, BodyStream::Then::look};
        for (const std::string& text : heard_.take()) {
            piece.texts.push_back(std::make_shared<const std::string>(answer(text)));
        }
        return piece.texts.empty() ? wrap(reader_.next()) : piece;
    }
    Piece work() override { return wrap(reader_.work()); }

    bool received(std::string text) override { return heard_.add(std::move(text)); }

  private:
    static Piece wrap(LiveReader::Batch batch) {
        Piece piece{{}, batch.then};
        for (LiveMessage& message : batch.messages) {
            piece.texts.push_back(std::move(message.text));
        }
        return piece;
    }

    std::string answer(const std::string& text) {
        const auto message = parse_json_object(text);
        if (!message) {
            return error_text(message.error());
        }
        const json::value* type = message->if_contains("type");
        const std::string_view kind = type != nullptr && type->is_string()
                                          ? std::string_view{type->get_string().c_str()}
                                          : std::string_view{};
        if (kind == "ping") {
            return json_line({{"type", "pong"}});
        }
        if (kind != "subscribe") {
            return error_text(bad_value("type", "subscribe or ping"));
        }
        auto subscription = subscription_of(*message);
        if (!subscription) {
            return error_text(subscription.error());
        }
        reader_.begin_again(std::move(subscription->filter), subscription->after);
        return json_line({{"type", "subscribed"}});
    }

    LiveReader reader_;
    HeardMessages heard_;
};

// The conversation of earlier clients: how one media stands, whenever that has changed.
class ProgressTalk final : public SocketTalk {
  public:
    ProgressTalk(const Services& services, MediaId media)
        : services_(services), media_(std::move(media)) {}

    void start(Wake wake) override { wake_ = std::move(wake); }

    Piece next() override {
        if (!listener_) {
            return {{}, BodyStream::Then::work};
        }
        const auto taken = listener_->take();
        if (taken.behind || !taken.events.empty()) {
            return {{}, BodyStream::Then::work};
        }
        return {};
    }

    Piece work() override {
        const auto begun = follow();
        const auto view =
            begun ? services_.engine.view_of_media(media_)
                  : Result<std::optional<engine::TaskView>>(std::unexpected(begun.error()));
        if (!view) {
            log::error("How media {} stands could not be read for a listener: {} ({}: {})",
                       media_.value, view.error().message, view.error().code, view.error().detail);
            return {{}, BodyStream::Then::broken};
        }
        Piece piece{{}, BodyStream::Then::look};
        std::string text = json_line(progress_message_shape(media_, *view));
        if (text != last_) {
            last_ = text;
            piece.texts.push_back(std::make_shared<const std::string>(std::move(text)));
        }
        return piece;
    }

    bool received(std::string) override { return true; }  // they have nothing to say

  private:
    // What was missed does not matter: the present state is sent, never the way to it.
    Result<void> follow() {
        const auto range = services_.store.event_range();
        if (!range) {
            return std::unexpected(range.error());
        }
        if (!listener_) {
            LiveFilter filter;
            filter.media.push_back(media_.value);
            listener_ = services_.live.listen(range->second, std::move(filter), wake_);
        } else {
            listener_->moved_to(range->second);
        }
        return {};
    }

    const Services& services_;
    const MediaId media_;
    Wake wake_;
    std::unique_ptr<LiveHub::Listener> listener_;
    std::string last_;
};

}  // namespace

Result<Response> get_events(const Services& services, const Request& request) {
    auto filter = live_filter_of(request);
    if (!filter) {
        return std::unexpected(filter.error());
    }
    const auto chosen = text_parameter(request, "after");
    if (!chosen) {
        return std::unexpected(chosen.error());
    }
    std::optional<std::int64_t> after;
    if (const std::string* last = request.header("last-event-id"); last != nullptr) {
        // Of a browser that comes back: where it can't be replayed, the stream says so itself.
        const auto number = sequence_number("Last-Event-ID", *last);
        if (!number) {
            return std::unexpected(number.error());
        }
        after = *number;
    } else if (*chosen) {
        const auto number = sequence_number("after", **chosen);
        if (!number) {
            return std::unexpected(number.error());
        }
        if (auto replayable = check_replayable(services.store, *number); !replayable) {
            return std::unexpected(replayable.error());
        }
        after = *number;
    }
    Response response;
    response.headers = {{"Content-Type", "text/event-stream"},
                        {"Cache-Control", "no-store"},
                        {"X-Accel-Buffering", "no"}};  // nginx: pass it on as it comes
    response.stream = std::make_unique<EventStreamBody>(services, std::move(*filter), after);
    return response;
}

Result<std::unique_ptr<SocketTalk>> open_live_talk(const Services& services,
                                                   const Request& request) {
    Subscription first;
    auto filter = live_filter_of(request);
    if (!filter) {
        return std::unexpected(filter.error());
    }
    first.filter = std::move(*filter);
    const auto after = text_parameter(request, "after");
    if (!after) {
        return std::unexpected(after.error());
    }
    if (*after) {
        const auto number = sequence_number("after", **after);
        if (!number) {
            return std::unexpected(number.error());
        }
        first.after = *number;
    }
    return std::make_unique<LiveTalk>(services, std::move(first));
}

Result<std::unique_ptr<SocketTalk>> open_progress_talk(const Services& services,
                                                       const Request& request) {
    const auto media = media_id_of(request);
    if (!media) {
        return std::unexpected(media.error());
    }
    if (services.store.media(*media)) {
        return std::make_unique<ProgressTalk>(services, *media);
    }
    // Some of them know the task alone.
    const auto task = services.store.task(TaskId{media->value});
    if (!task) {
        return std::unexpected(task.error().code == "not_found" ? not_found("media", media->value)
                                                                : task.error());
    }
    return std::make_unique<ProgressTalk>(services, task->media_id);
}

}  // namespace durascribe::api
