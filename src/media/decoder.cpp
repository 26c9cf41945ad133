#include "durascribe/media/decoder.h"

#include <fmt/format.h>

namespace durascribe::media {
namespace {

constexpr int kHopeless = 1000;        // damaged packets before the first sound
constexpr int kReadFailuresMax = 100;  // a demuxer may find its way again after some

std::size_t bytes_of(const AVFrame& frame) {
    const int bytes =
        av_samples_get_buffer_size(nullptr, frame.ch_layout.nb_channels, frame.nb_samples,
                                   static_cast<AVSampleFormat>(frame.format), 1);
    return bytes > 0 ? static_cast<std::size_t>(bytes) : 0;
}

}  // namespace

Decoder::Decoder(Source& source) : source_(source), packet_(allocated(av_packet_alloc())) {}

Result<void> Decoder::open() {
    codec_.reset(allocated(avcodec_alloc_context3(source_.decoder())));
    const AVStream& stream = *source_.stream();
    int status = avcodec_parameters_to_context(codec_.get(), stream.codecpar);
    if (status >= 0) {
        codec_->pkt_timebase = stream.time_base;  // or skipped priming would not move timestamps
        codec_->thread_count = 1;
        status = avcodec_open2(codec_.get(), source_.decoder(), nullptr);
    }
    if (status == AVERROR(ENOMEM)) {
        throw std::bad_alloc();
    }
    if (status < 0) {
        return fail(ErrorClass::input, "unsupported_codec",
                    fmt::format("The {} audio in this file is of a kind that is not supported, or "
                                "its header is damaged. Convert the file to MP3 or AAC.",
                                source_.decoder()->name),
                    ffmpeg_error(status));
    }
    return {};
}

Result<FrameBatch> Decoder::next() {
    FrameBatch batch;
    batch.frames.reserve(FrameBatch::kFramesMax);
    std::size_t bytes = 0;
    while (!ended_ && batch.frames.size() < FrameBatch::kFramesMax &&
           bytes < FrameBatch::kBytesMax) {
        if (receive(batch, bytes) || ended_) {
            continue;
        }
        const auto more = read_packet();
        if (!more) {
            return std::unexpected(more.error());
        }
        const int status = avcodec_send_packet(codec_.get(), *more ? packet_.get() : nullptr);
        av_packet_unref(packet_.get());
        draining_ = !*more;
        if (status == AVERROR(ENOMEM)) {
            throw std::bad_alloc();
        }
        if (status < 0 && status != AVERROR_EOF) {
            damaged();
        }
        if (damaged_ >= kHopeless && !anything_decoded_) {
            return fail(ErrorClass::input, "no_samples",
                        "The audio in this file is damaged: nothing of it could be decoded. Check "
                        "that it plays, or make the file again.",
                        fmt::format("{} packets refused by {}", damaged_, source_.decoder()->name));
        }
    }
    return batch;
}

Result<bool> Decoder::read_packet() {
    for (;;) {
        const int status = av_read_frame(source_.format(), packet_.get());
        if (source_.read_error() != 0) {
            return std::unexpected(source_.unreadable_media());
        }
        if (status == AVERROR(ENOMEM)) {
            throw std::bad_alloc();
        }
        if (status == AVERROR_EOF) {
            return false;
        }
        if (status < 0) {
            if (avio_feof(source_.format()->pb) != 0 || ++read_failures_ >= kReadFailuresMax) {
                return false;
            }
            damaged();
            continue;
        }
        if (packet_->stream_index == source_.stream()->index) {
            return true;
        }
        av_packet_unref(packet_.get());
    }
}

bool Decoder::receive(FrameBatch& batch, std::size_t& bytes) {
    FramePtr frame(allocated(av_frame_alloc()));
    const int status = avcodec_receive_frame(codec_.get(), frame.get());
    if (status >= 0) {
        if (frame->nb_samples > 0) {
            anything_decoded_ = true;
            bytes += bytes_of(*frame);
            batch.frames.push_back(std::move(frame));
        }
        return true;
    }
    if (status == AVERROR(ENOMEM)) {
        throw std::bad_alloc();
    }
    if (status == AVERROR_EOF || draining_) {
        ended_ = true;
    } else if (status != AVERROR(EAGAIN)) {
        damaged();
    }
    return false;
}

void Decoder::damaged() {
    if (damaged_ < std::numeric_limits<int>::max()) {
        ++damaged_;
    }
}

}  // namespace durascribe::media
