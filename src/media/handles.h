// Owners of FFmpeg's objects. For this folder's .cpp files only.
#pragma once

extern "C" {
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libswresample/swresample.h>
}

#include <memory>
#include <new>
#include <string>

namespace durascribe::media {

struct Free {
    void operator()(AVFormatContext* p) const { avformat_close_input(&p); }
    void operator()(AVCodecContext* p) const { avcodec_free_context(&p); }
    void operator()(AVPacket* p) const { av_packet_free(&p); }
    void operator()(AVFrame* p) const { av_frame_free(&p); }
    void operator()(SwrContext* p) const { swr_free(&p); }
    void operator()(AVIOContext* p) const {
        av_freep(&p->buffer);  // may have been replaced by FFmpeg since it was allocated
        avio_context_free(&p);
    }
};

using FormatPtr = std::unique_ptr<AVFormatContext, Free>;
using CodecPtr = std::unique_ptr<AVCodecContext, Free>;
using PacketPtr = std::unique_ptr<AVPacket, Free>;
using FramePtr = std::unique_ptr<AVFrame, Free>;
using SwrPtr = std::unique_ptr<SwrContext, Free>;
using IoPtr = std::unique_ptr<AVIOContext, Free>;

// FFmpeg's allocators answer null; here that is std::bad_alloc, caught in extract().
template <typename T>
T* allocated(T* p) {
    if (p == nullptr) {
        throw std::bad_alloc();
    }
    return p;
}

// FFmpeg's own words for one of its error numbers.
inline std::string ffmpeg_error(int error) {
    char text[AV_ERROR_MAX_STRING_SIZE] = {};
    av_strerror(error, text, sizeof text);
    return text;
}

}  // namespace durascribe::media
