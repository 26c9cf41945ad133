// What the tus 1.0.0 protocol says in header fields (tus.io/protocols/resumable-upload): read and
// checked, without sockets.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "durascribe/api/message.h"
#include "durascribe/api/parameters.h"
#include "durascribe/base/error.h"

struct evp_md_ctx_st;

namespace durascribe::api {

inline constexpr std::string_view kUploadsPath = "/api/v1/uploads";
inline constexpr std::string_view kTusVersion = "1.0.0";
inline constexpr std::string_view kTusExtensions =
    "creation,creation-with-upload,creation-defer-length,termination,checksum,expiration";
inline constexpr std::string_view kTusChecksums = "sha1,sha256,md5";
inline constexpr std::string_view kPieceType = "application/offset+octet-stream";

// Errors: request "tus_version" unless Tus-Resumable is there and is ours.
Result<void> check_tus_version(const Request& request);

// Errors: request "unsupported_content_type" where the body is no piece of an upload.
Result<void> check_piece_type(const Request& request);

// A count of bytes in a header field; nullopt: not there. Errors: request "bad_value".
Result<std::optional<std::int64_t>> bytes_field(const Request& request, std::string_view name);

// Upload-Length, or nullopt with Upload-Defer-Length: 1. Errors: request "bad_value" where neither
// or both are there; "empty_file" for a length of 0.
Result<std::optional<std::int64_t>> announced_length(const Request& request);

// What Upload-Metadata says of the file and of its task. Keys that are not known are left alone, as
// clients send keys of their own.
struct UploadMetadata {
    std::string raw;  // as it came
    std::string filename;
    TaskFields fields;
};
// Errors: request "bad_value".
Result<UploadMetadata> parse_metadata(const Request& request);

// nullopt: malformed. RFC 4648 §4, with padding.
std::optional<std::string> decode_base64(std::string_view text);

// The checksum of a piece, taken as it goes by.
class Checksum {
  public:
    // That of Upload-Checksum; nullptr: not asked for. Errors: request "bad_value".
    static Result<std::unique_ptr<Checksum>> of(const Request& request);

    void add(std::string_view bytes);
    // Ends this object's use.
    bool matches();

  private:
    struct Free {
        void operator()(evp_md_ctx_st* context) const;
    };
    std::unique_ptr<evp_md_ctx_st, Free> context_;
    std::string wanted_;  // the digest's bytes
};

}  // namespace durascribe::api
