// A directory of its own for a SqliteStore under test.
#pragma once

#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "durascribe/store/sqlite/sqlite_store.h"
#include "store_contract.h"

namespace durascribe::contract {

class SqlitePlace final : public StorePlace {
  public:
    explicit SqlitePlace(
        const std::filesystem::path& parent = std::filesystem::temp_directory_path()) {
        std::string shape = (parent / "store_contract_XXXXXX").string();
        directory_ = mkdtemp(shape.data());
    }
    ~SqlitePlace() override { std::filesystem::remove_all(directory_); }
    std::unique_ptr<ports::Store> open(const ports::Clock& clock) override {
        auto store = store::SqliteStore::open(directory_, clock);
        EXPECT_TRUE(store.has_value()) << store.error().message << store.error().detail;
        return std::move(*store);
    }

  private:
    std::filesystem::path directory_;
};

}  // namespace durascribe::contract
