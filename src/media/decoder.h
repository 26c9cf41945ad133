// Decodes the chosen track of a Source, frame by frame.
#pragma once

#include <string>
#include <vector>

#include "durascribe/base/error.h"
#include "durascribe/media/source.h"

namespace durascribe::media {

// Handed from the decoding to the resampling thread: big enough to make the handing over cheap,
// bounded so that few are in memory.
struct FrameBatch {
    static constexpr std::size_t kFramesMax = 64;
    static constexpr std::size_t kBytesMax = 1 << 20;  // a single frame may be larger
    std::vector<FramePtr> frames;
};

// One thread at a time; `source` must outlive it.
class Decoder {
  public:
    explicit Decoder(Source& source);

    // Errors: input/unsupported_codec where the decoder refuses the track's parameters.
    Result<void> open();

    // The next frames, empty at the end. Damaged packets are skipped and counted. Errors: input/
    // no_samples where the first thousand packets hold nothing that decodes, storage.
    Result<FrameBatch> next();

    int damaged_packets() const { return damaged_; }

  private:
    Result<bool> read_packet();  // false: there are no more
    // Whether a frame was added; false: the decoder wants another packet, or has ended.
    bool receive(FrameBatch& batch, std::size_t& bytes);
    void damaged();

    Source& source_;
    CodecPtr codec_;
    PacketPtr packet_;
    bool draining_ = false;
    bool ended_ = false;
    bool anything_decoded_ = false;
    int damaged_ = 0;
    int read_failures_ = 0;
};

}  // namespace durascribe::media
