// Sales of a guarded engine whose units are held until their customers pay.
#include "engine/guarded/guarded_harness.hpp"
#include "support/temporary_folder.hpp"

#include <gmock/gmock.h>

#include <chrono>
#include <optional>

namespace firstcome::test {
namespace {

using namespace std::chrono_literals;
using engine::GuardedOptions;
using engine::GuardKind;
using testing::RedisServer;

struct Way {
  bool on_redis;
  GuardKind guard;
};

class GuardedHolds : public ::testing::TestWithParam<Way> {
 protected:
  void SetUp() override {
    if (GetParam().on_redis || engine::uses_locks(GetParam().guard)) {
      FIRSTCOME_NEEDS_REDIS();
      redis_.emplace();
    }
    if (GetParam().on_redis) {
      options = guarded_over(*redis_, GetParam().guard);
    } else {
      options.inventory = engine::parse_inventory_url("sqlite://" + (folder_.path() / "stock.db").string()).value();
      options.guard = GetParam().guard;
      if (redis_) options.locks = "redis://" + redis_->address();
    }
    options.workers = 4;
  }

  static SaleTerms ticket(Units stock, Milliseconds hold) {
    SaleTerms terms = terms_of("s", stock);
    terms.kind = SaleKind::ticket;
    terms.hold = hold;
    return terms;
  }
  static ReservationAnswer pay(GuardedNode& node, ReservationRef ref, Charge charge) {
    const auto begun = node.ask(BeginPayment{ref}).value();
    if (begun.outcome != Outcome::done) return begun;
    return node.ask(FinishPayment{ref, charge, {"p-1", "110-1"}}).value();
  }
  static ReservationState state_of(GuardedNode& node, ReservationRef ref) {
    return node.ask(GetReservation{ref}).value().reservation.state;
  }

  GuardedOptions options;

