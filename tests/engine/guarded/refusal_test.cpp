#include "engine/guarded/inventory.hpp"

#include <gtest/gtest.h>

namespace firstcome::engine {
namespace {

Purchase purchase_of(Units quantity, std::optional<Units> limit = {}) {
  Purchase purchase;
  purchase.quantity = quantity;
  purchase.terms.stock = 10;
  purchase.terms.limit_per_customer = limit;
  return purchase;
}

Seen seen_of(Units available, Units of_customer = 0) {
  Seen seen;
  seen.available = available;
  seen.of_customer = of_customer;
  return seen;
}

TEST(RefusalOfAPurchase, IsNoneWhereThereIsEnough) {
  EXPECT_EQ(refusal(purchase_of(3), seen_of(3)), std::nullopt);
  EXPECT_EQ(refusal(purchase_of(1, 2), seen_of(1, 1)), std::nullopt);
}

TEST(RefusalOfAPurchase, SaysSoldOutWhereNothingIsLeft) {
  EXPECT_EQ(refusal(purchase_of(1), seen_of(0)), Outcome::sold_out);
  EXPECT_EQ(refusal(purchase_of(3), seen_of(-1)), Outcome::sold_out) << "a broken way can leave less than nothing";
}

TEST(RefusalOfAPurchase, SaysNotEnoughAndWhatIsLeft) {
  const Purchase purchase = purchase_of(3);
  const Seen seen = seen_of(2);
  EXPECT_EQ(refusal(purchase, seen), Outcome::not_enough);
  EXPECT_EQ(refused(Outcome::not_enough, purchase, seen).left, 2);
}

TEST(RefusalOfAPurchase, CountsTheLimitBeforeTheStock) {
  const Purchase purchase = purchase_of(2, 3);
  EXPECT_EQ(refusal(purchase, seen_of(0, 2)), Outcome::limit_exceeded);
  EXPECT_EQ(refused(Outcome::limit_exceeded, purchase, seen_of(0, 2)).left, 1);
  EXPECT_EQ(refused(Outcome::limit_exceeded, purchase, seen_of(0, 5)).left, 0);
}

TEST(RefusalOfAPurchase, GivesTheSameAnswerToTheSameKeyAlsoWhereNothingIsLeft) {
  const Purchase purchase = purchase_of(2, 2);
  Seen seen = seen_of(0, 2);
  seen.same_key = Seen::Earlier{.number = Number{7}, .quantity = 2, .at = Instant{Milliseconds{5}}};
  EXPECT_EQ(refusal(purchase, seen), Outcome::unchanged);
  const Sold sold = refused(Outcome::unchanged, purchase, seen);
  EXPECT_EQ(sold.number, Number{7});
  EXPECT_EQ(sold.at, Instant{Milliseconds{5}});
}

TEST(RefusalOfAPurchase, RefusesAKeyThatWasUsedForSomethingElse) {
  Seen seen = seen_of(5);
  seen.same_key = Seen::Earlier{.number = Number{7}, .quantity = 1};
  EXPECT_EQ(refusal(purchase_of(2), seen), Outcome::idempotency_key_reused);
  Purchase other = purchase_of(1);
  other.reference = "another";
  EXPECT_EQ(refusal(other, seen), Outcome::idempotency_key_reused);
}

TEST(RefusalOfAPurchase, SaysThatTheSameKeyIsStillBeingCharged) {
  Seen seen = seen_of(5);
  seen.same_key = Seen::Earlier{.number = Number{7}, .quantity = 1, .paid = false};
  Purchase charged = purchase_of(1);
  charged.terms.hold = Milliseconds{1'000};
  charged.terms.payment = PaymentMode::automatic;
  EXPECT_EQ(refusal(charged, seen), Outcome::request_in_progress);
  charged.terms.payment = PaymentMode::client;
  EXPECT_EQ(refusal(charged, seen), Outcome::unchanged) << "it is held: that was the answer";
}

TEST(RefusalOfAPurchase, RefusesMoreOpenOrdersThanTheSaleAllows) {
  Seen seen = seen_of(5);
  seen.open_of_customer = 2;
  Purchase purchase = purchase_of(1);
  EXPECT_EQ(refusal(purchase, seen), std::nullopt);
  purchase.terms.max_open = 3;
  EXPECT_EQ(refusal(purchase, seen), std::nullopt);
  purchase.terms.max_open = 2;
  EXPECT_EQ(refusal(purchase, seen), Outcome::already_open);
}

}  // namespace
}  // namespace firstcome::engine
