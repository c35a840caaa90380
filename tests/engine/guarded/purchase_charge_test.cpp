#include "engine/guarded/purchase_charge.hpp"

#include "engine/guarded/guarded_harness.hpp"

#include <gtest/gtest.h>

namespace firstcome::engine {
namespace {

using Kind = InventoryFailure::Kind;

struct PurchaseCharges : ::testing::Test {
  PurchaseCharges() {
    purchase.terms = test::charging(5);
    purchase.quantity = 2;
    options.charge = [this](const ChargeRequest& request) {
      charged.push_back(request);
      return test::said(outcome);
    };
    options.refund = [this](const std::string& key) { refunded.push_back(key); };
  }

  /// One purchase whose attempts end as `ends` says: a Sold, or a failure.
  Sold sell(Milliseconds wait, const std::function<Sold()>& end) {
    PurchaseCharge charge(options, purchase);
    return sell_again(wait, charge, [&]() -> Sold {
      if (const auto no = charge.charge_inside()) return {.outcome = *no};
      return end();
    });
  }

  GuardedOptions options;
  Purchase purchase;
  ChargeOutcome outcome = ChargeOutcome::charged;
  std::vector<ChargeRequest> charged;
  std::vector<std::string> refunded;
};

TEST_F(PurchaseCharges, AreMadeOnceHoweverOftenTheTransactionIsTried) {
  int tries = 0;
  const Sold sold = sell(Milliseconds{10'000}, [&]() -> Sold {
    if (++tries < 4) throw InventoryFailure{Kind::conflict, "somebody was quicker"};
    return {.outcome = Outcome::done};
  });
  EXPECT_EQ(sold.outcome, Outcome::done);
  EXPECT_EQ(tries, 4);
  ASSERT_EQ(charged.size(), 1U);
  EXPECT_EQ(charged[0].amount, 2'000);
  EXPECT_EQ(charged[0].currency, "KRW");
  EXPECT_TRUE(refunded.empty());
}

TEST_F(PurchaseCharges, ArePaidBackWhereNoOrderCameOfIt) {
  bool first = true;
  const Sold sold = sell(Milliseconds{10'000}, [&]() -> Sold {
    if (std::exchange(first, false)) throw InventoryFailure{Kind::conflict, "somebody was quicker"};
    return {.outcome = Outcome::sold_out};
  });
  EXPECT_EQ(sold.outcome, Outcome::sold_out);
  ASSERT_EQ(refunded.size(), 1U);
  EXPECT_EQ(refunded[0], charged.at(0).key);
}

TEST_F(PurchaseCharges, ArePaidBackWhenTheWaitIsOver) {
  const Sold sold = sell(Milliseconds{5}, []() -> Sold { throw InventoryFailure{Kind::conflict, "always"}; });
  EXPECT_EQ(sold.outcome, Outcome::busy);
  EXPECT_EQ(charged.size(), 1U);
  EXPECT_EQ(refunded.size(), 1U);
}

TEST_F(PurchaseCharges, ArePaidBackWhereNothingWasWrittenAndKeptWhereNobodyKnows) {
  EXPECT_THROW(sell(Milliseconds{5}, []() -> Sold { throw InventoryFailure{Kind::unavailable, "away"}; }),
               InventoryFailure);
  EXPECT_EQ(refunded.size(), 1U);
  EXPECT_THROW(sell(Milliseconds{5}, []() -> Sold { throw InventoryFailure{Kind::unknown, "cut"}; }), InventoryFailure);
  EXPECT_EQ(charged.size(), 2U);
  EXPECT_EQ(refunded.size(), 1U) << "there may be an order";
}

TEST_F(PurchaseCharges, ThatAreDeclinedAreNotPaidBack) {
  outcome = ChargeOutcome::declined;
  EXPECT_EQ(sell(Milliseconds{5}, [] { return Sold{}; }).outcome, Outcome::payment_failed);
  EXPECT_TRUE(refunded.empty());
}

TEST_F(PurchaseCharges, AreNotDueWhereTheSaleHasNoHold) {
  purchase.terms.hold = Milliseconds{0};
  EXPECT_EQ(sell(Milliseconds{5}, [] { return Sold{.outcome = Outcome::done}; }).outcome, Outcome::done);
  EXPECT_TRUE(charged.empty());
}

TEST_F(PurchaseCharges, ComeAfterTheOrderWhereThatIsWanted) {
  options.pay = PayTime::after;
  PurchaseCharge charge(options, purchase);
  EXPECT_FALSE(charge.is_paid_when_written());
  EXPECT_EQ(charge.charge_inside(), std::nullopt);
  EXPECT_TRUE(charged.empty());
  EXPECT_EQ(charge.charge(), std::nullopt);
  EXPECT_EQ(charged.size(), 1U);
  charge.keep();
}

}  // namespace
}  // namespace firstcome::engine
