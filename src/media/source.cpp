#include "durascribe/media/source.h"

#include <fmt/format.h>

#include <utility>
#include <vector>

extern "C" {
#include <libavutil/avstring.h>
}

namespace durascribe::media {
namespace {

// Real containers only. Left out on purpose: hls, dash, concat, imf, sdp and the like, which name
// other files, and everything that turns text or pictures into video.
constexpr const char* kFormats =
    "wav,w64,aiff,au,caf,mp3,aac,loas,ogg,flac,amr,amrnb,amrwb,asf,asf_o,mov,mp4,m4a,3gp,3g2,mj2,"
    "matroska,webm,avi,mpegts,mpeg,flv,live_flv,ac3,eac3,dts,dtshd,truehd,wv,ape,tta,gsm,voc,mxf,"
    "nut,sox,spdif,tak,mpc,mpc8,kux,f4v";

constexpr const char* kDecoders =
    "aac,aac_latm,ac3,eac3,dca,truehd,mlp,alac,als,amrnb,amrwb,ape,flac,gsm,gsm_ms,mp1,mp1float,"
    "mp2,"
    "mp2float,mp3,mp3float,mp3adufloat,mp3on4float,mpc7,mpc8,nellymoser,opus,vorbis,speex,tak,tta,"
    "wavpack,wmav1,wmav2,wmapro,wmalossless,wmavoice,adpcm_ima_qt,adpcm_ima_wav,adpcm_ms,adpcm_swf,"
    "adpcm_yamaha,adpcm_g722,g722,g726,g726le,pcm_alaw,pcm_mulaw,pcm_bluray,pcm_dvd,pcm_f32be,"
    "pcm_f32le,pcm_f64be,pcm_f64le,pcm_s8,pcm_s8_planar,pcm_u8,pcm_s16be,pcm_s16be_planar,"
    "pcm_s16le,pcm_s16le_planar,pcm_u16be,pcm_u16le,pcm_s24be,pcm_s24le,pcm_s24le_planar,pcm_u24be,"
    "pcm_u24le,pcm_s32be,pcm_s32le,pcm_s32le_planar,pcm_u32be,pcm_u32le,s302m";

int refuse_to_open(AVFormatContext*, AVIOContext**, const char*, int, AVDictionary**) {
    return AVERROR(EPERM);
}

bool on_list(const char* name, const char* list) {
    return av_match_list(name, list, ',') > 0;
}

std::string tag(const AVDictionary* tags, const char* key) {
    const AVDictionaryEntry* entry = av_dict_get(tags, key, nullptr, 0);
    return entry == nullptr ? std::string() : std::string(entry->value);
}

std::string track_count(std::size_t n) {
    return n == 1 ? "1 audio track" : fmt::format("{} audio tracks", n);
}

}  // namespace

const char* container_formats() {
    return kFormats;
}

Source::Source(int fd, const LogCapture& log) : log_(log), input_(fd) {}

Result<void> Source::open(std::optional<int> wanted_track) {
    if (auto opened = input_.open(); !opened) {
        return opened;
    }
    if (auto opened = open_container(); !opened) {
        return opened;
    }
    list_tracks();
    if (auto chosen = choose(wanted_track); !chosen) {
        return chosen;
    }
    return find_decoder();
}

// What avformat_open_input() and avformat_find_stream_info() say.
int Source::try_to_open() {
    auto* context = allocated(avformat_alloc_context());
    context->pb = input_.io();
    context->flags |= AVFMT_FLAG_CUSTOM_IO;
    context->io_open = &refuse_to_open;
    // With the decoders on the list alone, avformat_find_stream_info() opens no video decoder.
    context->format_whitelist = allocated(av_strdup(kFormats));
    context->codec_whitelist = allocated(av_strdup(kDecoders));
    context->protocol_whitelist = allocated(av_strdup("none"));
    const int status =
        avformat_open_input(&context, nullptr, nullptr, nullptr);  // frees it on failure
    if (status < 0) {
        return status;
    }
    format_.reset(context);
    return avformat_find_stream_info(format_.get(), nullptr);
}

Result<void> Source::open_container() {
    int status = try_to_open();
    // FFmpeg refuses a whole recording for a broken list of tags behind it.
    if (status < 0 && log_.contains("too short LIST tag")) {
        const auto left_out = input_.leave_out_what_follows_wave_audio();
        if (!left_out) {
            return std::unexpected(left_out.error());
        }
        if (*left_out) {
            status = try_to_open();
        }
    }
    if (input_.read_error() != 0) {
        return std::unexpected(unreadable_media());
    }
    if (status == AVERROR(ENOMEM)) {
        throw std::bad_alloc();
    }
    const auto detail = [&] { return fmt::format("{}: {}", ffmpeg_error(status), log_.text()); };
    if (status < 0 && log_.contains("moov atom not found")) {
        return fail(ErrorClass::input, "truncated",
                    "This file ends before its index: the recording or the copy was cut off. Give "
                    "the complete file, or repair it first.",
                    detail());
    }
    if (status < 0 || format_->nb_streams == 0) {
        return fail(ErrorClass::input, "not_media",
                    "This file is not an audio or video recording in a format that can be read. "
                    "Check that it plays, or convert it to WAV, MP3 or MP4.",
                    detail());
    }
    return {};
}

void Source::list_tracks() {
    info_.container = format_->iformat->name;
    for (unsigned i = 0; i < format_->nb_streams; ++i) {
        const AVStream& s = *format_->streams[i];
        const AVCodecParameters& codec = *s.codecpar;
        if (codec.codec_type == AVMEDIA_TYPE_VIDEO &&
            (s.disposition & AV_DISPOSITION_ATTACHED_PIC) == 0) {
            info_.has_video = true;
        }
        if (codec.codec_type == AVMEDIA_TYPE_AUDIO) {
            info_.audio_tracks.push_back({
                .index = static_cast<int>(info_.audio_tracks.size()),
                .codec = avcodec_get_name(codec.codec_id),
                .language = tag(s.metadata, "language"),
                .title = tag(s.metadata, "title"),
                .channels = codec.ch_layout.nb_channels,
                .sample_rate_hz = codec.sample_rate,
                .is_default = (s.disposition & AV_DISPOSITION_DEFAULT) != 0,
            });
        }
    }
}

Result<void> Source::choose(std::optional<int> wanted_track) {
    std::vector<AVStream*> audio;
    for (unsigned i = 0; i < format_->nb_streams; ++i) {
        AVStream* s = format_->streams[i];
        s->discard = AVDISCARD_ALL;
        if (s->codecpar->codec_type == AVMEDIA_TYPE_AUDIO) {
            audio.push_back(s);
        }
    }
    if (audio.empty()) {
        return fail(ErrorClass::input, "no_audio",
                    "This file has no audio track, so there is nothing to transcribe.",
                    fmt::format("{}: {} streams", info_.container, format_->nb_streams));
    }
    if (wanted_track &&
        (*wanted_track < 0 || std::cmp_greater_equal(*wanted_track, audio.size()))) {
        return fail(ErrorClass::input, "no_such_audio_track",
                    fmt::format("There is no audio track {}: this file has {}, counted from 0: {}. "
                                "Choose one of them, or auto for the file's default.",
                                *wanted_track, track_count(audio.size()),
                                domain::describe_tracks(info_.audio_tracks)));
    }
    std::size_t chosen = 0;
    if (wanted_track) {
        chosen = static_cast<std::size_t>(*wanted_track);
    } else {
        // The one flagged as default; without a flag, the one with most channels and bits.
        const int best = av_find_best_stream(format_.get(), AVMEDIA_TYPE_AUDIO, -1, -1, nullptr, 0);
        for (std::size_t i = audio.size(); i-- > 0;) {
            if (audio[i]->index == best) {
                chosen = i;
            }
        }
        for (std::size_t i = audio.size(); i-- > 0;) {
            if ((audio[i]->disposition & AV_DISPOSITION_DEFAULT) != 0) {
                chosen = i;
            }
        }
    }
    stream_ = audio[chosen];
    stream_->discard = AVDISCARD_DEFAULT;
    info_.chosen_track = static_cast<int>(chosen);
    return {};
}

Result<void> Source::find_decoder() {
    const AVCodecID id = stream_->codecpar->codec_id;
    decoder_ = avcodec_find_decoder(id);
    if (decoder_ != nullptr && !on_list(decoder_->name, kDecoders)) {
        decoder_ = nullptr;
        void* place = nullptr;
        while (const AVCodec* other = av_codec_iterate(&place)) {
            if (other->id == id && av_codec_is_decoder(other) != 0 &&
                on_list(other->name, kDecoders)) {
                decoder_ = other;
                break;
            }
        }
    }
    if (decoder_ != nullptr) {
        return {};
    }
    char fourcc[AV_FOURCC_MAX_STRING_SIZE] = {};
    av_fourcc_make_string(fourcc, stream_->codecpar->codec_tag);
    const std::string name = id == AV_CODEC_ID_NONE ? fmt::format("unknown (tag {})", fourcc)
                                                    : std::string(avcodec_get_name(id));
    return fail(ErrorClass::input, "unsupported_codec",
                fmt::format("The audio codec of track {} is not supported: {}. {}",
                            info_.chosen_track, name,
                            info_.audio_tracks.size() > 1
                                ? "Choose another track, or convert the file to MP3 or AAC."
                                : "Convert the file to MP3 or AAC."),
                fmt::format("container {}, tag {}", info_.container, fourcc));
}

std::int64_t Source::zero_us() const {
    const std::int64_t start = format_->start_time;  // of the earliest stream
    if (start == AV_NOPTS_VALUE) {
        return 0;
    }
    // These have a presentation timeline that starts at 0, and players show what comes before the
    // first sample. A start far from 0 is a recording of a live stream: its clock means nothing.
    constexpr std::int64_t kLatestStartUs = 10'000'000;
    const bool from_zero = on_list(info_.container.c_str(), "mov,matroska,flv,asf");
    return from_zero && start >= 0 && start <= kLatestStartUs ? 0 : start;
}

bool Source::has_real_timestamps() const {
    return on_list(info_.container.c_str(), "mov,matroska,flv,asf,mpegts,mpeg,ogg");
}

std::optional<Millis> Source::promised() const {
    const AVRational us{1, AV_TIME_BASE};
    if (info_.container == "wav" && stream_->codecpar->bit_rate > 0) {
        const auto bytes = input_.wave_bytes();
        if (bytes && bytes->promised > bytes->present) {
            return Millis(av_rescale(bytes->promised, 8000, stream_->codecpar->bit_rate));
        }
    }
    if (format_->duration_estimation_method == AVFMT_DURATION_FROM_BITRATE) {
        return std::nullopt;
    }
    if (stream_->duration != AV_NOPTS_VALUE && stream_->duration > 0) {
        std::int64_t end = av_rescale_q(stream_->duration, stream_->time_base, us);
        if (has_real_timestamps() && stream_->start_time != AV_NOPTS_VALUE) {
            end += av_rescale_q(stream_->start_time, stream_->time_base, us) - zero_us();
        }
        return Millis(end / 1000);
    }
    // The length of the whole says nothing of the audio where there is video beside it.
    if (format_->duration != AV_NOPTS_VALUE && format_->duration > 0 && !info_.has_video &&
        info_.audio_tracks.size() == 1) {
        return Millis(format_->duration / 1000);
    }
    return std::nullopt;
}

std::optional<Millis> Source::expected() const {
    if (info_.container == "wav" && stream_->codecpar->bit_rate > 0) {
        const auto bytes = input_.wave_bytes();
        if (bytes && bytes->promised > bytes->present) {  // cut off, or written into a pipe
            return Millis(av_rescale(bytes->present, 8000, stream_->codecpar->bit_rate));
        }
    }
    if (const auto length = promised()) {
        return length;
    }
    if (format_->duration != AV_NOPTS_VALUE && format_->duration > 0) {
        return Millis(format_->duration / 1000);
    }
    return std::nullopt;
}

}  // namespace durascribe::media
