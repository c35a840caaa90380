// An audit tells what does not add up in the stored rows, whatever the ledger in memory believes.
#include "engine/embedded/embedded_harness.hpp"
#include "engine/embedded/sqlite.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace firstcome::test {
namespace {

using engine::sqlite::Access;
using engine::sqlite::Connection;
using testing::Contains;
using testing::HasSubstr;

/// A sale of which `a`, `b` and `c` hold one unit each, and whose rows somebody changes behind the engine's back.
class Audit : public testing::Test {
 protected:
  Audit() {
    SaleTerms terms = terms_of("s", 10);
    terms.limit_per_customer = 1;
    harness.ask(CreateSale{terms}).value();
    for (const char* customer : {"a", "b", "c"}) harness.reserve(customer).value();
  }

  AuditAnswer after(const char* sql) {
    auto connection = Connection::open(harness.file(), Access::read_write, "").value();
    connection.execute(sql).value();
    return harness.ask(AuditSale{"s"}).value();
  }

  EmbeddedHarness harness;
};

TEST_F(Audit, SeesUnitsThatWereSoldBehindItsBack) {
  const AuditAnswer audit = after("UPDATE reservation SET state = 3 WHERE customer = 'b'");
  EXPECT_FALSE(audit.ok);
  EXPECT_EQ(audit.sold, 1);
  EXPECT_EQ(audit.held, 2);
  EXPECT_THAT(audit.mismatches, Contains(HasSubstr("reservation 2 has a wrong checksum")));
  EXPECT_THAT(audit.mismatches, Contains("the sale says 3 held, its reservations say 2"));
}

TEST_F(Audit, SeesAMissingReservation) {
  const AuditAnswer audit = after("DELETE FROM reservation WHERE customer = 'b'");
  EXPECT_FALSE(audit.ok);
  EXPECT_THAT(audit.mismatches, Contains("numbers 2 to 2 are missing"));
}

TEST_F(Audit, CountsCustomersOverTheirLimit) {
  const AuditAnswer audit = after("UPDATE reservation SET customer = 'a' WHERE customer = 'b'");
  EXPECT_FALSE(audit.ok);
  EXPECT_EQ(audit.customers_over_limit, 1U);
}

TEST_F(Audit, CountsNumbersThatOvertook) {
  const AuditAnswer audit = after("UPDATE reservation SET created_at = created_at + 1 WHERE customer = 'a'");
  EXPECT_FALSE(audit.ok);
  EXPECT_EQ(audit.number_inversions, 2U);
}

TEST_F(Audit, SeesAnOversoldSale) {
  const AuditAnswer audit = after("UPDATE reservation SET quantity = 20 WHERE customer = 'c'");
  EXPECT_FALSE(audit.ok);
  EXPECT_EQ(audit.available, -12);
  EXPECT_THAT(audit.mismatches, Contains("12 units more are held or sold than the stock"));
}

TEST_F(Audit, SeesADamagedSale) {
  const AuditAnswer audit = after("UPDATE sale SET unit_price = 1");
  EXPECT_FALSE(audit.ok);
  EXPECT_THAT(audit.mismatches, Contains(HasSubstr("the sale's own row")));
}

TEST_F(Audit, TellsOnlyTheFirstHundredMismatches) {
  const AuditAnswer audit = after(
      "WITH RECURSIVE n(i) AS (SELECT 4 UNION ALL SELECT i + 2 FROM n WHERE i < 1000) "
      "INSERT INTO reservation(id, customer, state, created_at, crc) "
      "SELECT (1 << 40) + i + 1, 'x', 4, 1790000000000, 0 FROM n");
  EXPECT_FALSE(audit.ok);
  EXPECT_EQ(audit.mismatches.size(), 100U);
  EXPECT_THAT(audit.mismatches.back(), HasSubstr(" more"));
}

}  // namespace
}  // namespace firstcome::test
