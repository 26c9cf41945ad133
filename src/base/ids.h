// Strong identifiers. Media, tasks, uploads and nodes carry UUIDs of version 7 (RFC 9562 §5.7),
// which sort by the time they were made; units are numbered by the store.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace durascribe {

template <typename Tag>
struct TextId {
    std::string value;
    auto operator<=>(const TextId&) const = default;
};

using MediaId = TextId<struct MediaTag>;
using TaskId = TextId<struct TaskTag>;
using BatchId = TextId<struct BatchTag>;
using UploadId = TextId<struct UploadTag>;
using NodeId = TextId<struct NodeTag>;  // one run of one server process

struct UnitId {
    std::int64_t value = 0;
    auto operator<=>(const UnitId&) const = default;
};

// A fresh UUIDv7 in its 36-character lower-case text form. Thread-safe.
std::string new_uuid();

template <typename Id>
Id new_id() {
    return Id{new_uuid()};
}

// Whether `text` has the shape of a UUID (any version, lower or upper case).
bool is_uuid(std::string_view text);

}  // namespace durascribe

template <typename Tag>
struct std::hash<durascribe::TextId<Tag>> {
    std::size_t operator()(const durascribe::TextId<Tag>& id) const noexcept {
        return std::hash<std::string>{}(id.value);
    }
};
template <>
struct std::hash<durascribe::UnitId> {
    std::size_t operator()(const durascribe::UnitId& id) const noexcept {
        return std::hash<std::int64_t>{}(id.value);
    }
};
