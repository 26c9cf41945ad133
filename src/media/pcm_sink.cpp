#include "durascribe/media/pcm_sink.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>

extern "C" {
#include <libavutil/opt.h>
}

namespace durascribe::media {
namespace {

static_assert(std::endian::native == std::endian::little, "PCM is written as it lies in memory");

constexpr int kRateHz = 16'000;
constexpr std::size_t kBufferSamples = 128 * 1024;
constexpr int kFilterTaps = 16;
constexpr int kChannelsMax = 64;  // libswresample's own limit
constexpr int kLowestRateHz = 2'000;
constexpr int kHighestRateHz = 768'000;
constexpr std::int64_t kFirstGapUs = 10'000;   // finer than a listener, coarser than rounding
constexpr std::int64_t kLaterGapUs = 100'000;  // muxers and clocks are that imprecise
constexpr std::int64_t kFilledMaxUs = 6LL * 3600 * 1'000'000;

std::string limit_text(Millis limit) {
    const auto minutes = std::chrono::duration_cast<std::chrono::minutes>(limit).count();
    if (minutes >= 120 && minutes % 60 == 0) {
        return fmt::format("{} hours", minutes / 60);
    }
    if (minutes >= 2) {
        return fmt::format("{} minutes", minutes);
    }
    return fmt::format("{} seconds", static_cast<double>(limit.count()) / 1000);
}

}  // namespace

PcmSink::PcmSink(int fd, const Timeline& timeline, Millis longest, bool two_speakers)
    : fd_(fd),
      timeline_(timeline),
      samples_max_(longest.count() * kRateHz / 1000),
      analysis_(two_speakers) {
    buffer_.reserve(kBufferSamples);
}

Result<void> PcmSink::accept(const AVFrame& frame) {
    if (auto ready = adapt_to(frame); !ready) {
        return ready;
    }
    if (auto aligned = align(frame); !aligned) {
        return aligned;
    }
    decoded_anything_ = true;
    return convert(const_cast<const std::uint8_t**>(frame.extended_data), frame.nb_samples);
}

// Rate, format and channels may change in the middle (broadcasts, chained Ogg, HE-AAC that shows
// itself late): what the old resampler holds comes out first.
Result<void> PcmSink::adapt_to(const AVFrame& frame) {
    AVChannelLayout layout{};
    if (frame.ch_layout.order == AV_CHANNEL_ORDER_NATIVE) {
        layout = {.order = AV_CHANNEL_ORDER_NATIVE,
                  .nb_channels = frame.ch_layout.nb_channels,
                  .u = {.mask = frame.ch_layout.u.mask}};
    } else {
        av_channel_layout_default(&layout, frame.ch_layout.nb_channels);
    }
    if (swr_ && format_ == frame.format && rate_ == frame.sample_rate &&
        av_channel_layout_compare(&layout_, &layout) == 0) {
        return {};
    }
    if (swr_) {
        if (auto drained = convert(nullptr, 0); !drained) {
            return drained;
        }
    }
    const int channels = layout.nb_channels;
    const auto refuse = [&](int status) {
        return fail(ErrorClass::input, "unsupported_audio",
                    fmt::format("The audio has {} channels at {} Hz, which is not supported. "
                                "Convert the file to MP3 or AAC.",
                                channels, frame.sample_rate),
                    status == 0 ? std::string() : ffmpeg_error(status));
    };
    if (channels < 1 || channels > kChannelsMax || frame.sample_rate < kLowestRateHz ||
        frame.sample_rate > kHighestRateHz) {
        return refuse(0);
    }
    AVChannelLayout mono = AV_CHANNEL_LAYOUT_MONO;
    SwrContext* made = nullptr;
    int status = swr_alloc_set_opts2(&made, &mono, AV_SAMPLE_FMT_S16, kRateHz, &layout,
                                     static_cast<AVSampleFormat>(frame.format), frame.sample_rate,
                                     0, nullptr);
    swr_.reset(made);
    if (status >= 0) {
        // Half of libswresample's default length, for a third of the time. Measured: 3 kHz
        // untouched, 7 kHz 2 dB down, 10 kHz (which would fold to 6 kHz) 49 dB down.
        status = av_opt_set_int(swr_.get(), "filter_size", kFilterTaps, 0);
    }
    if (status >= 0 && layout.order != AV_CHANNEL_ORDER_NATIVE) {
        // Nobody says which channel is which: each counts the same.
        const std::vector<double> equal(static_cast<std::size_t>(channels), 1.0 / channels);
        status = swr_set_matrix(swr_.get(), equal.data(), channels);
    }
    if (status >= 0) {
        status = swr_init(swr_.get());
    }
    if (status == AVERROR(ENOMEM)) {
        throw std::bad_alloc();
    }
    if (status < 0) {
        swr_.reset();
        return refuse(status);
    }
    format_ = frame.format;
    rate_ = frame.sample_rate;
    layout_ = layout;
    return {};
}

Result<void> PcmSink::align(const AVFrame& frame) {
    if (!timeline_.real_timestamps || frame.best_effort_timestamp == AV_NOPTS_VALUE) {
        return {};
    }
    const std::int64_t at_us =
        av_rescale_q(frame.best_effort_timestamp, timeline_.time_base, {1, 1'000'000}) -
        timeline_.zero_us;
    const std::int64_t here_us =
        av_rescale(written_.load(std::memory_order_relaxed) + swr_get_delay(swr_.get(), kRateHz),
                   1'000'000, kRateHz);
    std::int64_t jump_us = 0;
    // Timestamps come from the file: any value may stand there.
    if (__builtin_add_overflow(at_us, clock_offset_us_, &jump_us) ||
        __builtin_sub_overflow(jump_us, here_us, &jump_us)) {
        return {};
    }
    const std::int64_t tolerated_us = decoded_anything_ ? kLaterGapUs : kFirstGapUs;
    if (jump_us <= tolerated_us && jump_us >= -kLaterGapUs) {
        return {};
    }
    const bool is_hole =
        jump_us > 0 && jump_us <= timeline_.longest_gap.count() * 1000 &&
        filled_us_ + jump_us <= kFilledMaxUs &&
        (!timeline_.media_end || here_us + jump_us <= timeline_.media_end->count() * 1000);
    if (is_hole) {
        filled_us_ += jump_us;
        return deliver_silence(av_rescale(jump_us, kRateHz, 1'000'000));
    }
    // Overlapping audio is kept, never dropped; a clock that was set is followed from here on.
    clock_offset_us_ -= jump_us;
    constexpr std::int64_t kNoticedUs = 1'000'000;
    lost_the_clock_ = lost_the_clock_ || jump_us > kNoticedUs || jump_us < -kNoticedUs;
    return {};
}

Result<void> PcmSink::convert(const std::uint8_t** planes, int samples) {
    const int room = swr_get_out_samples(swr_.get(), samples);
    if (room <= 0) {
        return {};
    }
    if (converted_.size() < static_cast<std::size_t>(room)) {
        converted_.resize(static_cast<std::size_t>(room));
    }
    auto* out = reinterpret_cast<std::uint8_t*>(converted_.data());
    const int got = swr_convert(swr_.get(), &out, room, planes, samples);
    if (got == AVERROR(ENOMEM)) {
        throw std::bad_alloc();
    }
    if (got < 0) {
        return fail(ErrorClass::internal, "resample_failed",
                    "The audio could not be resampled. Please report this with the file.",
                    ffmpeg_error(got));
    }
    return deliver(std::span(converted_).first(static_cast<std::size_t>(got)));
}

Result<void> PcmSink::deliver(std::span<const std::int16_t> samples) {
    const auto count = static_cast<std::int64_t>(samples.size());
    if (written_.load(std::memory_order_relaxed) + count > samples_max_) {
        return fail(
            ErrorClass::input, "too_long",
            fmt::format("The audio is longer than the limit of {}. Split the file, or raise "
                        "the limit.",
                        limit_text(Millis(samples_max_ * 1000 / kRateHz))));
    }
    analysis_.add(samples);
    written_.fetch_add(count, std::memory_order_relaxed);
    while (!samples.empty()) {
        const auto part = samples.first(std::min(samples.size(), kBufferSamples - buffer_.size()));
        buffer_.insert(buffer_.end(), part.begin(), part.end());
        samples = samples.subspan(part.size());
        if (buffer_.size() == kBufferSamples) {
            if (auto written = write_out(); !written) {
                return written;
            }
        }
    }
    return {};
}

Result<void> PcmSink::deliver_silence(std::int64_t samples) {
    static constexpr std::array<std::int16_t, 16'000> kSilence{};
    while (samples > 0) {
        const auto part = std::min(samples, static_cast<std::int64_t>(kSilence.size()));
        if (auto done = deliver(std::span(kSilence).first(static_cast<std::size_t>(part))); !done) {
            return done;
        }
        samples -= part;
    }
    return {};
}

Result<void> PcmSink::flush() {
    if (swr_) {
        if (auto drained = convert(nullptr, 0); !drained) {
            return drained;
        }
    }
    return write_out();
}

Result<void> PcmSink::write_out() {
    auto bytes = std::as_bytes(std::span(buffer_));
    while (!bytes.empty()) {
        const ssize_t put = ::write(fd_, bytes.data(), bytes.size());
        if (put < 0 && errno == EINTR) {
            continue;
        }
        if (put <= 0) {
            return std::unexpected(system_error(put == 0 ? EIO : errno, "write the decoded audio"));
        }
        bytes = bytes.subspan(static_cast<std::size_t>(put));
    }
    buffer_.clear();
    return {};
}

}  // namespace durascribe::media
