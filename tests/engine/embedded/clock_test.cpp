// Holds follow the engine's own time, opening hours follow the wall clock, and a clock that was wrong heals.
#include "engine/embedded/embedded_harness.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>

namespace firstcome::test {
namespace {

using namespace std::chrono_literals;

class EngineClock : public ::testing::Test {
 protected:
  EngineClock() {
    harness.wall_ahead = std::make_shared<Milliseconds>(0);
    harness.reopen();
  }
  Instant wall() const { return harness.clock().now() + *harness.wall_ahead; }
  SaleTerms hours(std::string id, Milliseconds opens_in) const {
    SaleTerms terms = terms_of(std::move(id), 10);
    terms.hold = 60s;
    terms.opens_at = wall() + opens_in;
    return terms;
  }
  SaleView sale(const std::string& id) { return harness.ask(GetSale{id}).value().sale; }

  EmbeddedHarness harness{{}, TemporaryFolder::Where::memory};
};

TEST_F(EngineClock, ASaleOpensWhenTheWallClockSaysSoThoughThatWasMoved) {
  harness.ask(CreateSale{hours("before", 1h + 3s)}).value();
  *harness.wall_ahead = 1h;  // the time server was reached late
  harness.ask(CreateSale{hours("after", 3s)}).value();
  EXPECT_EQ(sale("after").state, SaleState::scheduled);
  const ReserveAnswer early = harness.ask(Reserve{"after", "a", 1, {}, {}}).value();
  EXPECT_EQ(early.outcome, Outcome::sale_not_open);
  EXPECT_EQ(early.retry_after, 3s);
  harness.advance(3s);
  EXPECT_EQ(sale("after").state, SaleState::open);
  EXPECT_EQ(sale("before").state, SaleState::open);
  EXPECT_EQ(harness.ask(Reserve{"after", "a", 1, {}, {}}).value().outcome, Outcome::done);
  EXPECT_EQ(harness.engine().counters().clock_steps, 1U) << "noticed, and told once";
  EXPECT_EQ(harness.engine().counters().wall_ahead_ms, 3'600'000);
}

TEST_F(EngineClock, AClockThatGoesBackMakesASaleWaitForItsOpeningAndClosing) {
  SaleTerms terms = hours("s", 10s);
  terms.closes_at = wall() + 2h;
  harness.ask(CreateSale{terms}).value();
  *harness.wall_ahead = -1h;
  harness.advance(10s);
  EXPECT_EQ(sale("s").state, SaleState::scheduled);
  harness.advance(1h);
  EXPECT_EQ(sale("s").state, SaleState::open);
  harness.advance(2h - 11s);
  EXPECT_EQ(sale("s").state, SaleState::open) << "by its own time it would have closed an hour ago";
  harness.advance(1s);
  EXPECT_EQ(sale("s").state, SaleState::closed);
}

TEST_F(EngineClock, HoldsDoNotFollowAClockThatIsMoved) {
  harness.ask(CreateSale{terms_of("s", 10)}).value();
  for (const Milliseconds step : {Milliseconds{1h}, Milliseconds{-2h}}) {
    harness.ask(Reserve{"s", "a", 1, {}, {}}).value();
    *harness.wall_ahead += step;
    harness.advance(59'999ms);
    EXPECT_EQ(sale("s").held, 1);
    harness.advance(1ms);
    EXPECT_EQ(sale("s").held, 0);
  }
}

TEST_F(EngineClock, TicksGoOnWhereTheClockGoesBack) {
  SaleTerms terms = hours("s", 0ms);
  terms.standby = Standby::yes;
  terms.queue = QueueTerms{1, 1s};
  harness.ask(CreateSale{terms}).value();
  harness.advance(2h);
  for (const char* customer : {"a", "b", "c"}) harness.ask(Reserve{"s", customer, 1, {}, {}}).value();
  harness.advance(1s);
  EXPECT_EQ(sale("s").held, 1);
  *harness.wall_ahead = -1h;
  static_cast<void>(sale("s"));
  harness.advance(1s);
  EXPECT_EQ(sale("s").held, 2) << "and not in an hour";
  harness.reopen();
  harness.advance(1s);
  EXPECT_EQ(sale("s").held, 3);
}

TEST_F(EngineClock, AStoreThatWasServedWithAClockThatWasAheadHealsLittleByLittle) {
  *harness.wall_ahead = 0ms;
  harness.close();
  harness.advance(1h);
  harness.reopen();
  harness.ask(CreateSale{terms_of("s", 1'000)}).value();
  harness.close();
  harness.advance(-1h);
  harness.reopen();
  harness.ask(CreateSale{hours("later", 30min)}).value();
  EXPECT_EQ(sale("later").state, SaleState::scheduled) << "opening hours are right at once";
  const auto ahead = [&] { return harness.reserve("a").value().created_at - wall(); };
  EXPECT_EQ(ahead(), 1h);
  harness.advance(50h);
  EXPECT_EQ(ahead(), 30min);
  EXPECT_EQ(sale("later").state, SaleState::open);
  harness.advance(60h);
  EXPECT_EQ(ahead(), 0ms);
  harness.advance(1h);
  EXPECT_EQ(ahead(), 0ms);
}

TEST_F(EngineClock, WhoWaitsLooksAtTheClocksEverySecond) {
  harness.ask(CreateSale{hours("s", 24h)}).value();
  const auto before = std::chrono::steady_clock::now();
  const auto next = harness.engine().turn();
  ASSERT_TRUE(next);
  EXPECT_LE(*next - before, 1s + (std::chrono::steady_clock::now() - before));
}

}  // namespace
}  // namespace firstcome::test
