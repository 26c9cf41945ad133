// The page at `/`, as files in the program. They are made from web/ when Node.js is there at build
// time (web/page.cmake); without it there are none.
#pragma once

#include <span>
#include <string_view>

namespace durascribe::api {

struct PageFile {
    std::string_view path;  // "/" is the document; the others are "/assets/NAME"
    std::string_view type;  // Content-Type
    std::string_view hash;  // of the bytes: becomes the ETag
    std::string_view plain;
    std::string_view gzip;  // both empty where compression gains nothing
    std::string_view brotli;
};

// Empty: this program was built without the page.
std::span<const PageFile> page_files();

}  // namespace durascribe::api
