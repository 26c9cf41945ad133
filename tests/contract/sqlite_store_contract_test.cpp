#include "sqlite_place.h"
#include "webhook_store_contract.h"

namespace durascribe::contract {
namespace {

INSTANTIATE_TEST_SUITE_P(Sqlite, StoreContract,
                         ::testing::Values(StoreFactory{
                             "Sqlite", [] { return std::make_unique<SqlitePlace>(); }}),
                         [](const auto& instance) { return instance.param.name; });

INSTANTIATE_TEST_SUITE_P(Sqlite, WebhookStoreContract,
                         ::testing::Values(StoreFactory{
                             "Sqlite", [] { return std::make_unique<SqlitePlace>(); }}),
                         [](const auto& instance) { return instance.param.name; });

}  // namespace
}  // namespace durascribe::contract
