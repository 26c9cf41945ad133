#include <cstdlib>
#include <filesystem>

#include "durascribe/store/sqlite/sqlite_store.h"
#include "store_contract.h"

namespace durascribe::contract {
namespace {

class SqlitePlace final : public StorePlace {
  public:
    SqlitePlace() {
        std::string shape =
            (std::filesystem::temp_directory_path() / "store_contract_XXXXXX").string();
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

INSTANTIATE_TEST_SUITE_P(Sqlite, StoreContract,
                         ::testing::Values(StoreFactory{
                             "Sqlite", [] { return std::make_unique<SqlitePlace>(); }}),
                         [](const auto& instance) { return instance.param.name; });

}  // namespace
}  // namespace durascribe::contract
