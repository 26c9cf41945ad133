#include "durascribe/media/poster.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <span>

extern "C" {
#include <libavutil/avstring.h>
#include <libavutil/imgutils.h>
#include <libswscale/swscale.h>
}

#include "durascribe/media/fd_input.h"
#include "durascribe/media/handles.h"
#include "durascribe/media/source.h"

namespace durascribe::media {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kBytesMax = 512 << 10;
constexpr int kSideMax = 640;
constexpr std::int64_t kPixelsMax = 8192LL * 8192;
constexpr int kPacketsMax = 3'000;
constexpr std::chrono::seconds kPatience{5};
constexpr std::int64_t kLatestUs = 10'000'000;
// What recordings are made of; the rest of FFmpeg's decoders is not offered to hostile bytes.
constexpr const char* kDecoders =
    "h264,hevc,vp8,vp9,av1,libdav1d,mpeg1video,mpeg2video,mpeg4,msmpeg4v2,msmpeg4,h263,mjpeg,"
    "theora,"
    "wmv1,wmv2,wmv3,vc1,flv,prores,dvvideo,png";  // png: pictures that are attached

struct FreeScaler {
    void operator()(SwsContext* p) const { sws_freeContext(p); }
};

int refuse_to_open(AVFormatContext*, AVIOContext**, const char*, int, AVDictionary**) {
    return AVERROR(EPERM);
}

FormatPtr open_container(FdInput& input) {
    auto* context = allocated(avformat_alloc_context());
    context->pb = input.io();
    context->flags |= AVFMT_FLAG_CUSTOM_IO;
    context->io_open = &refuse_to_open;
    context->format_whitelist = allocated(av_strdup(container_formats()));
    context->codec_whitelist = allocated(av_strdup(kDecoders));
    context->protocol_whitelist = allocated(av_strdup("none"));
    if (avformat_open_input(&context, nullptr, nullptr, nullptr) < 0) {  // frees it on failure
        return nullptr;
    }
    FormatPtr format(context);
    return avformat_find_stream_info(format.get(), nullptr) < 0 ? nullptr : std::move(format);
}

bool is_attached(const AVStream& stream) {
    return (stream.disposition & AV_DISPOSITION_ATTACHED_PIC) != 0;
}

AVStream* video_of(const AVFormatContext& format) {
    for (AVStream* stream : std::span(format.streams, format.nb_streams)) {
        const AVCodecParameters& codec = *stream->codecpar;
        if (codec.codec_type == AVMEDIA_TYPE_VIDEO && !is_attached(*stream) && codec.width > 0 &&
            codec.height > 0 && std::int64_t{codec.width} * codec.height <= kPixelsMax) {
            return stream;
        }
    }
    return nullptr;
}

CodecPtr open_decoder(const AVStream& stream) {
    const AVCodec* decoder = avcodec_find_decoder(stream.codecpar->codec_id);
    if (decoder == nullptr || av_match_list(decoder->name, kDecoders, ',') == 0) {
        return nullptr;
    }
    CodecPtr codec(allocated(avcodec_alloc_context3(decoder)));
    codec->thread_count = 1;
    codec->max_pixels = kPixelsMax;
    codec->skip_frame = AVDISCARD_NONKEY;
    codec->codec_whitelist = allocated(av_strdup(kDecoders));
    const bool opened = avcodec_parameters_to_context(codec.get(), stream.codecpar) >= 0 &&
                        avcodec_open2(codec.get(), decoder, nullptr) >= 0;
    return opened ? std::move(codec) : nullptr;
}

void seek_into(AVFormatContext& format, const AVStream& stream) {
    const std::int64_t length = format.duration;
    if (length == AV_NOPTS_VALUE || length <= 0) {
        return;
    }
    const std::int64_t start = format.start_time == AV_NOPTS_VALUE ? 0 : format.start_time;
    const std::int64_t at = start + std::min(length / 10, kLatestUs);
    // Where it fails, the first frame will do.
    (void)av_seek_frame(&format, stream.index,
                        av_rescale_q(at, AVRational{1, AV_TIME_BASE}, stream.time_base),
                        AVSEEK_FLAG_BACKWARD);
}

FramePtr decode_one(AVFormatContext& format, const AVStream& stream, AVCodecContext& codec) {
    const auto until = Clock::now() + kPatience;
    PacketPtr packet(allocated(av_packet_alloc()));
    FramePtr frame(allocated(av_frame_alloc()));
    for (int read = 0; read < kPacketsMax && Clock::now() < until; ++read) {
        const bool ended = av_read_frame(&format, packet.get()) < 0;
        const bool wanted = ended || packet->stream_index == stream.index;
        if (wanted && avcodec_send_packet(&codec, ended ? nullptr : packet.get()) >= 0 &&
            avcodec_receive_frame(&codec, frame.get()) >= 0) {
            return frame;
        }
        av_packet_unref(packet.get());
        if (ended) {
            break;
        }
    }
    return nullptr;
}

// How a picture is to be turned to stand as it was taken: by quarters, and mirrored perhaps.
struct Turn {
    bool swapped = false;  // rows become columns
    bool from_right = false;
    bool from_bottom = false;
    bool none() const { return !swapped && !from_right && !from_bottom; }
};

// Of the matrix that comes with a video (libavutil/display.h): x' = ax + cy, y' = bx + dy. What is
// no quarter stays as it is.
Turn turn_of(const AVStream& stream) {
    std::size_t size = 0;
    const auto* bytes = av_stream_get_side_data(&stream, AV_PKT_DATA_DISPLAYMATRIX, &size);
    std::array<std::int32_t, 9> matrix{};
    if (bytes == nullptr || size < sizeof matrix) {
        return {};
    }
    std::memcpy(matrix.data(), bytes, sizeof matrix);
    const std::int32_t a = matrix[0], b = matrix[1], c = matrix[3], d = matrix[4];
    if (b == 0 && c == 0 && a != 0 && d != 0) {
        return {.swapped = false, .from_right = a < 0, .from_bottom = d < 0};
    }
    if (a == 0 && d == 0 && b != 0 && c != 0) {
        return {.swapped = true, .from_right = b < 0, .from_bottom = c < 0};
    }
    return {};
}

void turn_plane(const std::uint8_t* from, int from_line, int width, int height, std::uint8_t* to,
                int to_line, const Turn& turn) {
    for (int y = 0; y < height; ++y) {
        for (int x = 0; x < width; ++x) {
            const int column = turn.from_right ? width - 1 - x : x;
            const int row = turn.from_bottom ? height - 1 - y : y;
            const auto at = turn.swapped ? std::ptrdiff_t{column} * to_line + row
                                         : std::ptrdiff_t{row} * to_line + column;
            to[at] = from[std::ptrdiff_t{y} * from_line + x];
        }
    }
}

// Of a picture with even sides in planes of 4:2:0.
FramePtr turned(FramePtr frame, const Turn& turn) {
    if (!frame || turn.none()) {
        return frame;
    }
    FramePtr out(allocated(av_frame_alloc()));
    out->format = frame->format;
    out->width = turn.swapped ? frame->height : frame->width;
    out->height = turn.swapped ? frame->width : frame->height;
    out->color_range = frame->color_range;
    if (av_frame_get_buffer(out.get(), 0) < 0) {
        return nullptr;
    }
    for (int plane = 0; plane < 3; ++plane) {
        const int by = plane == 0 ? 1 : 2;
        turn_plane(frame->data[plane], frame->linesize[plane], frame->width / by,
                   frame->height / by, out->data[plane], out->linesize[plane], turn);
    }
    return out;
}

FramePtr scaled(const AVFrame& frame) {
    const double side = std::max(frame.width, frame.height);
    const double by = std::min(1.0, kSideMax / side);
    const auto even = [by](int length) {
        return std::max(2, static_cast<int>(length * by) / 2 * 2);
    };
    FramePtr small(allocated(av_frame_alloc()));
    small->format = AV_PIX_FMT_YUVJ420P;
    small->width = even(frame.width);
    small->height = even(frame.height);
    small->color_range = AVCOL_RANGE_JPEG;
    const std::unique_ptr<SwsContext, FreeScaler> scaler(sws_getContext(
        frame.width, frame.height, static_cast<AVPixelFormat>(frame.format), small->width,
        small->height, AV_PIX_FMT_YUVJ420P, SWS_AREA, nullptr, nullptr, nullptr));
    if (!scaler || av_frame_get_buffer(small.get(), 0) < 0) {
        return nullptr;
    }
    const int lines = sws_scale(scaler.get(), frame.data, frame.linesize, 0, frame.height,
                                small->data, small->linesize);
    return lines == small->height ? std::move(small) : nullptr;
}

std::optional<domain::Poster> as_jpeg(const AVFrame& frame) {
    const AVCodec* encoder = avcodec_find_encoder(AV_CODEC_ID_MJPEG);
    if (encoder == nullptr) {
        return std::nullopt;
    }
    CodecPtr codec(allocated(avcodec_alloc_context3(encoder)));
    codec->width = frame.width;
    codec->height = frame.height;
    codec->pix_fmt = AV_PIX_FMT_YUVJ420P;
    codec->color_range = AVCOL_RANGE_JPEG;
    codec->time_base = {1, 1};
    codec->thread_count = 1;
    codec->flags |= AV_CODEC_FLAG_QSCALE;
    codec->global_quality = FF_QP2LAMBDA * 5;
    PacketPtr packet(allocated(av_packet_alloc()));
    if (avcodec_open2(codec.get(), encoder, nullptr) < 0 ||
        avcodec_send_frame(codec.get(), &frame) < 0 ||
        avcodec_receive_packet(codec.get(), packet.get()) < 0 ||
        static_cast<std::size_t>(packet->size) > kBytesMax) {
        return std::nullopt;
    }
    return domain::Poster{"image/jpeg", std::string(reinterpret_cast<const char*>(packet->data),
                                                    static_cast<std::size_t>(packet->size))};
}

// The picture itself, or a smaller one of it where it is larger than a poster may be.
std::optional<domain::Poster> attached_picture(const AVFormatContext& format) {
    for (const AVStream* stream : std::span(format.streams, format.nb_streams)) {
        const AVPacket& packet = stream->attached_pic;
        if (!is_attached(*stream) || packet.size <= 0) {
            continue;
        }
        if (static_cast<std::size_t>(packet.size) > kBytesMax) {
            const CodecPtr codec = open_decoder(*stream);
            const FramePtr frame(allocated(av_frame_alloc()));
            if (codec && avcodec_send_packet(codec.get(), &packet) >= 0 &&
                avcodec_send_packet(codec.get(), nullptr) >= 0 &&
                avcodec_receive_frame(codec.get(), frame.get()) >= 0) {
                const FramePtr small = scaled(*frame);
                if (auto poster = small ? as_jpeg(*small) : std::nullopt) {
                    return poster;
                }
            }
            continue;
        }
        for (const char* type : {"image/jpeg", "image/png"}) {
            domain::Poster poster{type, std::string(reinterpret_cast<const char*>(packet.data),
                                                    static_cast<std::size_t>(packet.size))};
            if (domain::is_picture(poster)) {
                return poster;
            }
        }
    }
    return std::nullopt;
}

}  // namespace

std::optional<domain::Poster> find_poster(int source_fd) {
    FdInput input(source_fd);
    if (!input.open()) {
        return std::nullopt;
    }
    const FormatPtr format = open_container(input);
    if (!format) {
        return std::nullopt;
    }
    if (auto picture = attached_picture(*format)) {
        return picture;
    }
    AVStream* stream = video_of(*format);
    const CodecPtr codec = stream != nullptr ? open_decoder(*stream) : nullptr;
    if (!codec) {
        return std::nullopt;
    }
    seek_into(*format, *stream);
    const FramePtr frame = decode_one(*format, *stream, *codec);
    const FramePtr small = frame ? turned(scaled(*frame), turn_of(*stream)) : nullptr;
    return small ? as_jpeg(*small) : std::nullopt;
}

}  // namespace durascribe::media
