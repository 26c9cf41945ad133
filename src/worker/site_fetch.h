// What yt-dlp finds at the address of a page, as it comes. It runs in a room of its own
// (site_program.h), and every connection it makes goes through a checking proxy of ours.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "durascribe/base/error.h"
#include "durascribe/base/time.h"
#include "durascribe/net/address_policy.h"
#include "durascribe/net/resolver.h"
#include "durascribe/worker/site_program.h"

namespace durascribe::worker {

struct SiteJob {
    std::string url;
    std::int64_t limit_bytes = 0;  // 0: none
    Millis timeout{0};             // of all of it; 0: none
    Millis stall{0};               // without a byte on any connection; 0: none
};

// Each error ends the run with it.
struct SiteSink {
    std::function<Result<void>(const std::string& filename)> begin;  // before the first byte
    std::function<Result<void>(std::string_view bytes)> body;
    std::function<void(std::int64_t bytes)> progress;  // that any connection has carried
};

// One audio track, or a video, of one page; a playlist's first. nullopt: all of it came. Errors:
// input "address_refused", "site_refused", "too_large", "no_media_found"; network
// "site_unreachable", "timed_out"; what the sink says.
std::optional<Error> fetch_from_site(SiteProgram& program, net::Resolver& resolver,
                                     const net::AddressPolicy& policy, const SiteJob& job,
                                     const SiteSink& sink);

// How the end of the program is to be understood: `last_error` is its last line that begins with
// "ERROR:". Pure.
Error site_error(std::string_view host, std::string_view last_error);

}  // namespace durascribe::worker
