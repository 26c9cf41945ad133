#include <filesystem>

#include "sqlite_place.h"
#include "store_model_test.h"

namespace durascribe::contract {
namespace {

// In memory where the machine has such a place: what is looked for is not what a disk does.
std::filesystem::path quick_directory() {
    const std::filesystem::path memory = "/dev/shm";
    return access(memory.c_str(), W_OK) == 0 ? memory : std::filesystem::temp_directory_path();
}

INSTANTIATE_TEST_SUITE_P(Sqlite, StoreModelTest,
                         ::testing::Values(StoreFactory{
                             "Sqlite",
                             [] { return std::make_unique<SqlitePlace>(quick_directory()); }}),
                         [](const auto& instance) { return instance.param.name; });

}  // namespace
}  // namespace durascribe::contract
