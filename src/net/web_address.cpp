#include "durascribe/net/web_address.h"

#include <curl/curl.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <memory>

#include <fmt/format.h>

namespace durascribe::net {
namespace {

using Handle = std::unique_ptr<CURLU, decltype(&curl_url_cleanup)>;

std::unexpected<Error> bad_url(std::string_view why) {
    return fail(ErrorClass::input, "bad_url", fmt::format("The address is not usable: {}.", why));
}

std::optional<std::string> part(const Handle& url, CURLUPart which, unsigned flags = 0) {
    char* text = nullptr;
    if (curl_url_get(url.get(), which, &text, flags) != CURLUE_OK) {
        return std::nullopt;
    }
    std::string out(text);
    curl_free(text);
    return out;
}

bool is_name(std::string_view host) {
    if (host.empty() || host.size() > 253 || host.front() == '-' || host.front() == '.' ||
        host.back() == '.') {
        return false;
    }
    return std::ranges::all_of(host, [](unsigned char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_';
    });
}

// What would be read as an IPv4 address in one of its other forms: its last label is a number
// (WHATWG URL, "ends in a number").
bool ends_in_number(std::string_view host) {
    if (host.ends_with('.')) {
        host.remove_suffix(1);
    }
    const auto dot = host.rfind('.');
    const std::string_view last = dot == std::string_view::npos ? host : host.substr(dot + 1);
    if (last.empty()) {
        return false;
    }
    const auto digit = [](unsigned char c) { return std::isdigit(c) != 0; };
    const auto hex = [](unsigned char c) { return std::isxdigit(c) != 0; };
    return std::ranges::all_of(last, digit) ||
           (last.starts_with("0x") && std::ranges::all_of(last.substr(2), hex));
}

// The host as it was written: libcurl has normalised its own copy.
std::string_view host_as_written(std::string_view text) {
    const auto begin = text.find("://");
    if (begin == std::string_view::npos) {
        return {};
    }
    text.remove_prefix(begin + 3);
    return text.substr(0, text.find_first_of(":/?#"));
}

Result<WebAddress> read(const Handle& url, std::string_view written) {
    WebAddress out;
    out.scheme = part(url, CURLUPART_SCHEME).value_or("");
    if (out.scheme != "http" && out.scheme != "https") {
        return bad_url("it must begin with http:// or https://");
    }
    if (part(url, CURLUPART_USER) || part(url, CURLUPART_PASSWORD)) {
        return bad_url("a user name or password in it is not taken");
    }
    out.host = part(url, CURLUPART_HOST).value_or("");
    std::ranges::transform(out.host, out.host.begin(), [](unsigned char c) {
        return static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
    });
    if (out.host.starts_with('[') && out.host.ends_with(']')) {
        out.literal = IpAddress::parse(std::string_view(out.host).substr(1, out.host.size() - 2));
        if (!out.literal || part(url, CURLUPART_ZONEID)) {
            return bad_url("its host is no IPv6 address");
        }
        out.host = out.host.substr(1, out.host.size() - 2);
    } else {
        out.literal = IpAddress::parse(out.host);
        const std::string_view raw = host_as_written(written);
        const bool other_form =
            out.literal ? raw != out.host && !written.empty() : ends_in_number(out.host);
        if (other_form) {
            return bad_url("an IPv4 address is written as four decimal numbers, such as 192.0.2.1");
        }
        if (!out.literal && !is_name(out.host)) {
            return bad_url(
                "its host is no name of ASCII letters, digits and hyphens (write an international "
                "name in its xn-- form)");
        }
    }
    const auto port = part(url, CURLUPART_PORT, CURLU_DEFAULT_PORT).value_or("");
    const auto [end, problem] = std::from_chars(port.data(), port.data() + port.size(), out.port);
    if (problem != std::errc{} || end != port.data() + port.size() || out.port == 0) {
        return bad_url("its port is no number from 1 to 65535");
    }
    out.path = part(url, CURLUPART_PATH).value_or("/");
    curl_url_set(url.get(), CURLUPART_FRAGMENT, nullptr, 0);
    out.text = part(url, CURLUPART_URL).value_or("");
    if (out.text.empty() || out.text.size() > kWebAddressMax) {
        return bad_url(fmt::format("it is longer than {} bytes", kWebAddressMax));
    }
    return out;
}

bool clean(std::string_view text) {
    return !text.empty() && text.size() <= kWebAddressMax &&
           std::ranges::all_of(text, [](unsigned char c) { return c > ' ' && c != 0x7f; });
}

constexpr unsigned kFlags = CURLU_URLENCODE;

}  // namespace

Result<WebAddress> WebAddress::parse(std::string_view text) {
    if (!clean(text)) {
        return bad_url(fmt::format(
            "it is empty, longer than {} bytes, or has spaces or control characters in it",
            kWebAddressMax));
    }
    const Handle url(curl_url(), &curl_url_cleanup);
    DURASCRIBE_ASSERT(url != nullptr);
    if (const auto set = curl_url_set(url.get(), CURLUPART_URL, std::string(text).c_str(), kFlags);
        set != CURLUE_OK) {
        return bad_url(set == CURLUE_UNSUPPORTED_SCHEME
                           ? "it must begin with http:// or https://"
                           : "it is no http or https address with a host");
    }
    return read(url, text);
}

Result<WebAddress> WebAddress::resolve(std::string_view reference) const {
    std::string cleaned(reference);
    // Redirects of old servers have spaces in them.
    for (std::size_t at = cleaned.find(' '); at != std::string::npos; at = cleaned.find(' ', at)) {
        cleaned.replace(at, 1, "%20");
    }
    if (!clean(cleaned)) {
        return bad_url("the redirect leads to no address");
    }
    const Handle url(curl_url(), &curl_url_cleanup);
    DURASCRIBE_ASSERT(url != nullptr);
    if (curl_url_set(url.get(), CURLUPART_URL, text.c_str(), kFlags) != CURLUE_OK ||
        curl_url_set(url.get(), CURLUPART_URL, cleaned.c_str(), kFlags) != CURLUE_OK) {
        return bad_url("the redirect leads to no http or https address");
    }
    // A relative one keeps the host, which was checked when it was written. An address in its query
    // does not make it absolute.
    const auto scheme_end = cleaned.find_first_of(":/?#");
    const bool absolute =
        scheme_end != std::string::npos && cleaned.compare(scheme_end, 3, "://") == 0;
    const std::string written = absolute                    ? cleaned
                                : cleaned.starts_with("//") ? scheme + ":" + cleaned
                                                            : text;
    return read(url, written);
}

std::string WebAddress::file_name() const {
    const auto slash = path.rfind('/');
    const std::string last = slash == std::string::npos ? path : path.substr(slash + 1);
    int length = 0;
    char* decoded =
        curl_easy_unescape(nullptr, last.data(), static_cast<int>(last.size()), &length);
    if (decoded == nullptr) {
        return {};
    }
    std::string out(decoded, static_cast<std::size_t>(length));
    curl_free(decoded);
    return out;
}

}  // namespace durascribe::net
