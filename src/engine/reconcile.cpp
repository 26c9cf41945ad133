#include "durascribe/engine/reconcile.h"

#include <array>
#include <string>

#include "durascribe/base/log.h"
#include "durascribe/engine/leisure.h"

namespace durascribe::engine {
namespace {

constexpr int kBatch = 500;
constexpr int kNamedInLog = 20;

// Whether it came to the end.
Result<bool> remove_orphans(ports::Store& store, ports::BlobStore& blobs, BlobGuard& guard,
                            std::stop_token stop, Leisure& leisure, Reconciled& done) {
    for (std::string after;;) {
        const auto stored = blobs.list(after, kBatch);
        if (!stored) {
            return std::unexpected(stored.error());
        }
        for (const std::string& sha256 : *stored) {
            leisure.pause();
            const auto referenced = store.blob_referenced(sha256);
            if (!referenced) {
                return std::unexpected(referenced.error());
            }
            if (!*referenced) {
                done.orphans_removed += guard.collect(std::array{ports::BlobRef{sha256, 0}});
            }
        }
        if (static_cast<int>(stored->size()) < kBatch) {
            return true;
        }
        if (stop.stop_requested()) {
            return false;
        }
        after = stored->back();
    }
}

void tell_of_missing(ports::Store& store, const ports::NamedBlob& named, const Reconciled& done) {
    if (done.sources_missing + done.audio_missing > kNamedInLog) {
        return;  // the summary counts the rest
    }
    if (!named.is_source) {
        log::warning("the decoded audio {} of a task is missing", named.blob.sha256);
        return;
    }
    const auto media = store.newest_media_of(named.blob);
    log::warning("the file {} of the media {} is missing: upload it again, or restore a backup",
                 named.blob.sha256, media && *media ? (*media)->id.value : "(deleted meanwhile)");
}

// Judged while nothing removes it: a row that names it was committed after its file was there.
Result<bool> is_missing(ports::Store& store, ports::BlobStore& blobs, BlobGuard& guard,
                        const ports::BlobRef& blob) {
    auto hold = guard.hold(blob);
    const auto named = store.blob_referenced(blob.sha256);
    const auto there = blobs.exists(blob);
    hold.release();
    guard.collect(std::array{blob});  // for whoever could not, meanwhile
    if (!named || !there) {
        return std::unexpected(named ? there.error() : named.error());
    }
    return *named && !*there;
}

// Whether it came to the end.
Result<bool> find_missing(ports::Store& store, ports::BlobStore& blobs, BlobGuard& guard,
                          std::stop_token stop, Leisure& leisure, Reconciled& done) {
    for (std::string after;;) {
        const auto named = store.named_blobs(after, kBatch);
        if (!named) {
            return std::unexpected(named.error());
        }
        for (const ports::NamedBlob& one : *named) {
            leisure.pause();
            const auto there = blobs.exists(one.blob);
            if (!there) {
                return std::unexpected(there.error());
            }
            if (*there) {
                continue;
            }
            const auto missing = is_missing(store, blobs, guard, one.blob);
            if (!missing) {
                return std::unexpected(missing.error());
            }
            if (*missing) {
                ++(one.is_source ? done.sources_missing : done.audio_missing);
                tell_of_missing(store, one, done);
            }
        }
        if (static_cast<int>(named->size()) < kBatch) {
            return true;
        }
        if (stop.stop_requested()) {
            return false;
        }
        after = named->back().blob.sha256;
    }
}

}  // namespace

Result<Reconciled> reconcile(ports::Store& store, ports::BlobStore& blobs, BlobGuard& guard,
                             std::stop_token stop) {
    Reconciled done;
    Leisure leisure(stop);
    const auto leftovers = blobs.remove_leftovers();
    if (!leftovers) {
        return std::unexpected(leftovers.error());
    }
    done.leftovers_removed = *leftovers;
    const auto removed = remove_orphans(store, blobs, guard, stop, leisure, done);
    if (!removed) {
        return std::unexpected(removed.error());
    }
    if (*removed) {
        const auto found = find_missing(store, blobs, guard, stop, leisure, done);
        if (!found) {
            return std::unexpected(found.error());
        }
        done.complete = *found;
    }
    if (done.leftovers_removed + done.orphans_removed > 0) {
        log::info("{} files that no media names were removed",
                  done.leftovers_removed + done.orphans_removed);
    }
    if (done.sources_missing + done.audio_missing > kNamedInLog) {
        log::warning("{} files of media and {} of decoded audio are missing in all",
                     done.sources_missing, done.audio_missing);
    }
    return done;
}

}  // namespace durascribe::engine
