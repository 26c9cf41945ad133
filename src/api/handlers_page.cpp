// The page: files that the program carries, already compressed.
#include <algorithm>
#include <string>

#include <fmt/format.h>

#include "durascribe/api/handlers.h"
#include "durascribe/api/negotiation.h"
#include "durascribe/api/page.h"

namespace durascribe::api {
namespace {

constexpr std::string_view kStartPage = R"(<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>durascribe</title></head>
<body>
<h1>durascribe</h1>
<p>This server turns audio and video into transcripts and subtitles. It was built without its page:
install Node.js (18 or later) and npm, and build it again.</p>
<p>Send it a file: <code>curl -F file=@talk.mp4 http://127.0.0.1:8000/api/v1/media</code></p>
<ul>
<li><a href="/api/v1/media">/api/v1/media</a>: what it holds</li>
<li><a href="/api/v1/queue">/api/v1/queue</a>: what runs, and what waits</li>
<li><a href="/health/ready">/health/ready</a>: how it is</li>
</ul>
</body>
</html>
)";

// Scripts, styles, pictures and requests of this very server alone, and nothing inline: text that
// came with a recording can't become code, nor tell anyone else.
constexpr std::string_view kPagePolicy =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "media-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";

Response page_response(const PageFile& file, const Request& request, bool immutable) {
    const std::string accepts = joined_fields(request, "accept-encoding");
    std::string_view body = file.plain;
    std::string_view coding;
    if (!file.brotli.empty() && accepts_coding(accepts, "br")) {
        body = file.brotli;
        coding = "br";
    } else if (!file.gzip.empty() && accepts_coding(accepts, "gzip")) {
        body = file.gzip;
        coding = "gzip";
    }
    const std::string tag = fmt::format("\"{}{}{}\"", file.hash, coding.empty() ? "" : "-", coding);
    Response response;
    response.headers = {
        {"ETag", tag},
        {"Vary", "Accept-Encoding"},
        {"Cache-Control", immutable ? "public, max-age=31536000, immutable" : "no-cache"},
    };
    const std::string* known = request.header("if-none-match");
    if (known != nullptr && (*known == "*" || known->contains(tag))) {
        response.status = 304;
        return response;
    }
    response.headers.emplace_back("Content-Type", file.type);
    if (!coding.empty()) {
        response.headers.emplace_back("Content-Encoding", coding);
    }
    if (!immutable) {
        response.headers.emplace_back("Content-Security-Policy", kPagePolicy);
        response.headers.emplace_back("Referrer-Policy", "no-referrer");
        response.headers.emplace_back("Cross-Origin-Opener-Policy", "same-origin");
    }
    response.body = body;
    return response;
}

const PageFile* find_file(std::string_view path) {
    const auto found = std::ranges::find(page_files(), path, &PageFile::path);
    return found == page_files().end() ? nullptr : &*found;
}

}  // namespace

Result<Response> get_page(const Services&, const Request& request) {
    if (const PageFile* file = find_file("/")) {
        return page_response(*file, request, false);
    }
    Response response;
    response.headers = {{"Content-Type", "text/html; charset=utf-8"},
                        {"Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"},
                        {"Cache-Control", "no-cache"}};
    response.body = kStartPage;
    return response;
}

Result<Response> get_page_asset(const Services&, const Request& request) {
    if (const PageFile* file = find_file(fmt::format("/assets/{}", request.capture("name")))) {
        return page_response(*file, request, true);
    }
    return fail(ErrorClass::request, "not_found",
                "The page has no such file. It may be of another version: load the page again.");
}

}  // namespace durascribe::api
