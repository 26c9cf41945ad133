#include "durascribe/api/tus.h"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <span>
#include <vector>

#include <fmt/format.h>

#include "durascribe/api/header_values.h"
#include "durascribe/api/names.h"
#include "durascribe/api/problem.h"

namespace durascribe::api {
namespace {

std::string_view trimmed(std::string_view text) {
    const std::size_t first = text.find_first_not_of(" \t");
    return first == std::string_view::npos
               ? std::string_view{}
               : text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

bool is_metadata_key(std::string_view key) {
    return !key.empty() && std::ranges::all_of(key, [](char c) { return c > 0x20 && c < 0x7F; });
}

Error bad_metadata() {
    return bad_value("Upload-Metadata",
                     "a list of different keys, each followed by a space and its value in Base64, "
                     "with commas between them");
}

}  // namespace

Result<void> check_tus_version(const Request& request) {
    const std::string* version = request.header("tus-resumable");
    if (version != nullptr && *version == kTusVersion) {
        return {};
    }
    return fail(ErrorClass::request, "tus_version",
                fmt::format("This address speaks the upload protocol tus {}. Send Tus-Resumable: "
                            "{}, or send the file to /api/v1/media.",
                            kTusVersion, kTusVersion));
}

Result<void> check_piece_type(const Request& request) {
    const std::string* field = request.header("content-type");
    const auto type = field != nullptr ? parse_parameterized(*field) : std::nullopt;
    const std::string* encoding = request.header("content-encoding");
    if (type && type->value == kPieceType && (encoding == nullptr || *encoding == "identity")) {
        return {};
    }
    return fail(
        ErrorClass::request, "unsupported_content_type",
        fmt::format("Send a piece of an upload as it is, with Content-Type: {}.", kPieceType));
}

Result<std::optional<std::int64_t>> bytes_field(const Request& request, std::string_view name) {
    std::string lower{name};
    std::ranges::transform(lower, lower.begin(), [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    });
    const std::string* text = request.header(lower);
    if (text == nullptr) {
        return std::nullopt;
    }
    std::int64_t value = -1;
    const auto [end, failed] = std::from_chars(text->data(), text->data() + text->size(), value);
    if (failed != std::errc{} || end != text->data() + text->size() || value < 0) {
        return std::unexpected(bad_value(name, "a number of bytes, 0 or more"));
    }
    return value;
}

Result<std::optional<std::int64_t>> announced_length(const Request& request) {
    // Clients that send several parts at once do not look whether that is there: each part would
    // become a media.
    if (request.header("upload-concat") != nullptr) {
        return std::unexpected(bad_value(
            "Upload-Concat", "left out: uploads are not joined here, so send the file as one"));
    }
    const auto length = bytes_field(request, "Upload-Length");
    if (!length) {
        return length;
    }
    const std::string* deferred = request.header("upload-defer-length");
    if (deferred != nullptr && *deferred != "1") {
        return std::unexpected(bad_value("Upload-Defer-Length", "1"));
    }
    if (length->has_value() == (deferred != nullptr)) {
        return std::unexpected(
            bad_value("Upload-Length", "there, or Upload-Defer-Length: 1 in its place"));
    }
    if (*length == 0) {
        return fail(ErrorClass::input, "empty_file",
                    "The upload is empty. Send the bytes of an audio or video file.");
    }
    return length;
}

std::optional<std::string> decode_base64(std::string_view text) {
    const std::size_t end = text.find_last_not_of('=');
    const std::size_t padding = text.size() - (end == std::string_view::npos ? 0 : end + 1);
    constexpr std::string_view kAlphabet =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    if (text.size() % 4 != 0 || padding > 2 ||
        text.substr(0, text.size() - padding).find_first_not_of(kAlphabet) !=
            std::string_view::npos) {
        return std::nullopt;
    }
    std::string out(text.size() / 4 * 3, '\0');
    const int size = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                                     reinterpret_cast<const unsigned char*>(text.data()),
                                     static_cast<int>(text.size()));
    if (size < 0) {
        return std::nullopt;
    }
    out.resize(static_cast<std::size_t>(size) - padding);
    return out;
}

Result<UploadMetadata> parse_metadata(const Request& request) {
    UploadMetadata metadata{.raw = {}, .filename = clean_filename(""), .fields = {}};
    const std::string* field = request.header("upload-metadata");
    if (field == nullptr) {
        return metadata;
    }
    metadata.raw = *field;
    std::vector<std::string_view> seen;
    for (std::string_view rest = *field; !rest.empty();) {
        const std::size_t comma = std::min(rest.find(','), rest.size());
        const std::string_view pair = trimmed(rest.substr(0, comma));
        rest.remove_prefix(std::min(comma + 1, rest.size()));
        const std::size_t space = std::min(pair.find(' '), pair.size());
        const std::string_view key = pair.substr(0, space);
        const auto value = decode_base64(trimmed(pair.substr(space)));
        if (!is_metadata_key(key) || !value || std::ranges::find(seen, key) != seen.end()) {
            return std::unexpected(bad_metadata());
        }
        seen.push_back(key);
        if (key == "filename") {
            metadata.filename = clean_filename(*value);
        } else if (TaskFields::knows(key)) {
            if (auto set = metadata.fields.set(key, *value); !set) {
                return std::unexpected(set.error());
            }
        }
    }
    return metadata;
}

// ---- checksums ----------------------------------------------------------------------------------

void Checksum::Free::operator()(evp_md_ctx_st* context) const {
    EVP_MD_CTX_free(context);
}

Result<std::unique_ptr<Checksum>> Checksum::of(const Request& request) {
    const std::string* field = request.header("upload-checksum");
    if (field == nullptr) {
        return nullptr;
    }
    const std::size_t space = std::min(field->find(' '), field->size());
    const std::string name = field->substr(0, space);
    const EVP_MD* kind = name == "sha1"     ? EVP_sha1()
                         : name == "sha256" ? EVP_sha256()
                         : name == "md5"    ? EVP_md5()
                                            : nullptr;
    const auto wanted = decode_base64(trimmed(std::string_view{*field}.substr(space)));
    if (kind == nullptr || !wanted ||
        wanted->size() != static_cast<std::size_t>(EVP_MD_get_size(kind))) {
        return std::unexpected(
            bad_value("Upload-Checksum",
                      fmt::format("one of {}, a space, and the digest in Base64", kTusChecksums)));
    }
    auto checksum = std::make_unique<Checksum>();
    checksum->wanted_ = *wanted;
    checksum->context_.reset(EVP_MD_CTX_new());
    DURASCRIBE_ASSERT(checksum->context_);
    if (EVP_DigestInit_ex(checksum->context_.get(), kind, nullptr) != 1) {
        // As where policy forbids it (FIPS).
        return std::unexpected(
            bad_value("Upload-Checksum", "an algorithm that this machine allows"));
    }
    return checksum;
}

void Checksum::add(std::string_view bytes) {
    DURASCRIBE_ASSERT(EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()) == 1);
}

bool Checksum::matches() {
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned int size = 0;
    DURASCRIBE_ASSERT(EVP_DigestFinal_ex(context_.get(), digest.data(), &size) == 1);
    return std::ranges::equal(std::span(digest).first(size), wanted_, {}, {},
                              [](char c) { return static_cast<unsigned char>(c); });
}

}  // namespace durascribe::api
