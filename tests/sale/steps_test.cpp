// However much is due, a turn does a bounded part of it, and nobody waits for another's million.
#include "sale/shop.hpp"

#include <algorithm>
#include <cstddef>

namespace firstcome::sale {
namespace {

constexpr std::size_t crowd = 1'000'000;

/// `crowd` who wait for a unit each, behind one who holds them all.
ReservationRef crowd_behind_one(Shop& shop) {
  const ReservationRef all = shop.has("all of them", static_cast<Units>(crowd));
  for (std::size_t index = 0; index < crowd; ++index) shop.reserve("c");
  shop.ledger().clear_changes();
  return all;
}

/// Goes on, a thousand steps a turn, until nothing is due. Returns the most changes of a turn.
std::size_t advance_until_done(Shop& shop, std::size_t& turns) {
  std::size_t most = 0;
  for (auto due = Ledger::Due::more; due == Ledger::Due::more; ++turns) {
    due = shop.ledger().advance(shop.now(), 1'000);
    most = std::max(most, shop.ledger().changes().events.size());
    shop.ledger().clear_changes();
  }
  return most;
}

TEST(Steps, AUnitForEachOfAMillionIsGivenLittleByLittle) {
  Shop shop(standby_terms(crowd));
  const ReservationRef all = crowd_behind_one(shop);
  shop.ledger().advance(shop.now(), 1'000);
  EXPECT_EQ(shop.cancel(all), Outcome::done);
  EXPECT_EQ(shop.ledger().changes().events.size(), 1'001u) << "as much as the commands of a turn may bring about";
  EXPECT_TRUE(shop.ledger().behind("s"));
  EXPECT_EQ(shop.ledger().next_deadline(), shop.now());
  shop.ledger().clear_changes();
  std::size_t turns = 0;
  EXPECT_LE(advance_until_done(shop, turns), 1'000u);
  EXPECT_GE(turns, 999u);
  EXPECT_FALSE(shop.ledger().behind());
  EXPECT_EQ(shop.sale().held, static_cast<Units>(crowd));
  EXPECT_EQ(shop.sale().queued, 0u);
}

TEST(Steps, ATickThatAdmitsAMillionIsMadeLittleByLittle) {
  Shop shop(queue_terms(crowd, crowd));
  for (std::size_t index = 0; index < crowd; ++index) shop.reserve("c");
  shop.ledger().clear_changes();
  shop.wait(1s);
  std::size_t turns = 0;
  EXPECT_LE(advance_until_done(shop, turns), 1'000u);
  EXPECT_EQ(shop.sale().held, static_cast<Units>(crowd));
  shop.wait(60s);
  EXPECT_LE(advance_until_done(shop, turns), 1'000u) << "the ends of as many holds";
  EXPECT_EQ(shop.sale().held, 0);
}

TEST(Steps, OthersHaveTheirTurnWhileOneSaleHasAMillionDue) {
  Shop shop(plain_terms(crowd));
  for (std::size_t index = 0; index < crowd; ++index) shop.reserve("c");
  SaleTerms other = plain_terms(10);
  other.id = "other";
  other.hold = 60s + 1ms;
  shop.create(other);
  shop.apply(Reserve{.sale = "other", .customer = "ann", .quantity = 1, .reference = {}, .key = {}});
  shop.ledger().clear_changes();
  shop.wait(61s);
  EXPECT_EQ(shop.ledger().advance(shop.now(), 1'000), Ledger::Due::more);
  EXPECT_TRUE(shop.ledger().behind("s"));
  EXPECT_FALSE(shop.ledger().behind("other"));
  EXPECT_EQ(shop.ledger().apply(GetSale{"other"}, shop.now()).sale.available, 10) << "its hold has ended in time";
  EXPECT_LE(shop.ledger().changes().events.size(), 1'000u);
}

TEST(Steps, ASaleIsTheSameHoweverFewStepsATurnHas) {
  for (const std::size_t limit : {1u, 2u, 3u, 7u}) {
    Shop all(standby_terms(6));
    Shop few(standby_terms(6));
    for (Shop* shop : {&all, &few}) {
      const ReservationRef first = shop->has("first", 6);
      for (const Units quantity : {1, 2, 6, 1, 1}) shop->reserve("c", quantity);
      shop->ledger().advance(shop->now(), shop == &few ? limit : 1'000);
      shop->cancel(first);
      while (shop->ledger().advance(shop->now(), limit) == Ledger::Due::more) shop->restart();
    }
    EXPECT_EQ(few.sale().held, all.sale().held);
    EXPECT_EQ(few.sale().queued, all.sale().queued);
    EXPECT_EQ(few.sale().serving, all.sale().serving);
  }
}

}  // namespace
}  // namespace firstcome::sale
