// What one pass over a media tells of it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "durascribe/domain/audio_span.h"

namespace durascribe::domain {

struct AudioTrack {
    int index = 0;  // among the audio streams, from 0: what a user asks for
    std::string codec;
    std::string language;  // as tagged, perhaps empty
    std::string title;
    int channels = 0;
    int sample_rate_hz = 0;
    bool is_default = false;
};

// "0 (aac, eng), 1 (ac3, fre, Commentary)": for a person who has to choose; at most ten.
std::string describe_tracks(const std::vector<AudioTrack>& tracks);

struct MediaInfo {
    std::string container;  // FFmpeg's format name, e.g. "matroska,webm"
    Millis duration{0};     // of the decoded audio, not the header's promise
    bool has_video = false;
    std::vector<AudioTrack> audio_tracks;
    int chosen_track = 0;
    double loudness_lufs = -70.0;       // integrated, EBU R 128; -70 is silence
    double peak_dbfs = -120.0;          // of samples, not true peak
    std::vector<std::string> warnings;  // for people: "The file ends early: …"
};

// Stretches at or above the minimum length in which nothing is louder than the threshold.
using Silences = std::vector<AudioSpan>;

// One (min, max) pair of int8 for each bucket of `bucket` length, interleaved: the shape that
// wavesurfer and audiowaveform read.
struct WaveformPeaks {
    Millis bucket{100};
    std::vector<std::int8_t> min_max;
};

// One picture that stands for the media: a frame of its video, or the picture attached to it.
struct Poster {
    std::string mime_type;  // "image/jpeg" or "image/png"
    std::string bytes;
};

// Whether it has one of these types, and begins as that type does.
bool is_picture(const Poster& poster);

}  // namespace durascribe::domain
