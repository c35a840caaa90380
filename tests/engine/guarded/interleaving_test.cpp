#include "engine/guarded/interleaving.hpp"

#include "engine/guarded/guarded_audit.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace firstcome::engine {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

/// Microseconds after noon.
Microsecond after_noon(std::int64_t us) {
  return Microsecond{std::chrono::hours{24 * 20'000 + 12} + std::chrono::microseconds{us}};
}

OrderRow order_of(std::uint64_t number, std::string node, Units seen, std::int64_t read_us, std::int64_t written_us) {
  OrderRow order;
  order.number = Number{number};
  order.customer = "customer-" + std::to_string(number);
  order.node = std::move(node);
  order.seen_available = seen;
  order.read_at = after_noon(read_us);
  order.written_at = after_noon(written_us);
  order.at = instant_of(order.written_at);
  return order;
}

/// n, n-1, ... 1, one after the other.
std::vector<OrderRow> one_after_the_other(Units stock) {
  std::vector<OrderRow> orders;
  for (Units left = stock; left > 0; --left) {
    const auto place = static_cast<std::uint64_t>(stock - left + 1);
    orders.push_back(order_of(place, "a", left, static_cast<std::int64_t>(place) * 1'000,
                              static_cast<std::int64_t>(place) * 1'000 + 500));
  }
  return orders;
}

SaleView sale_of(Units stock, Units available) {
  SaleView sale;
  sale.terms.stock = stock;
  sale.available = available;
  return sale;
}

TEST(Interleaving, IsNotFoundWhereEverySellerSawWhatTheLastOneLeft) {
  EXPECT_EQ(interleaving_of(one_after_the_other(20)), std::nullopt);
  EXPECT_EQ(interleaving_of({}), std::nullopt);
}

TEST(Interleaving, TellsWhoReadAndWroteWhatAndWhenInTheOrderInWhichItHappened) {
  auto orders = one_after_the_other(20);
  orders.push_back(order_of(21, "b", 1, 20'017, 20'640));
  EXPECT_EQ(interleaving_of(orders),
            "a read 1 at 12:00:00.020000; b read 1 at 12:00:00.020017; a wrote 0 at 12:00:00.020500; "
            "b wrote 0 at 12:00:00.020640: both sold the last unit, orders 20 and 21");
}

TEST(Interleaving, NamesTheOrdersWhereBothSellersAreOfOneNode) {
  const std::vector<OrderRow> orders{order_of(1, "a", 1, 0, 10), order_of(2, "a", 1, 5, 15)};
  EXPECT_THAT(*interleaving_of(orders), HasSubstr("a (order 1) read 1 at 12:00:00.000000; a (order 2) read 1 at"));
}

TEST(Interleaving, FindsAnEarlierUnitThatWasSoldTwice) {
  // Orders 3 and 4 both saw 18; from there on everything is one after the other, and one too many in the end.
  auto orders = one_after_the_other(20);
  orders.push_back(order_of(21, "b", 18, 3'200, 3'700));
  EXPECT_THAT(*interleaving_of(orders), HasSubstr("both sold the same units, orders 3 and 21"));
}

TEST(Interleaving, FindsUnitsThatTwoOrdersOfSeveralShare) {
  OrderRow first = order_of(1, "a", 5, 0, 100);
  first.quantity = 3;  // units 5, 4, 3
  OrderRow second = order_of(2, "b", 3, 50, 150);
  second.quantity = 1;  // unit 3: it read what nobody had written, but it is another's
  EXPECT_THAT(*interleaving_of({{first, second}}), HasSubstr("orders 1 and 2"));
  second.seen_available = 2;
  EXPECT_EQ(interleaving_of({{first, second}}), std::nullopt);
}

TEST(Interleaving, AlsoTellsOfOneWhoReadAfterTheOtherWroteAndBeforeItCommitted) {
  const std::vector<OrderRow> orders{order_of(1, "a", 1, 0, 100), order_of(2, "b", 1, 150, 250)};
  EXPECT_THAT(*interleaving_of(orders), HasSubstr("a wrote 0 at 12:00:00.000100; b read 1 at 12:00:00.000150"));
}

TEST(Interleaving, ShowsTheCommitThatTheSecondDidNotSee) {
  std::vector<OrderRow> orders{order_of(1, "a", 1, 0, 100), order_of(2, "b", 1, 150, 250)};
  EXPECT_THAT(*interleaving_of(orders), HasSubstr("b wrote 0 at 12:00:00.000250; when a committed is not known: both"));
  orders[0].committed_at = after_noon(900);
  orders[1].committed_at = after_noon(1'400);
  EXPECT_EQ(interleaving_of(orders),
            "a read 1 at 12:00:00.000000; a wrote 0 at 12:00:00.000100; b read 1 at 12:00:00.000150; b wrote 0 at "
            "12:00:00.000250; a committed at 12:00:00.000900; b committed at 12:00:00.001400: both sold the last unit, "
            "orders 1 and 2");
}

TEST(Interleaving, LeavesOutOrdersWhoseUnitsCameBack) {
  std::vector<OrderRow> orders{order_of(1, "a", 1, 0, 100), order_of(2, "b", 1, 5'000, 5'100)};
  orders[0].ended = After::expired;
  EXPECT_EQ(interleaving_of(orders), std::nullopt);
}

TEST(Interleaving, PrefersTheOneAtTheLastUnitAndThatOfSellersWhoOverlapped) {
  const std::vector<OrderRow> orders{
      order_of(1, "a", 9, 0, 100),       order_of(2, "b", 9, 50, 150),       // overlap, not the last
      order_of(3, "a", 1, 1'000, 1'100), order_of(4, "b", 1, 1'050, 1'150),  // overlap, the last
      order_of(5, "c", 1, 1'500, 1'600),                                     // the last, later
  };
  EXPECT_THAT(*interleaving_of(orders), HasSubstr("orders 3 and 4"));
}

TEST(GuardedAudit, IsFineWhereStockAndOrdersAgree) {
  const auto orders = one_after_the_other(20);
  const AuditAnswer audit = audit_of(sale_of(20, 0), orders);
  EXPECT_TRUE(audit.ok);
  EXPECT_EQ(audit.sold, 20);
  EXPECT_EQ(audit.orders_wanted, 20U);
  EXPECT_THAT(audit.mismatches, IsEmpty());
}

TEST(GuardedAudit, TellsAnOversellWithWhatDidIt) {
  auto orders = one_after_the_other(20);
  orders.push_back(order_of(21, "b", 1, 20'017, 20'640));
  const AuditAnswer audit = audit_of(sale_of(20, 0), orders);
  EXPECT_FALSE(audit.ok);
  EXPECT_THAT(audit.mismatches, ElementsAre("oversold: 21 units were ordered of a stock of 20",
                                            HasSubstr("both sold the last unit, orders 20 and 21"),
                                            "the stock says that 0 units are left, the orders that -1 are"));
}

TEST(GuardedAudit, CountsUnpaidOrdersAsHeldAndCustomersWithTooMany) {
  std::vector<OrderRow> orders{order_of(1, "a", 3, 0, 10), order_of(2, "a", 2, 20, 30)};
  orders[1].paid = false;
  orders[1].customer = orders[0].customer;
  SaleView sale = sale_of(3, 1);
  sale.terms.limit_per_customer = 1;
  const AuditAnswer audit = audit_of(sale, orders);
  EXPECT_EQ(audit.sold, 1);
  EXPECT_EQ(audit.held, 1);
  EXPECT_EQ(audit.customers_over_limit, 1U);
  EXPECT_FALSE(audit.ok);
}

TEST(GuardedAudit, CountsNumbersThatAreNotInTheOrderOfTime) {
  std::vector<OrderRow> orders{order_of(1, "a", 2, 8'000, 9'000), order_of(2, "a", 1, 1'000, 2'000)};
  EXPECT_EQ(audit_of(sale_of(2, 0), orders).number_inversions, 1U);
}

}  // namespace
}  // namespace firstcome::engine
