// Blobs that hand every call on to another store, for tests that change what becomes of one of
// them: they override that one.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "durascribe/ports/blob_store.h"

namespace durascribe::testing {

class ForwardingBlobs : public ports::BlobStore {
  public:
    explicit ForwardingBlobs(ports::BlobStore& blobs) : blobs_(blobs) {}

    Result<std::unique_ptr<ports::PendingBlob>> create(std::int64_t expected_bytes) override {
        return blobs_.create(expected_bytes);
    }
    Result<std::unique_ptr<ports::PartialBlob>> open_partial(const std::string& name,
                                                             std::int64_t keep_bytes) override {
        return blobs_.open_partial(name, keep_bytes);
    }
    Result<void> place_partial(const std::string& name, const ports::BlobRef& blob) override {
        return blobs_.place_partial(name, blob);
    }
    Result<void> remove_partial(const std::string& name) override {
        return blobs_.remove_partial(name);
    }
    Result<std::vector<std::string>> list_partials() override { return blobs_.list_partials(); }
    Result<UniqueFd> open(const ports::BlobRef& blob) override { return blobs_.open(blob); }
    Result<bool> exists(const ports::BlobRef& blob) override { return blobs_.exists(blob); }
    Result<void> remove(const ports::BlobRef& blob) override { return blobs_.remove(blob); }
    Result<int> remove_leftovers() override { return blobs_.remove_leftovers(); }
    Result<std::vector<std::string>> list(const std::string& after, int limit) override {
        return blobs_.list(after, limit);
    }
    Result<std::int64_t> free_bytes() override { return blobs_.free_bytes(); }
    Result<std::int64_t> capacity_bytes() override { return blobs_.capacity_bytes(); }

  private:
    ports::BlobStore& blobs_;
};

}  // namespace durascribe::testing
