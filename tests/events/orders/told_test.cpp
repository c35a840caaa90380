// What the order database keeps of how much it was told.
#include "events/orders/told.hpp"

#include "events/orders/order_databases.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace firstcome::events {
namespace {

using ::testing::IsEmpty;

Event named(std::string id, std::uint64_t number, std::uint64_t sequence) {
  Event made = event(EventType::reservation_confirmed, number, sequence);
  made.id = std::move(id);
  return made;
}

TEST(ToldBy, TakesTheHighestOfEachSaleAndIncarnation) {
  const std::vector events{named("7-0000abcd-3", 2, 3), named("7-0000abcd-9", 1, 9), named("7-0000beef-4", 5, 4),
                           named("7-4", 1, 4)};
  const std::vector<Told> told = told_by(events);
  ASSERT_EQ(told.size(), 3U);
  EXPECT_EQ(told[0], (Told{"ticket", SaleHandle{7}, no_incarnation, reservation_id(1), 1, 4}));
  EXPECT_EQ(told[1], (Told{"ticket", SaleHandle{7}, Incarnation{0xabcd}, reservation_id(2), 2, 9}));
  EXPECT_EQ(told[2], (Told{"ticket", SaleHandle{7}, Incarnation{0xbeef}, reservation_id(5), 5, 4}));
}

TEST(ToldBy, PassesOverWhatNoStoreHasMade) {
  Event strange = named("7-1", 1, 1);
  strange.sale = "'; DROP TABLE orders";
  const std::vector events{named("audit-AAAA", 1, 1), named("", 1, 1), named("7-xyz-1", 1, 1), strange};
  EXPECT_THAT(told_by(events), IsEmpty());
}

class ToldInSql : public ::testing::TestWithParam<Kind> {};

TEST_P(ToldInSql, IsKeptAndNeverFalls) {
  if (GetParam() == Kind::postgresql) FIRSTCOME_NEEDS_SQL(testing::PostgresServer);
  if (GetParam() == Kind::mariadb) FIRSTCOME_NEEDS_SQL(testing::MariadbServer);
  TestDatabase database(GetParam());
  const auto store = database.open();
  ASSERT_TRUE(store->store(std::vector{named("7-0000abcd-9", 4, 9)}));
  ASSERT_TRUE(store->store(std::vector{named("7-0000abcd-3", 2, 3)}));
  ASSERT_TRUE(store->store(std::vector{named("7-0000abcd-12", 1, 12)}));
  const auto told = store->told();
  ASSERT_TRUE(told);
  ASSERT_EQ(told->size(), 1U);
  EXPECT_EQ(told->front(), (Told{"ticket", SaleHandle{7}, Incarnation{0xabcd}, reservation_id(4), 4, 12}));
}

TEST_P(ToldInSql, OrdersThatAreSettledStayAndAreLeftOutOfAnAudit) {
  if (GetParam() == Kind::postgresql) FIRSTCOME_NEEDS_SQL(testing::PostgresServer);
  if (GetParam() == Kind::mariadb) FIRSTCOME_NEEDS_SQL(testing::MariadbServer);
  TestDatabase database(GetParam());
  const auto store = database.open();
  ASSERT_TRUE(store->store(std::vector{named("7-1", 1, 1), named("7-2", 2, 2)}));
  const std::vector settled{reservation_id(2)};
  for (int twice = 0; twice < 2; ++twice) ASSERT_TRUE(store->settle(settled, {"refunded", "mina"}));
  std::vector<std::string> seen;
  ASSERT_TRUE(store->summaries(std::nullopt, [&](const OrderSummary& order) {
    seen.push_back(order.reservation);
    return true;
  }));
  EXPECT_EQ(seen, std::vector{reservation_id(1)});
  EXPECT_EQ(store->count("ticket", "0").value(), 1U);
  EXPECT_TRUE(store->order(reservation_id(2)).value());
  EXPECT_EQ(store->settled().value(), settled);
}

INSTANTIATE_TEST_SUITE_P(Databases, ToldInSql, ::testing::Values(Kind::sqlite, Kind::postgresql, Kind::mariadb),
                         [](const auto& kind) {
                           return kind.param == Kind::sqlite       ? "sqlite"
                                  : kind.param == Kind::postgresql ? "postgresql"
                                                                   : "mariadb";
                         });

}  // namespace
}  // namespace firstcome::events
