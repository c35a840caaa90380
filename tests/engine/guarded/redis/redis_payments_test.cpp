// Charges within a request, inside the guard and after it, and who writes after the lock has passed to another.
#include "engine/guarded/guarded_harness.hpp"

#include <gmock/gmock.h>

#include <array>
#include <atomic>
#include <set>

namespace firstcome::test {
namespace {

using engine::Fencing;
using engine::GuardedOptions;
using engine::GuardKind;
using engine::PayTime;
using ::testing::Contains;
using ::testing::HasSubstr;

/// Declines every third charge, and knows what was charged and not paid back.
class Till {
 public:
  ChargeResult charge(const ChargeRequest& request) {
    const std::lock_guard lock(mutex_);
    if (++asked_ % 3 == 0) return said(ChargeOutcome::declined);
    EXPECT_TRUE(charged_.insert(request.key).second) << "charged twice";
    EXPECT_EQ(request.amount, 1'000);
    return said(ChargeOutcome::charged);
  }
  void refund(const std::string& key) {
    const std::lock_guard lock(mutex_);
    charged_.erase(key);
  }
  std::size_t kept() const {
    const std::lock_guard lock(mutex_);
    return charged_.size();
  }

  void serve(GuardedOptions& options) {
    options.charge = [this](const ChargeRequest& request) { return charge(request); };
    options.refund = [this](const std::string& key) { refund(key); };
  }

 private:
  mutable std::mutex mutex_;
  int asked_ = 0;
  std::set<std::string> charged_;
};

struct PaymentCase {
  GuardKind guard;
  PayTime pay;
};

class GuardedPayments : public ::testing::TestWithParam<PaymentCase> {};

TEST_P(GuardedPayments, ThatFailGiveTheUnitsBackAndNobodyPaysForNothing) {
  FIRSTCOME_NEEDS_REDIS();
  const testing::RedisServer server;
  Till till;
  GuardedOptions options = guarded_over(server, GetParam().guard);
  options.pay = GetParam().pay;
  till.serve(options);
  const GuardedNodes nodes = guarded_nodes(2, options);
  ASSERT_TRUE(nodes[0]->ask(CreateSale{charging(20)}));
  Told told = crowd(nodes, 64);
  EXPECT_GT(told[Outcome::payment_failed], 0);
  // Who came while units were on their way back was told that there are none: some may be left.
  for (int i = 0; i < 60 && nodes[0]->sale().available > 0; ++i) {
    ++told[nodes[0]->reserve("late-" + std::to_string(i)).outcome];
  }
  EXPECT_EQ(told[Outcome::done], 20);
  const AuditAnswer audit = nodes[0]->audit();
  EXPECT_EQ(audit.sold, 20);
  EXPECT_EQ(audit.held, 0);
  EXPECT_EQ(audit.available, 0);
  EXPECT_TRUE(audit.ok) << ::testing::PrintToString(audit.mismatches);
  EXPECT_EQ(till.kept(), 20U);
}

INSTANTIATE_TEST_SUITE_P(Ways, GuardedPayments,
                         ::testing::Values(PaymentCase{GuardKind::fifo, PayTime::inside},
                                           PaymentCase{GuardKind::fifo, PayTime::after},
                                           PaymentCase{GuardKind::setnx_try, PayTime::after},
                                           PaymentCase{GuardKind::incr, PayTime::inside},
                                           PaymentCase{GuardKind::incr, PayTime::after}),
                         [](const auto& test) {
                           std::string name(text_of(test.param.guard));
                           std::erase(name, '-');
                           return name + (test.param.pay == PayTime::inside ? "Inside" : "After");
                         });

TEST(GuardedPaymentsAfter, ShowTheOrderAsHeldWhileItIsChargedAndTakeItBackWhenThatFails) {
  FIRSTCOME_NEEDS_REDIS();
  const testing::RedisServer server;
  Door door;
  GuardedOptions options = guarded_over(server, GuardKind::fifo);
  options.pay = PayTime::after;
  options.charge = [&](const ChargeRequest&) {
    door.pass();
    return said(ChargeOutcome::declined);
  };
  GuardedNode node(options);
  ASSERT_TRUE(node.ask(CreateSale{charging(2)}));
  Asked asked;
  asked.command = Reserve{"s", "ann", 1, {}, {7, 7}};
  node.engine().submit(asked);
  door.wait_until_somebody_came();
  EXPECT_EQ(node.sale().held, 1);
  EXPECT_EQ(node.sale().available, 1);
  EXPECT_EQ(node.reserve("ann", 1, {7, 7}).outcome, Outcome::request_in_progress);
  const auto reservations = node.ask(ListReservations{.sale = "s", .customer = {}}).value();
  ASSERT_EQ(reservations.items.size(), 1U);
  EXPECT_EQ(reservations.items[0].state, ReservationState::held);
  door.open();
  node.finish(asked);
  EXPECT_EQ(asked.as<ReserveAnswer>().outcome, Outcome::payment_failed);
  EXPECT_EQ(node.sale().available, 2);
  EXPECT_EQ(node.sale().held, 0);
  EXPECT_EQ(node.ask(GetReservation{reservations.items[0].ref})->outcome, Outcome::reservation_not_found);
  EXPECT_EQ(node.reserve("ann", 1, {7, 7}).outcome, Outcome::payment_failed) << "the key is free again";
}

TEST(GuardedPaymentsInside, WhoseGatewayIsAwaySellNothing) {
  FIRSTCOME_NEEDS_REDIS();
  const testing::RedisServer server;
  GuardedOptions options = guarded_over(server, GuardKind::fifo);
  std::atomic<int> refunds = 0;
  std::atomic<ChargeOutcome> outcome = ChargeOutcome::unreachable;
  options.charge = [&](const ChargeRequest&) { return said(outcome); };
  options.refund = [&](const std::string&) { ++refunds; };
  GuardedNode node(options);
  ASSERT_TRUE(node.ask(CreateSale{charging(2)}));
  EXPECT_EQ(node.reserve("ann").outcome, Outcome::gateway_unavailable);
  EXPECT_EQ(refunds, 0) << "surely not charged";
  outcome = ChargeOutcome::unknown;
  EXPECT_EQ(node.reserve("ann").outcome, Outcome::gateway_unavailable);
  EXPECT_EQ(refunds, 1) << "may have been charged";
  EXPECT_EQ(node.sale().available, 2);
}

/// Two nodes and one unit. The first seller has read, and is held up until its lease has passed to the second, who
/// sells the unit. Then the first goes on.
struct PausedHolder {
  explicit PausedHolder(Fencing fencing) {
    GuardedOptions options = guarded_over(server, GuardKind::fifo);
    options.fencing = fencing;
    options.lease = Milliseconds{200};
    till.serve(options);
    options.between_read_and_write = [this] {
      if (!first_has_come.exchange(true)) door.pass();
    };
    nodes = guarded_nodes(2, options);
    EXPECT_TRUE(nodes[0]->ask(CreateSale{charging(1)}));
    Asked asked;
    asked.command = Reserve{"s", "paused", 1, {}, {}};
    nodes[0]->engine().submit(asked);
    door.wait_until_somebody_came();
    other = nodes[1]->reserve("other").outcome;
    door.open();
    nodes[0]->finish(asked);
    paused = asked.as<ReserveAnswer>().outcome;
    audit = nodes[0]->audit();
  }

