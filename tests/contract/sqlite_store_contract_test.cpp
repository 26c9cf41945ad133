#include "sqlite_place.h"
#include "store_contract_transcripts.h"
#include "webhook_store_contract.h"

namespace durascribe::contract {
namespace {

StoreFactory sqlite() {
    return {"Sqlite", [] { return std::make_unique<SqlitePlace>(); }};
}
std::string name_of(const ::testing::TestParamInfo<StoreFactory>& instance) {
    return instance.param.name;
}

INSTANTIATE_TEST_SUITE_P(Sqlite, StoreContract, ::testing::Values(sqlite()), name_of);
INSTANTIATE_TEST_SUITE_P(Sqlite, StoreTranscripts, ::testing::Values(sqlite()), name_of);
INSTANTIATE_TEST_SUITE_P(Sqlite, StoreSearch, ::testing::Values(sqlite()), name_of);
INSTANTIATE_TEST_SUITE_P(Sqlite, WebhookStoreContract, ::testing::Values(sqlite()), name_of);

}  // namespace
}  // namespace durascribe::contract
