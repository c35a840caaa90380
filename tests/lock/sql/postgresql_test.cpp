#include "lock/sql/sql_harness.hpp"

#include <gtest/gtest.h>

namespace firstcome::lock {
namespace {

using firstcome::testing::PostgresServer;
using test::LockContract;

/// Of all advisory locks there is one: the contract's.
bool end_holder(const PostgresServer& server, const std::string& /*name*/) {
  return server.ask("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted") == "t\n";
}

INSTANTIATE_TEST_SUITE_P(
    Postgresql, LockContract,
    ::testing::Values(test::LockContractOf{
        "Postgresql", [] { return test::SqlHarness<PostgresServer>::make(&make_postgresql_locks, &end_holder); }}),
    test::name_of_implementation);

}  // namespace
}  // namespace firstcome::lock