 private:
  TemporaryFolder folder_{TemporaryFolder::Where::memory};
  std::optional<RedisServer> redis_;
};

TEST_P(GuardedHolds, ArePaidOnce) {
  GuardedNode node(options);
  ASSERT_EQ(node.ask(CreateSale{ticket(2, 60s)})->outcome, Outcome::done);
  const ReserveAnswer held = node.reserve("ann");
  ASSERT_EQ(held.outcome, Outcome::done);
  EXPECT_EQ(held.state, ReservationState::held);
  EXPECT_EQ(node.sale().held, 1);
  EXPECT_EQ(node.sale().available, 1);
  EXPECT_EQ(pay(node, held.ref, Charge::unreachable).outcome, Outcome::gateway_unavailable);
  EXPECT_EQ(state_of(node, held.ref), ReservationState::held);
  EXPECT_FALSE(node.ask(GetReservation{held.ref}).value().reservation.payment);
  EXPECT_EQ(pay(node, held.ref, Charge::charged).reservation.payment, (Payment{"p-1", "110-1"}));
  EXPECT_EQ(node.ask(GetReservation{held.ref}).value().reservation.payment, (Payment{"p-1", "110-1"}));
  EXPECT_EQ(pay(node, held.ref, Charge::charged).outcome, Outcome::unchanged);
  EXPECT_EQ(state_of(node, held.ref), ReservationState::confirmed);
  EXPECT_EQ(node.sale().held, 0);
  EXPECT_EQ(node.sale().sold, 1);
  EXPECT_TRUE(node.audit().ok) << ::testing::PrintToString(node.audit().mismatches);
}

TEST_P(GuardedHolds, ComeBackWhenTheirPaymentFails) {
  GuardedNode node(options);
  ASSERT_TRUE(node.ask(CreateSale{ticket(1, 60s)}));
  const ReserveAnswer held = node.reserve("ann");
  EXPECT_EQ(node.reserve("bob").outcome, Outcome::sold_out_holds_pending);
  EXPECT_EQ(pay(node, held.ref, Charge::declined).outcome, Outcome::payment_failed);
  EXPECT_EQ(state_of(node, held.ref), ReservationState::cancelled);
  EXPECT_EQ(pay(node, held.ref, Charge::charged).outcome, Outcome::payment_failed) << "it was told";
  const ReserveAnswer next = node.reserve("bob");
  EXPECT_EQ(next.outcome, Outcome::done);
  EXPECT_EQ(pay(node, next.ref, Charge::charged).outcome, Outcome::done);
  EXPECT_EQ(node.reserve("cid").outcome, Outcome::sold_out);
  EXPECT_TRUE(node.audit().ok);
}

TEST_P(GuardedHolds, EndByThemselvesAlsoWhereTheServerWasStartedAgain) {
  std::optional<ReservationRef> ref;
  {
    GuardedNode first(options);
    ASSERT_TRUE(first.ask(CreateSale{ticket(1, 300ms)}));
    ref = first.reserve("ann").ref;
  }
  GuardedNode node(options);
  const auto deadline = std::chrono::steady_clock::now() + 30s;
  while (node.sale().available == 0) {
    ASSERT_LT(std::chrono::steady_clock::now(), deadline) << "the hold never ended";
    std::this_thread::yield();
  }
  EXPECT_EQ(state_of(node, *ref), ReservationState::expired);
  EXPECT_EQ(node.ask(BeginPayment{*ref}).value().outcome, Outcome::hold_expired);
  EXPECT_EQ(node.ask(FinishPayment{*ref, Charge::charged, {}}).value().outcome, Outcome::paid_unfulfilled)
      << "charged when it had ended: it is paid back";
  EXPECT_EQ(node.sale().available, 1);
  EXPECT_EQ(node.reserve("bob").outcome, Outcome::done);
}

TEST_P(GuardedHolds, AreOneOfACustomerWhereTheSaleSaysSo) {
  GuardedNode node(options);
  SaleTerms terms = ticket(5, 60s);
  terms.max_open = 1;
  ASSERT_EQ(node.ask(CreateSale{terms})->outcome, Outcome::done);
  const ReserveAnswer held = node.reserve("ann");
  EXPECT_EQ(held.outcome, Outcome::done);
  EXPECT_EQ(node.reserve("ann").outcome, Outcome::already_open);
  EXPECT_EQ(node.reserve("bob").outcome, Outcome::done);
  EXPECT_EQ(pay(node, held.ref, Charge::charged).outcome, Outcome::done);
  EXPECT_EQ(node.reserve("ann").outcome, Outcome::done) << "the first is not open any more";
  EXPECT_EQ(node.ask(CreateSale{terms})->outcome, Outcome::unchanged) << "the terms are kept as they were given";
}

TEST_P(GuardedHolds, AnswerTheSameKeyWithTheSameHold) {
  GuardedNode node(options);
  ASSERT_TRUE(node.ask(CreateSale{ticket(5, 60s)}));
  const KeyHash key{.high = 1, .low = 2};
  const ReserveAnswer held = node.reserve("ann", 1, key);
  ASSERT_EQ(held.outcome, Outcome::done);
  const ReserveAnswer again = node.reserve("ann", 1, key);
  EXPECT_EQ(again.outcome, Outcome::unchanged);
  EXPECT_EQ(again.ref, held.ref);
  EXPECT_EQ(again.state, ReservationState::held);
}

INSTANTIATE_TEST_SUITE_P(Guards, GuardedHolds,
                         ::testing::Values(Way{false, GuardKind::optimistic}, Way{false, GuardKind::conditional_update},
                                           Way{false, GuardKind::redisson}, Way{true, GuardKind::setnx_spin},
                                           Way{true, GuardKind::fifo}),
                         [](const auto& test) {
                           std::string name =
                               (test.param.on_redis ? "redis_" : "sqlite_") + std::string(text_of(test.param.guard));
                           std::erase(name, '-');
                           return name;
                         });

TEST(GuardedHoldsThatCannotBe, NameTheMemberAndTheGuard) {
  const TemporaryFolder folder(TemporaryFolder::Where::memory);
  GuardedOptions options;
  options.inventory = engine::parse_inventory_url("sqlite://" + (folder.path() / "stock.db").string()).value();
  options.guard = GuardKind::unique_key;
  GuardedNode node(options);
  SaleTerms terms = terms_of("s", 1);
  terms.hold = 1s;
  const auto refused = node.ask(CreateSale{terms});
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().detail, ::testing::HasSubstr("payment: a guarded engine with --guard unique-key cannot"));
  terms.max_open = 1;
  EXPECT_THAT(node.ask(CreateSale{terms}).error().detail, ::testing::HasSubstr("max_open: "));
}

}  // namespace
}  // namespace firstcome::test
