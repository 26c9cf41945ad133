#include "durascribe/api/compression.h"

#include <algorithm>
#include <optional>
#include <string>

#include <zlib.h>

#include "durascribe/base/log.h"

namespace durascribe::api {
namespace {

constexpr int kLevel = 4;  // JSON of a transcript: 4.5 times smaller at a third of level 6's time
constexpr int kGzip = 16;  // deflateInit2's word for gzip's frame in place of zlib's

template <typename AnyResponse>
auto* field_of(AnyResponse& response, std::string_view name) {
    const auto found = std::ranges::find(response.headers, name, &Fields::value_type::first);
    return found == response.headers.end() ? nullptr : &found->second;
}

// nullopt: zlib has no memory.
std::optional<std::string> gzipped(const std::string& bytes) {
    z_stream stream{};
    if (deflateInit2(&stream, kLevel, Z_DEFLATED, MAX_WBITS + kGzip, 8, Z_DEFAULT_STRATEGY) !=
        Z_OK) {
        return std::nullopt;
    }
    std::string packed(deflateBound(&stream, static_cast<uLong>(bytes.size())), '\0');
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));  // zlib only reads
    stream.avail_in = static_cast<uInt>(bytes.size());
    stream.next_out = reinterpret_cast<Bytef*>(packed.data());
    stream.avail_out = static_cast<uInt>(packed.size());
    const bool whole = deflate(&stream, Z_FINISH) == Z_STREAM_END;
    packed.resize(stream.total_out);
    deflateEnd(&stream);
    return whole ? std::optional{std::move(packed)} : std::nullopt;
}

}  // namespace

bool is_worth_packing(const Response& response) {
    const std::string* type = field_of(response, "Content-Type");
    return response.body.size() >= kCompressedFrom && !response.file && !response.stream &&
           !response.later && response.status != 206 && type != nullptr &&
           (type->starts_with("application/json") ||
            type->starts_with("application/problem+json")) &&
           field_of(response, "Content-Encoding") == nullptr &&
           field_of(response, "Vary") == nullptr;
}

void pack(bool takes_gzip, Response& response) {
    response.headers.emplace_back("Vary", "Accept-Encoding");
    if (!takes_gzip) {
        return;
    }
    auto packed = gzipped(response.body);
    if (!packed) {
        log::warning("An answer is sent unpacked: there was no memory for packing it.");
        return;
    }
    response.body = std::move(*packed);
    response.headers.emplace_back("Content-Encoding", "gzip");
    if (std::string* tag = field_of(response, "ETag"); tag != nullptr && tag->ends_with('"')) {
        tag->insert(tag->size() - 1, kPackedTag);
    }
}

std::string version_tag(std::string tag) {
    if (tag.ends_with(kPackedTag)) {
        tag.resize(tag.size() - kPackedTag.size());
    }
    return tag;
}

}  // namespace durascribe::api
