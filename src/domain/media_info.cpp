#include "durascribe/domain/media_info.h"

#include <fmt/format.h>

namespace durascribe::domain {

std::string describe_tracks(const std::vector<AudioTrack>& tracks) {
    constexpr std::size_t kShown = 10;
    std::string list;
    for (std::size_t i = 0; i < tracks.size() && i < kShown; ++i) {
        const AudioTrack& track = tracks[i];
        list += fmt::format("{}{} ({}", list.empty() ? "" : ", ", track.index, track.codec);
        for (const std::string& more : {track.language, track.title}) {
            list += more.empty() ? "" : ", " + more;
        }
        list += ")";
    }
    return tracks.size() > kShown ? list + ", …" : list;
}

bool is_picture(const Poster& poster) {
    if (poster.mime_type == "image/jpeg") {
        return poster.bytes.starts_with("\xFF\xD8\xFF");
    }
    return poster.mime_type == "image/png" && poster.bytes.starts_with("\x89PNG\r\n\x1A\n");
}

}  // namespace durascribe::domain
