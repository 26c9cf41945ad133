// SHA-256 (FIPS 180-4), piece by piece. Private to blobs/local.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>

struct evp_md_ctx_st;

namespace durascribe::blobs {

class Sha256 {
  public:
    Sha256();
    void add(std::span<const std::byte> bytes);
    // 64 lower-case hex digits. Ends this object's use.
    std::string finish();

  private:
    struct Free {
        void operator()(evp_md_ctx_st* context) const;
    };
    std::unique_ptr<evp_md_ctx_st, Free> context_;
};

}  // namespace durascribe::blobs
