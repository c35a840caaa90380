#include "payment/simulated_gateway.hpp"

#include <boost/asio/io_context.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>

namespace firstcome::payment {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

std::string key_of(int i) { return "reservation-" + std::to_string(i); }

SimulatedGatewayOptions failing(std::uint64_t seed) {
  SimulatedGatewayOptions options;
  options.before = 0.2;
  options.during = 0.2;
  options.seed = seed;
  return options;
}

TEST(SimulatedGateway, GivesAKeyTheSameOutcomeAlways) {
  for (int i = 0; i < 1000; ++i) {
    const ChargeResult first = simulated_outcome(failing(1), key_of(i));
    const ChargeResult again = simulated_outcome(failing(1), key_of(i));
    EXPECT_EQ(first.outcome, again.outcome);
    EXPECT_EQ(first.payment_id, again.payment_id);
    EXPECT_EQ(first.account_number, again.account_number);
  }
}

// Stored reservations are settled after an upgrade with the outcomes of before: these must never change.
TEST(SimulatedGateway, GivesTheSameOutcomesInEveryVersion) {
  std::string outcomes;
  for (int i = 0; i < 24; ++i) {
    outcomes += simulated_outcome(failing(7), key_of(i)).outcome == ChargeOutcome::charged ? 'c' : 'd';
  }
  EXPECT_EQ(outcomes, "cdddcddddcdcdccdccdddcdc");
  const ChargeResult result = simulated_outcome({}, "reservation-1");
  EXPECT_EQ(result.payment_id, "sim-61a545a450278647");
  EXPECT_EQ(result.account_number, "953-052-874703");
}

TEST(SimulatedGateway, NeverFailsUnlessToldTo) {
  for (int i = 0; i < 10'000; ++i) EXPECT_EQ(simulated_outcome({}, key_of(i)).outcome, ChargeOutcome::charged);
}

TEST(SimulatedGateway, FailsTheSharesThatItIsTold) {
  constexpr int charges = 100'000;
  int before = 0;
  int during = 0;
  for (int i = 0; i < charges; ++i) {
    const ChargeResult result = simulated_outcome(failing(3), key_of(i));
    const bool is_before = result.detail.find("before") != std::string::npos;
    EXPECT_EQ(result.outcome == ChargeOutcome::refused, is_before);
    before += is_before ? 1 : 0;
    during += result.detail.find("during") != std::string::npos ? 1 : 0;
  }
  EXPECT_NEAR(before, charges * 0.2, 700);  // five standard deviations
  EXPECT_NEAR(during, charges * 0.8 * 0.2, 700);
}

TEST(SimulatedGateway, FailsOthersWithAnotherSeed) {
  int different = 0;
  for (int i = 0; i < 1000; ++i) {
    different += simulated_outcome(failing(1), key_of(i)).outcome != simulated_outcome(failing(2), key_of(i)).outcome;
  }
  EXPECT_GT(different, 300);
}

TEST(SimulatedGateway, NamesEveryPaymentDifferently) {
  std::set<std::string> ids;
  for (int i = 0; i < 10'000; ++i) ids.insert(simulated_outcome({}, key_of(i)).payment_id);
  EXPECT_EQ(ids.size(), 10'000U);
}

TEST(SimulatedGateway, AnswersAfterItsDelayUnlessItFailedBefore) {
  SimulatedGatewayOptions options = failing(1);
  options.delay = 30ms;
  boost::asio::io_context io{1};
  SimulatedGateway gateway(io.get_executor(), options);
  const auto start = std::chrono::steady_clock::now();
  int answered = 0;
  for (int i = 0; i < 100; ++i) {
    const bool at_once = simulated_outcome(options, key_of(i)).detail == "simulated: failed before payment";
    gateway.charge({key_of(i), 1, "KRW"}, [&answered, at_once, start](ChargeResult) {
      ++answered;
      if (!at_once) {
        EXPECT_GE(std::chrono::steady_clock::now() - start, 30ms);
      }
    });
  }
  EXPECT_EQ(answered, 0);
  io.poll();
  EXPECT_GT(answered, 0);
  io.run();
  EXPECT_EQ(answered, 100);
}

TEST(SimulatedGateway, PaysBackAlways) {
  boost::asio::io_context io{1};
  SimulatedGateway gateway(io.get_executor(), failing(1));
  RefundOutcome outcome = RefundOutcome::failed;
  gateway.refund("x", [&outcome](RefundOutcome given) { outcome = given; });
  io.run();
  EXPECT_EQ(outcome, RefundOutcome::refunded);
}

TEST(ParseSimulatedGateway, ReadsItsMembers) {
  SimulatedGatewayOptions all = failing(1);
  all.delay = 50ms;
  EXPECT_EQ(parse_simulated_gateway("before=0.2,during=0.2,delay_ms=50,seed=1"), all);
  EXPECT_EQ(parse_simulated_gateway("seed=1,delay_ms=50,during=0.2,before=0.2"), all);
  EXPECT_EQ(parse_simulated_gateway(""), SimulatedGatewayOptions{});
  SimulatedGatewayOptions most;
  most.before = 1;
  EXPECT_EQ(parse_simulated_gateway("before=1"), most);
}

TEST(ParseSimulatedGateway, SaysWhichMemberIsWrongAndWhy) {
  struct Case {
    const char* text;
    const char* says;
  };
  for (const Case& one : {Case{"before=1.1", "before must be a share from 0 to 1"},
                          {"during=-0.1", "during must be a share from 0 to 1"},
                          {"before=nan", "before must be a share"},
                          {"before=0.2x", "before must be a share"},
                          {"before=", "before must be a share"},
                          {"delay_ms=-1", "delay_ms must be an integer from 0 to 60000"},
                          {"delay_ms=60001", "delay_ms must be"},
                          {"delay_ms=1.5", "delay_ms must be"},
                          {"seed=x", "seed must be an integer"},
                          {"seed=-1", "seed must be an integer"},
                          {"delay=5", "there is no member \"delay\""},
                          {"before", "\"before\" is not NAME=VALUE"},
                          {"seed=1,", "is not NAME=VALUE"},
                          {",seed=1", "is not NAME=VALUE"},
                          {"seed=1,seed=2", "seed is given twice"}}) {
    const auto options = parse_simulated_gateway(one.text);
    ASSERT_FALSE(options) << one.text;
    EXPECT_THAT(options.error(), HasSubstr(one.says));
  }
}

}  // namespace
}  // namespace firstcome::payment
