// Turns a media file into what the recogniser needs: 16 kHz mono PCM, and what one pass over the
// audio tells (tracks, loudness, silences, waveform). Not here: cutting into chunks (domain/), and
// the sandbox this must run in (process/), for the bytes are hostile until proven otherwise.
#pragma once

#include <functional>
#include <optional>

#include "durascribe/base/error.h"
#include "durascribe/domain/media_info.h"

namespace durascribe::media {

inline constexpr int kPcmRateHz = 16'000;

struct ExtractSettings {
    int source_fd = -1;              // a regular file, read with pread: its offset is not moved
    int pcm_fd = -1;                 // empty; written from its offset on; not fsynced
    std::optional<int> audio_track;  // among the audio tracks, from 0; none: the default one
    Millis longest_media{0};         // of decoded audio; 0: kLongestEver
    bool poster = false;             // look for a picture, too (poster.h)
    std::int64_t room_bytes = -1;    // that are free for pcm_fd; -1: not known
};

// What is refused even where no limit was asked for: a few hundred kilobytes of FLAC can hold days.
inline constexpr Millis kLongestEver = std::chrono::hours{100};

struct Extraction {
    domain::MediaInfo info;
    domain::Silences silences;    // at least 200 ms each, at most 100 000 of them
    domain::WaveformPeaks peaks;  // at most 72 000 buckets, longer ones for longer media
    std::optional<domain::Poster> poster;
    // False: what the file says of the audio's length, info.duration, is more than fits the room.
    // Nothing was written.
    bool decoded = true;
};

// Writes the chosen track to `pcm_fd` as signed 16-bit little-endian samples, 16 kHz, mono. Sample
// number n is heard at n/16000 s of the media's own timeline, the one that players show: audio that
// starts after the video, and holes in the timestamps, are filled with silence (README.md).
// Memory does not grow with the length, but for one byte for each 20 ms.
//
// Where the file says how long it is and the room is known, the room is taken up before the first
// sample is decoded, and what was too much is given back at the end.
//
// Calls `on_progress` on the calling thread, at most five times a second and once at the end, with
// the audio written so far. It runs one thread of its own, which has ended when it returns. One
// call at a time in a process, if Error::detail is to hold the lines of this file only.
//
// Errors of class input, by code: empty_file, not_media, truncated (the index is missing),
// no_audio, no_such_audio_track, unsupported_codec, unsupported_audio, no_samples, too_long. Class
// storage where the disk is full or fails; memory where an allocation failed. Damage in the middle
// and an early end are no errors: what decodes is kept, and info.warnings says so. After an error
// the contents of `pcm_fd` mean nothing.
Result<Extraction> extract(const ExtractSettings& settings,
                           const std::function<void(Millis audio_done)>& on_progress);

}  // namespace durascribe::media
