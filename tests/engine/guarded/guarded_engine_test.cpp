// What every guarded engine answers, over the inventory that starts fastest.
#include "engine/guarded/guarded_clerk.hpp"
#include "engine/guarded/guarded_harness.hpp"

#include <gmock/gmock.h>

namespace firstcome::test {
namespace {

using engine::GuardedOptions;
using engine::GuardKind;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class GuardedEngineTest : public ::testing::Test {
 protected:
  void SetUp() override {
    FIRSTCOME_NEEDS_REDIS();
    server_ = std::make_unique<testing::RedisServer>();
    options_ = guarded_over(*server_, GuardKind::mutex);
  }

  GuardedNode& open() {
    node_ = std::make_unique<GuardedNode>(options_);
    return *node_;
  }

  std::unique_ptr<testing::RedisServer> server_;
  GuardedOptions options_;
  std::unique_ptr<GuardedNode> node_;
};

TEST_F(GuardedEngineTest, CreatesASaleOnceAndTellsItAgain) {
  GuardedNode& node = open();
  const SaleAnswer made = node.ask(CreateSale{coupon(20)}).value();
  EXPECT_EQ(made.outcome, Outcome::done);
  EXPECT_EQ(made.sale.available, 20);
  EXPECT_EQ(node.ask(CreateSale{coupon(20)})->outcome, Outcome::unchanged);
  EXPECT_EQ(node.ask(CreateSale{coupon(21)})->outcome, Outcome::sale_exists);
  const SaleView sale = node.sale();
  EXPECT_EQ(sale.terms, coupon(20));
  EXPECT_EQ(sale.handle, made.sale.handle);
  EXPECT_EQ(sale.state, SaleState::open);
  EXPECT_EQ(node.ask(GetSale{"nobody"})->outcome, Outcome::sale_not_found);
}

TEST_F(GuardedEngineTest, ListsSalesById) {
  GuardedNode& node = open();
  for (const char* id : {"c", "a", "b"}) {
    SaleTerms terms = coupon(1);
    terms.id = id;
    ASSERT_EQ(node.ask(CreateSale{terms})->outcome, Outcome::done);
  }
  const SalesAnswer first = node.ask(ListSales{.after = {}, .limit = 2}).value();
  ASSERT_EQ(first.items.size(), 2U);
  EXPECT_EQ(first.items[0].terms.id, "a");
  EXPECT_EQ(first.next, "b");
  const SalesAnswer rest = node.ask(ListSales{.after = first.next, .limit = 2}).value();
  ASSERT_EQ(rest.items.size(), 1U);
  EXPECT_EQ(rest.items[0].terms.id, "c");
  EXPECT_EQ(rest.next, "");
}

TEST_F(GuardedEngineTest, SellsAndTellsWhatItSold) {
  GuardedNode& node = open();
  ASSERT_TRUE(node.ask(CreateSale{coupon(2)}));
  const ReserveAnswer first = node.ask(Reserve{"s", "ann", 1, "door 3", {}}).value();
  EXPECT_EQ(first.outcome, Outcome::done);
  EXPECT_EQ(first.state, ReservationState::confirmed);
  EXPECT_EQ(first.ref.number, Number{1});
  EXPECT_EQ(first.amount, 1'000);
  EXPECT_EQ(node.reserve("bob").ref.number, Number{2});
  EXPECT_EQ(node.reserve("cid").outcome, Outcome::sold_out);
  EXPECT_EQ(node.ask(Reserve{"nobody", "ann", 1, {}, {}})->outcome, Outcome::sale_not_found);

  const ReservationAnswer found = node.ask(GetReservation{first.ref}).value();
  EXPECT_EQ(found.outcome, Outcome::done);
  EXPECT_EQ(found.reservation.customer, "ann");
  EXPECT_EQ(found.reservation.reference, "door 3");
  EXPECT_EQ(found.reservation.state, ReservationState::confirmed);
  EXPECT_EQ(found.reservation.created_at, first.created_at);
  EXPECT_EQ(node.ask(GetReservation{{first.ref.sale, Number{3}}})->outcome, Outcome::reservation_not_found);
  EXPECT_EQ(node.ask(GetReservation{{SaleHandle{99}, Number{1}}})->outcome, Outcome::reservation_not_found);

  const ReservationsAnswer of_bob = node.ask(ListReservations{.sale = "s", .customer = "bob"}).value();
  ASSERT_EQ(of_bob.items.size(), 1U);
  EXPECT_EQ(of_bob.items[0].ref.number, Number{2});
  const ReservationsAnswer page =
      node.ask(ListReservations{.sale = "s", .customer = {}, .after = {}, .limit = 1}).value();
  EXPECT_EQ(page.next, Number{1});
  EXPECT_EQ(node.sale().state, SaleState::sold_out);
  EXPECT_EQ(node.sale().sold, 2);
  EXPECT_TRUE(node.audit().ok);
}

TEST_F(GuardedEngineTest, ASecondNodeFindsTheSaleAndTheReservationsOfTheFirst) {
  GuardedNode& node = open();
  ASSERT_TRUE(node.ask(CreateSale{coupon(2)}));
  const ReserveAnswer sold = node.reserve("ann");
  GuardedNode other(options_);
  EXPECT_EQ(other.engine().secret(), node.engine().secret());
  EXPECT_EQ(other.ask(GetReservation{sold.ref})->reservation.customer, "ann");
  EXPECT_EQ(other.reserve("bob").ref.number, Number{2});
}

TEST_F(GuardedEngineTest, RefusesWhatDoesNotFit) {
  GuardedNode& node = open();
  SaleTerms terms = coupon(5);
  terms.limit_per_customer = 3;
  ASSERT_TRUE(node.ask(CreateSale{terms}));
  EXPECT_EQ(node.reserve("ann", 2).outcome, Outcome::done);
  const ReserveAnswer over = node.reserve("ann", 2);
  EXPECT_EQ(over.outcome, Outcome::limit_exceeded);
  EXPECT_EQ(over.left, 1);
  EXPECT_EQ(node.reserve("bob", 2).outcome, Outcome::done);
  const ReserveAnswer short_by_one = node.reserve("cid", 2);
  EXPECT_EQ(short_by_one.outcome, Outcome::not_enough);
  EXPECT_EQ(short_by_one.left, 1);
}

TEST_F(GuardedEngineTest, GivesTheSameKeyTheSameAnswer) {
  GuardedNode& node = open();
  ASSERT_TRUE(node.ask(CreateSale{coupon(1)}));
  const ReserveAnswer first = node.reserve("ann", 1, {7, 7});
  const ReserveAnswer again = node.reserve("ann", 1, {7, 7});
  EXPECT_EQ(again.outcome, Outcome::unchanged);
  EXPECT_EQ(again.ref, first.ref);
  EXPECT_EQ(again.created_at, first.created_at);
  EXPECT_EQ(node.reserve("ann", 2, {7, 7}).outcome, Outcome::idempotency_key_reused);
  EXPECT_EQ(node.sale().sold, 1);
}

TEST_F(GuardedEngineTest, SaysWhichMemberOfASaleItCannotDo) {
  GuardedNode& node = open();
  const auto said = [&](auto change) {
    SaleTerms terms = coupon(1);
    change(terms);
    const auto answer = node.ask(CreateSale{terms});
    return answer || answer.error().code != FailureCode::not_supported ? "it was accepted" : answer.error().detail;
  };
  EXPECT_THAT(said([](SaleTerms& terms) { terms.queue = QueueTerms{}; }), HasSubstr("queue: "));
  EXPECT_THAT(said([](SaleTerms& terms) { terms.standby = Standby::yes; }), HasSubstr("standby: "));
  EXPECT_THAT(said([](SaleTerms& terms) { terms.opens_at = Instant{}; }), HasSubstr("opens_at: "));
  EXPECT_THAT(said([](SaleTerms& terms) { terms.closes_at = Instant{}; }), HasSubstr("closes_at: "));
  EXPECT_EQ(engine::unsupported_member(charging(1), options_), std::nullopt);
}

TEST_F(GuardedEngineTest, SaysThatItCannotDoTheRestAndHasNoWorkForOthers) {
  GuardedNode& node = open();
  ASSERT_TRUE(node.ask(CreateSale{coupon(1)}));
  EXPECT_EQ(node.ask(Cancel{}).error().code, FailureCode::not_supported);
  EXPECT_EQ(node.ask(PatchSale{}).error().code, FailureCode::not_supported);
  EXPECT_EQ(node.ask(DeleteSale{"s"}).error().code, FailureCode::not_supported);
  EXPECT_EQ(node.ask(ReadEvents{}).error().code, FailureCode::not_supported);
  EXPECT_EQ(node.ask(InspectLock{}).error().code, FailureCode::not_supported);
  EXPECT_TRUE(node.ask(TakePaymentTasks{})->tasks.empty());
  EXPECT_TRUE(node.ask(FindUndelivered{})->streams.empty());
}

TEST_F(GuardedEngineTest, IsOverloadedWhenMoreWaitThanMay) {
  Door door;
  options_.workers = 1;
  options_.queue_operations = 1;
  options_.between_read_and_write = [&] { door.pass(); };
  GuardedNode& node = open();
  ASSERT_TRUE(node.ask(CreateSale{coupon(5)}));
  std::vector<Asked> asked(3);
  for (std::size_t i = 0; i < asked.size(); ++i) {
    asked[i].command = Reserve{"s", std::string_view("abc").substr(i, 1), 1, {}, {}};
    node.engine().submit(asked[i]);
    if (i == 0) door.wait_until_somebody_came();
  }
  node.finish(asked[2]);
  EXPECT_EQ(asked[2].answer.error().code, FailureCode::overloaded);
  EXPECT_FALSE(asked[0].done);
  door.open();
  node.finish(asked[0]);
  node.finish(asked[1]);
  EXPECT_EQ(asked[1].as<ReserveAnswer>().outcome, Outcome::done);
}

TEST_F(GuardedEngineTest, EndsWhatIsUnderWayWhenItStopsAndRefusesTheRest) {
  Door door;
  options_.workers = 1;
  options_.between_read_and_write = [&] { door.pass(); };
  GuardedNode& node = open();
  ASSERT_TRUE(node.ask(CreateSale{coupon(5)}));
  std::vector<Asked> asked(3);
  for (std::size_t i = 0; i < 2; ++i) {
    asked[i].command = Reserve{"s", i == 0 ? "ann" : "bob", 1, {}, {}};
    node.engine().submit(asked[i]);
    if (i == 0) door.wait_until_somebody_came();
  }
  std::thread stopper([&] { node.engine().stop(); });
  node.finish(asked[1]);
  EXPECT_EQ(asked[1].answer.error().code, FailureCode::stopping);
  EXPECT_FALSE(asked[0].done);
  asked[2].command = GetSale{"s"};
  node.engine().submit(asked[2]);
  node.finish(asked[2]);
  EXPECT_EQ(asked[2].answer.error().code, FailureCode::stopping);
  door.open();
  stopper.join();
  node.finish(asked[0]);
  EXPECT_EQ(asked[0].as<ReserveAnswer>().outcome, Outcome::done);
  EXPECT_FALSE(node.engine().readiness().ready);
}

TEST_F(GuardedEngineTest, IsNotOpenedWhereOptionsDoNotFitOrNobodyAnswers) {
  GuardedOptions wrong = options_;
  wrong.guard = GuardKind::row_lock;
  EXPECT_EQ(engine::GuardedEngine::open(wrong).error().code, FailureCode::not_supported);
  server_->stop();
  EXPECT_EQ(engine::GuardedEngine::open(options_).error().code, FailureCode::store_unavailable);
}

TEST_F(GuardedEngineTest, SaysSoWhileTheInventoryIsAwayAndSellsAgainWhenItIsBack) {
  server_ = std::make_unique<testing::RedisServer>(
      testing::RedisServerOptions{.lines = {"appendonly yes", "appendfsync always"}});
  options_ = guarded_over(*server_, GuardKind::mutex);
  GuardedNode& node = open();
  ASSERT_TRUE(node.ask(CreateSale{coupon(5)}));
  ASSERT_EQ(node.reserve("ann").outcome, Outcome::done);
  EXPECT_TRUE(node.engine().readiness().ready);
  server_->kill();
  const auto away = node.ask(Reserve{"s", "bob", 1, {}, {}});
  ASSERT_FALSE(away);
  EXPECT_EQ(away.error().code, FailureCode::store_unavailable);
  EXPECT_TRUE(testing::eventually([&] {  // for a second after each failure
    EXPECT_FALSE(node.ask(Reserve{"s", "bob", 1, {}, {}}));
    return !node.engine().readiness().ready;
  }));
  server_->start();
  EXPECT_TRUE(testing::eventually([&] {
    const auto back = node.ask(Reserve{"s", "bob", 1, {}, {}});
    return back && back->outcome == Outcome::done;
  }));
  EXPECT_EQ(node.audit().sold, 2);
}

TEST_F(GuardedEngineTest, TellsWhatWasPaid) {
  options_.charge = [](const ChargeRequest&) { return ChargeResult{ChargeOutcome::charged, "p-1", "110-1", {}}; };
  const Payment payment{"p-1", "110-1"};
  std::uint64_t key = 0;
  for (const GuardKind guard : {GuardKind::mutex, GuardKind::incr, GuardKind::sadd_incr, GuardKind::limiter}) {
    for (const engine::PayTime pay : {engine::PayTime::inside, engine::PayTime::after}) {
      SCOPED_TRACE(engine::text_of(guard));
      options_.guard = guard;
      options_.pay = pay;
      GuardedNode& node = open();
      SaleTerms terms = charging(3);
      terms.id = "s" + std::to_string(++key);
      if (guard == GuardKind::sadd_incr) terms.limit_per_customer = 1;
      ASSERT_EQ(node.ask(CreateSale{terms})->outcome, Outcome::done);
      const Reserve wanted{terms.id, "ann", 1, {}, {.high = key, .low = 1}};
      const ReserveAnswer sold = node.ask(wanted).value();
      ASSERT_EQ(sold.outcome, Outcome::done);
      EXPECT_EQ(sold.payment, payment);
      const ReserveAnswer again = node.ask(wanted).value();
      EXPECT_EQ(again.outcome, Outcome::unchanged);
      EXPECT_EQ(again.payment, payment);
      EXPECT_EQ(node.ask(GetReservation{sold.ref})->reservation.payment, payment);
      EXPECT_EQ(node.ask(ListReservations{.sale = terms.id, .customer = {}})->items.at(0).payment, payment);
    }
  }
}

}  // namespace
}  // namespace firstcome::test
