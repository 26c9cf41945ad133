// A picture that stands for the media. Never needed: whatever goes wrong, there is none.
#pragma once

#include <optional>

#include "durascribe/domain/media_info.h"

namespace durascribe::media {

// The picture attached to the media (a cover), as it is there, where it is a JPEG or PNG of at most
// 512 KiB, and made smaller where it is a larger one; else a frame of the video, from a tenth of
// its length or the tenth second, whichever comes first, turned as the video says it is to be
// shown. What is made here is a JPEG at most 640 pixels wide or high. Reads `source_fd` by pread;
// decodes one key frame with one thread, gives up after five seconds. May throw std::bad_alloc.
std::optional<domain::Poster> find_poster(int source_fd);

}  // namespace durascribe::media
