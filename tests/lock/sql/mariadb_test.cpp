#include "lock/sql/sql_harness.hpp"

#include <gtest/gtest.h>

namespace firstcome::lock {
namespace {

using firstcome::testing::MariadbServer;
using test::LockContract;

/// The contract's holder is the one session that is the user's and asks nothing, but for the one that looks.
bool end_holder(const MariadbServer& server, const std::string& /*name*/) {
  server.ask("KILL USER shop");
  return true;
}

INSTANTIATE_TEST_SUITE_P(Mariadb, LockContract,
                         ::testing::Values(test::LockContractOf{
                             "Mariadb",
                             [] { return test::SqlHarness<MariadbServer>::make(&make_mariadb_locks, &end_holder); }}),
                         test::name_of_implementation);

}  // namespace
}  // namespace firstcome::lock