  const testing::RedisServer server;
  Till till;
  Door door;
  std::atomic<bool> first_has_come = false;
  GuardedNodes nodes;
  Outcome other{};
  Outcome paused{};
  AuditAnswer audit;
};

TEST(GuardedFencing, WithoutItAHolderThatWasPausedSellsTheSameUnitAgain) {
  FIRSTCOME_NEEDS_REDIS();
  const PausedHolder holder(Fencing::off);
  EXPECT_EQ(holder.other, Outcome::done);
  EXPECT_EQ(holder.paused, Outcome::done);
  EXPECT_EQ(holder.audit.sold, 2);
  EXPECT_THAT(holder.audit.mismatches, Contains(HasSubstr("a read 1 at ")));
  EXPECT_THAT(holder.audit.mismatches, Contains(HasSubstr("both sold the last unit, orders 1 and 2")));
}

TEST(GuardedFencing, WithItAHolderThatWasPausedIsRefusedReadsAgainAndIsNotCharged) {
  FIRSTCOME_NEEDS_REDIS();
  const PausedHolder holder(Fencing::on);
  EXPECT_EQ(holder.other, Outcome::done);
  EXPECT_EQ(holder.paused, Outcome::sold_out);
  EXPECT_EQ(holder.audit.sold, 1);
  EXPECT_TRUE(holder.audit.ok);
  EXPECT_EQ(holder.till.kept(), 1U);
}

TEST(GuardedFencing, WithItALateWriteBetweenTheNextOnesReadAndWriteIsSeen) {
  FIRSTCOME_NEEDS_REDIS();
  const testing::RedisServer server;
  std::array<Door, 2> doors;
  std::atomic<std::size_t> come = 0;
  GuardedOptions options = guarded_over(server, GuardKind::fifo);
  options.fencing = Fencing::on;
  options.lease = Milliseconds{200};
  options.between_read_and_write = [&] {
    if (const std::size_t which = come++; which < doors.size()) doors.at(which).pass();
  };
  GuardedNodes nodes = guarded_nodes(2, options);
  SaleTerms terms = charging(1);
  terms.hold = Milliseconds{0};
  ASSERT_TRUE(nodes[0]->ask(CreateSale{terms}));
  Asked late;
  late.command = Reserve{"s", "late", 1, {}, {}};
  nodes[0]->engine().submit(late);
  doors[0].wait_until_somebody_came();
  Asked next;
  next.command = Reserve{"s", "next", 1, {}, {}};
  nodes[1]->engine().submit(next);
  doors[1].wait_until_somebody_came();  // the lease has passed to it, and it has read
  doors[0].open();
  nodes[0]->finish(late);
  doors[1].open();
  nodes[1]->finish(next);
  EXPECT_EQ(late.as<ReserveAnswer>().outcome, Outcome::done);
  EXPECT_EQ(next.as<ReserveAnswer>().outcome, Outcome::sold_out);
  EXPECT_EQ(nodes[0]->audit().sold, 1);
}

}  // namespace
}  // namespace firstcome::test
