// The property test of every ports::Store. An implementation joins by instantiating StoreModelTest
// with a factory, as it does for StoreContract.
#pragma once

#include "store_contract.h"

namespace durascribe::contract {

class StoreModelTest : public ::testing::TestWithParam<StoreFactory> {};

}  // namespace durascribe::contract
