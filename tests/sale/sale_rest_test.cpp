// Closed sales whose reservations leave the ledger and come back.
#include "sale/shop.hpp"

#include <firstcome/limits.hpp>

#include <gmock/gmock.h>

namespace firstcome::sale {
namespace {

using ::testing::HasSubstr;

constexpr Milliseconds long_ago = limits::closed_sale_in_memory;
constexpr Milliseconds idle = limits::idle_sale_in_memory;

void close(Shop& shop) {
  PatchSale command;
  command.sale = "s";
  command.state = PatchSale::State::closed;
  EXPECT_EQ(shop.apply(command).outcome, Outcome::done);
}

std::optional<std::string> bring_back(Ledger& ledger, const Stored& stored, SaleHandle sale, Instant now) {
  if (!ledger.begin_to_bring_back(sale, now)) return "there is no room";
  for (const auto& [ref, record] : stored.reservations) {
    if (ref.sale != sale) continue;
    if (auto problem = ledger.restore(record, now)) return problem;
  }
  return ledger.finish_bringing_back(sale, now);
}

TEST(Rest, LeavesTheCountersAndFreesTheRest) {
  Shop shop(instant_terms(100));
  const ReservationRef first = shop.has("ann");
  for (int number = 0; number < 20; ++number) shop.has("c" + std::to_string(number));
  close(shop);
  const Stored stored = shop.stored();
  const SaleView before = shop.sale();
  shop.wait(long_ago);
  shop.ledger().rest(shop.now() - 1ms, 10);
  EXPECT_EQ(shop.ledger().at_rest(first), std::nullopt);
  EXPECT_EQ(shop.ledger().next_rest(), shop.now());
  shop.ledger().rest(shop.now(), 10);
  EXPECT_EQ(shop.ledger().at_rest(first), first.sale);
  EXPECT_EQ(shop.ledger().at_rest("s"), first.sale);
  EXPECT_LT(shop.ledger().bytes(), 1'500U);
  EXPECT_EQ(shop.sale().sold, before.sold);
  EXPECT_EQ(shop.reserve("ann", 1, 7).outcome, Outcome::sale_closed);

  EXPECT_EQ(bring_back(shop.ledger(), stored, first.sale, shop.now()), std::nullopt);
  EXPECT_EQ(shop.ledger().at_rest(first), std::nullopt);
  EXPECT_EQ(shop.get(first).customer, "ann");
  EXPECT_EQ(shop.ledger().next_rest(), shop.now() + idle);
}

TEST(Rest, IsNotForASaleInWhichAHoldIsBeingCharged) {
  Shop shop(plain_terms());
  const ReservationRef ref = shop.has("ann");
  shop.pay(ref);
  close(shop);
  static_cast<void>(shop.stored());
  shop.wait(long_ago * 2);
  EXPECT_EQ(shop.sale().held, 0);
  EXPECT_EQ(shop.ledger().next_rest(), std::nullopt);
  EXPECT_EQ(shop.finish(ref, Charge::declined), Outcome::hold_expired);
  EXPECT_NE(shop.ledger().next_rest(), std::nullopt);
}

TEST(Rest, RefusesRecordsThatDoNotFitIt) {
  Shop shop(instant_terms(3));
  const ReservationRef ref = shop.has("ann");
  close(shop);
  Stored stored = shop.stored();
  Ledger ledger;
  ASSERT_EQ(ledger.restore_at_rest(stored.sales.begin()->second), std::nullopt);
  ASSERT_EQ(ledger.finish_restore(), std::nullopt);
  const ReservationRecord right = stored.reservations.begin()->second;
  stored.reservations.begin()->second.state = ReservationState::expired;
  stored.reservations.begin()->second.claimed_at = day_one;
  EXPECT_THAT(bring_back(ledger, stored, ref.sale, shop.now()).value_or(""), HasSubstr("settled"));
  ledger.give_up_bringing_back(ref.sale);
  stored.reservations.clear();
  EXPECT_THAT(bring_back(ledger, stored, ref.sale, shop.now()).value_or(""), HasSubstr("last number is 1, found 0"));
  ledger.give_up_bringing_back(ref.sale);
  stored.reservations[ref] = right;
  EXPECT_EQ(bring_back(ledger, stored, ref.sale, shop.now()), std::nullopt);
  EXPECT_EQ(ledger.memory().at_rest, 0U);

  SaleRecord open = stored.sales.begin()->second;
  open.closed = false;
  EXPECT_THAT(Ledger().restore_at_rest(open).value_or(""), HasSubstr("settled"));
}

TEST(Rest, ComesAfterTheRowThatSaysSo) {
  Shop shop(instant_terms(3));
  shop.has("ann");
  close(shop);
  Stored stored = shop.stored();
  stored.sales.begin()->second.settled = false;  // as an earlier release wrote it
  Ledger ledger;
  const Instant now = shop.now() + long_ago;
  ASSERT_EQ(stored.rebuild(ledger, now), std::nullopt);
  ledger.rest(now, 10);
  EXPECT_EQ(ledger.memory().at_rest, 0U);
  EXPECT_EQ(ledger.changes().sales.size(), 1U);
  stored.take(ledger);
  EXPECT_TRUE(stored.sales.begin()->second.settled);
  ledger.rest(now + idle, 10);
  EXPECT_EQ(ledger.memory().at_rest, 1U);
}

TEST(Rest, TheLongestIdleSaleMakesWayForTheNext) {
  Ledger ledger({.hash_seed = 1, .brought_back = 150});  // for two sales of a few reservations
  Instant now = day_one;
  for (const char* id : {"a", "b", "c"}) {
    SaleTerms terms = instant_terms(3);
    terms.id = id;
    ledger.apply(CreateSale{terms}, now);
    ledger.apply(Reserve{.sale = id, .customer = "ann", .quantity = 1, .reference = {}, .key = {}}, now);
    PatchSale command;
    command.sale = id;
    command.state = PatchSale::State::closed;
    ledger.apply(command, now);
  }
  Stored stored;
  stored.take(ledger);
  now += long_ago;
  ledger.rest(now, 10);
  ASSERT_EQ(ledger.memory().at_rest, 3U);
  const auto come = [&](std::uint64_t sale) {
    EXPECT_EQ(bring_back(ledger, stored, SaleHandle{sale}, now), std::nullopt);
    now += 1s;
  };
  come(1);
  come(2);
  EXPECT_EQ(ledger.apply(GetReservation{{SaleHandle{1}, Number{1}}}, now).outcome, Outcome::done);
  now += 1s;
  come(3);
  EXPECT_EQ(ledger.at_rest("b"), SaleHandle{2});
  EXPECT_EQ(ledger.at_rest("a"), std::nullopt);
  EXPECT_EQ(ledger.memory().at_rest, 1U);
  EXPECT_LE(ledger.memory().brought_back, 150U);

  ledger.apply(GetReservation{{SaleHandle{1}, Number{1}}}, now);
  ledger.apply(GetReservation{{SaleHandle{3}, Number{1}}}, now);
  EXPECT_FALSE(ledger.begin_to_bring_back(SaleHandle{2}, now)) << "both were used this instant";
}

}  // namespace
}  // namespace firstcome::sale
