// Whole rushes, over real connections, against a shop that is honest or breaks one promise.
#include "rush/rush.hpp"

#include "rush/report.hpp"
#include "rush/rushed.hpp"
#include "support/redis_server.hpp"
#include "support/tcp_proxy.hpp"

#include <boost/json/parse.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ostream>

namespace firstcome::rush {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::coupon;
using testing::crowd_for;
using testing::FakeShop;
using testing::FakeTerms;
using ::testing::HasSubstr;
using testing::Lie;
using testing::rushed;
using testing::ticket;

TEST(Rush, FindsAnHonestCouponFine) {
  FakeShop shop(coupon());
  RushOptions options = crowd_for(shop);
  options.double_click = 0.3;
  RushResult result = rushed(options);
  EXPECT_EQ(result.grade(), Grade::fine) << report(result);
  EXPECT_EQ(result.totals.asked, 200U);
  EXPECT_EQ(result.totals.sold, 50U);
  EXPECT_EQ(result.totals.refused.at("sold-out"), 150U);
  EXPECT_EQ(result.verdict.told_yes_has_it, 50U);
  EXPECT_GT(result.figures.clicks, 220U) << "some click twice";
  EXPECT_EQ(result.figures.finished, result.figures.clicks);
}

TEST(Rush, FindsAnHonestTicketFine) {
  FakeShop shop(ticket());
  RushOptions options = crowd_for(shop);
  options.double_click = 0.2;
  options.abandon = 0.3;
  options.units_each = {1, 2};
  RushResult result = rushed(options);
  EXPECT_EQ(result.grade(), Grade::fine) << report(result);
  EXPECT_EQ(result.after.sold, 50) << "units that come back are sold to those who wait";
  EXPECT_GT(result.totals.queued, 0U);
  EXPECT_GT(result.totals.payments_failed, 0U);
  EXPECT_GT(result.totals.expired, 0U);
  EXPECT_TRUE(result.settled);
}

TEST(Rush, TriesAgainWhereHoldsArePending) {
  FakeTerms terms = ticket();
  terms.standby = Standby::no;
  terms.declines_one_in = 2;
  FakeShop shop(terms);
  RushResult result = rushed(crowd_for(shop));
  EXPECT_EQ(result.grade(), Grade::fine) << report(result);
  EXPECT_EQ(result.after.sold, 50);
  EXPECT_EQ(result.totals.still_waiting, 0U);
}

TEST(Rush, WaitsForTheSaleToOpen) {
  FakeTerms terms = coupon();
  terms.opens_in = milliseconds{500};
  FakeShop shop(terms);
  RushResult result = rushed(crowd_for(shop, 60));
  EXPECT_EQ(result.grade(), Grade::fine) << report(result);
  EXPECT_EQ(result.totals.sold, 50U);
  EXPECT_TRUE(result.figures.reserve.contains("sale-not-open"));
}

TEST(Rush, AsksAgainWithTheSameKeyAfterAnUnknownOutcome) {
  FakeTerms terms = coupon();
  terms.unknown_one_in = 3;
  FakeShop shop(terms);
  RushResult result = rushed(crowd_for(shop));
  EXPECT_EQ(result.grade(), Grade::fine) << report(result);
  EXPECT_EQ(result.totals.sold, 50U);
  EXPECT_TRUE(result.figures.reserve.contains("outcome-unknown"));
}

TEST(Rush, SendsOneTwinOfADoubleClickEach) {
  FakeShop shop({.stock = 1'000});
  RushOptions options = crowd_for(shop, 100);
  options.double_click = 1;
  options.without_key = 0.5;
  RushResult result = rushed(options);
  EXPECT_EQ(result.grade(), Grade::fine) << report(result);
  EXPECT_EQ(result.figures.clicks, 200U);
  std::uint32_t without_key = 0;
  for (std::uint32_t customer = 0; customer < 100; ++customer)
    without_key += behaviour_of(options, customer).clicks == Behaviour::Clicks::twice_without_key ? 1 : 0;
  EXPECT_EQ(result.totals.asked, 100U + without_key) << "clicks without a key are requests of their own";
  EXPECT_EQ(result.totals.sold, 100U + without_key);
}

TEST(Rush, SpreadsOverSeveralTargets) {
  FakeShop shop(coupon()), other(coupon());
  RushOptions options = crowd_for(shop, 2'000);  // so many that the slower one has its share too
  options.targets.push_back({"127.0.0.1", other.port()});
  RushResult result = rushed(options);
  EXPECT_GT(shop.requests(), 50U);
  EXPECT_GT(other.requests(), 50U);
  EXPECT_GT(result.verdict.lost.count, 0U) << "these two share no store: what one sold is unknown to the other";
}

TEST(Rush, GoesOnWithTheOtherServersWhereOneIsDeadFromTheBeginning) {
  FakeShop shop(coupon());
  RushOptions options = crowd_for(shop);
  options.targets.insert(options.targets.begin(), {"127.0.0.1", firstcome::testing::free_port()});
  options.double_click = 0.3;
  RushResult result = rushed(options);
  EXPECT_EQ(result.grade(), Grade::fine) << report(result);
  EXPECT_EQ(result.totals.sold, 50U);
  EXPECT_EQ(result.totals.unanswered, 0U);
  EXPECT_EQ(result.figures.targets[1].unanswered, 0U);
  EXPECT_GT(result.figures.targets[1].requests, 200U);
}

TEST(Rush, GoesOnWithTheOtherServersWhereOneDiesMeanwhile) {
  FakeTerms terms = coupon();
  terms.answers_after = milliseconds{20};
  FakeShop shop(terms);
  firstcome::testing::TcpProxy dying(shop.port());
  RushOptions options = crowd_for(shop, 1'000);
  options.targets.insert(options.targets.begin(), {"127.0.0.1", dying.port()});
  bool dead = false;
  auto die = [&](const Progress& progress) {
    if (dead || progress.figures->clicks < 100) return;
    dead = true;
    dying.refuse();
    dying.cut();
  };
  auto result = run_rush(options, die, milliseconds{20});
  ASSERT_TRUE(result.has_value()) << result.error().detail;
  ASSERT_TRUE(dead);
  EXPECT_EQ(result->grade(), Grade::fine) << report(*result);
  EXPECT_EQ(result->totals.unanswered, 0U);
  const auto& targets = result->figures.targets;
  EXPECT_GT(targets[0].unanswered, 0U) << "it died between two requests: the test has no power";
  EXPECT_LE(targets[0].unanswered, 32U) << "each connection leaves it at its first failure";
  EXPECT_EQ(targets[1].unanswered + targets[1].failed, 0U);
  EXPECT_THAT(report(*result), HasSubstr(" requests, 0 unanswered, 0 failed\n"));
}

// --- each lie is caught --------------------------------------------------------------------------------------------

struct Caught {
  const char* name;
  FakeTerms terms;
  const Finding Verdict::* finding;
  const char* line;
};

void PrintTo(const Caught& caught, std::ostream* out) { *out << caught.name; }

class Lies : public ::testing::TestWithParam<Caught> {};

TEST_P(Lies, AreCaught) {
  FakeShop shop(GetParam().terms);
  RushOptions options = crowd_for(shop);
  options.double_click = 0.3;
  options.patience = seconds{2};
  RushResult result = rushed(options);
  EXPECT_EQ(result.grade(), Grade::promise_broken) << report(result);
  EXPECT_GT((result.verdict.*GetParam().finding).count, 0U) << report(result);
  EXPECT_THAT(report(result), HasSubstr(GetParam().line));
  EXPECT_THAT(report(result), HasSubstr("PROMISE BROKEN"));
}

FakeTerms without_limit(FakeTerms terms) {
  terms.limit.reset();
  return terms;
}

FakeTerms with_limit(FakeTerms terms) {
  terms.limit = 1;
  return terms;
}

INSTANTIATE_TEST_SUITE_P(
    Rush, Lies,
    ::testing::Values(
        Caught{"SellsMore", coupon(Lie::sells_more_than_there_is), &Verdict::oversold, "oversold              3\n"},
        Caught{"HidesIt", coupon(Lie::hides_what_it_oversold), &Verdict::oversold,
               "customers were told that they have 53 of 50 units"},
        Caught{"KeepsTheLast", coupon(Lie::keeps_the_last_unit), &Verdict::undersold, "undersold             1\n"},
        Caught{"NeverServes", ticket(Lie::never_serves_who_waits), &Verdict::undersold, "was told to wait and wants 1"},
        Caught{"Loses", coupon(Lie::loses_every_tenth), &Verdict::lost, "told confirmed, not in the sale"},
        Caught{"Forgets", coupon(Lie::forgets_every_tenth_sale), &Verdict::lost, ": told confirmed\n"},
        Caught{"Adds", coupon(Lie::adds_one_to_every_tenth), &Verdict::duplicated, "not told of it"},
        Caught{"IgnoresKeys", without_limit(coupon(Lie::ignores_keys)), &Verdict::duplicated,
               "asked once, with one key"},
        Caught{"SellsToTheRefused", coupon(Lie::sells_to_the_refused), &Verdict::duplicated, "told no"},
        Caught{"CountsDown", coupon(Lie::counts_down), &Verdict::out_of_order, "was answered before"},
        Caught{"GrantsTheSecond", ticket(Lie::grants_the_second_first), &Verdict::out_of_order, "was granted before"},
        Caught{"Sums", coupon(Lie::sums_are_wrong), &Verdict::equation, "of a stock of 50"},
        Caught{"Audit", coupon(Lie::audit_is_not_ok), &Verdict::audit, "stored 3 held, counted 2"}),
    [](const auto& param) { return std::string(param.param.name); });

TEST(Rush, CatchesASaleThatIgnoresItsLimit) {
  FakeShop shop(with_limit(coupon(Lie::ignores_the_limit)));
  RushOptions options = crowd_for(shop);
  options.double_click = 0.5;
  options.without_key = 1;
  RushResult result = rushed(options);
  EXPECT_EQ(result.grade(), Grade::promise_broken);
  EXPECT_GT(result.verdict.over_limit.count, 0U) << report(result);
}

// --- thresholds and validity ---------------------------------------------------------------------------------------

TEST(Rush, MissesAThreshold) {
  FakeTerms terms = coupon();
  terms.answers_after = milliseconds{20};
  FakeShop shop(terms);
  RushOptions options = crowd_for(shop, 50);
  options.max_p99_ms = 10;
  RushResult result = rushed(options);
  EXPECT_EQ(result.grade(), Grade::threshold_missed);
  EXPECT_THAT(report(result), HasSubstr("THRESHOLD MISSED: p99 of reservations is"));
  EXPECT_GE(result.reservations.quantile(0.01), milliseconds{19});
}

TEST(Rush, CountsALatencyFromTheArrivalNotFromTheSending) {
  FakeTerms terms = coupon();
  terms.answers_after = milliseconds{10};
  FakeShop shop(terms);
  RushOptions options = crowd_for(shop, 50);
  options.connections = 1;
  options.rate = 1'000;  // a tenth of that gets through: the last waits for all before it
  options.max_lag = seconds{10};
  RushResult result = rushed(options);
  EXPECT_GE(result.reservations.largest(), milliseconds{400}) << report(result);
}

TEST(Rush, KeepsAnEasyThreshold) {
  FakeShop shop(coupon());
  RushOptions options = crowd_for(shop);
  options.max_p99_ms = 20'000;
  EXPECT_EQ(rushed(options).grade(), Grade::fine);
}

TEST(Rush, ArrivesAtTheRateItIsAsked) {
  FakeShop shop(coupon());
  RushOptions options = crowd_for(shop, 200);
  options.rate = 400;
  options.max_lag = seconds{10};  // other programs may have the cores
  RushResult result = rushed(options);
  EXPECT_EQ(result.grade(), Grade::fine) << report(result);
  EXPECT_GE(result.figures.elapsed, milliseconds{497}) << "the last arrives 199 / 400 s after the first";
  EXPECT_EQ(result.figures.lag.count(), 200U);
}

TEST(Rush, IsInvalidWhereTheGeneratorWasLate) {
  FakeShop shop(coupon());
  RushOptions options = crowd_for(shop, 200);
  options.rate = 500;
  options.max_lag = milliseconds{50};
  bool held_up = false;
  auto hold_up_once = [&held_up](const Progress&) {  // on the generator's own thread
    const auto until = std::chrono::steady_clock::now() + milliseconds{held_up ? 0 : 200};
    while (std::chrono::steady_clock::now() < until) {
    }
    held_up = true;
  };
  auto result = run_rush(options, hold_up_once, milliseconds{50});
  ASSERT_TRUE(result.has_value());
  EXPECT_EQ(result->grade(), Grade::invalid);
  EXPECT_GT(result->figures.lag.quantile(0.99), milliseconds{50});
  EXPECT_THAT(report(*result), HasSubstr("INVALID: the generator was late"));
}

TEST(Rush, ABrokenPromiseIsWorseThanALateGenerator) {
  RushResult result;
  result.invalid = "late";
  result.missed = "slow";
  EXPECT_EQ(result.grade(), Grade::invalid);
  result.verdict.lost.add("r1");
  EXPECT_EQ(result.grade(), Grade::promise_broken);
}

// --- what cannot be rushed -----------------------------------------------------------------------------------------

TEST(Rush, SaysThatThereIsNoServer) {
  std::uint16_t port = 0;
  {
    FakeShop shop(coupon());
    port = shop.port();
  }
  RushOptions options;
  options.targets = {{"127.0.0.1", port}};
  options.sale = "fake";
  auto result = run_rush(options, {});
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().kind, RushFailure::Kind::unavailable);
  EXPECT_THAT(result.error().detail, HasSubstr("/v1/sales/fake"));
}

TEST(Rush, SaysThatThereIsNoSuchSale) {
  FakeShop shop(coupon());
  RushOptions options = crowd_for(shop);
  options.sale = "other";
  auto result = run_rush(options, {});
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().kind, RushFailure::Kind::refused);
}

TEST(Rush, GoesHomeWhenItsPatienceIsOver) {
  FakeTerms terms = coupon();
  terms.opens_in = std::chrono::hours{1};
  FakeShop shop(terms);
  RushOptions options = crowd_for(shop, 20);
  options.patience = milliseconds{300};
  RushResult result = rushed(options);
  EXPECT_TRUE(result.figures.sent_home);
  EXPECT_EQ(result.totals.still_waiting, 20U);
  EXPECT_LT(result.figures.elapsed, seconds{5});
}

TEST(Rush, ShowsProgressMeanwhile) {
  FakeShop shop(ticket(Lie::none));
  RushOptions options = crowd_for(shop);
  options.abandon = 1;
  int shown = 0;
  auto count_them = [&shown](const Progress& progress) {
    ++shown;
    EXPECT_EQ(progress.clicks_in_all, 200U);
    EXPECT_EQ(progress.sale->stock, 50);
  };
  auto result = run_rush(options, count_them, milliseconds{20});
  ASSERT_TRUE(result.has_value());
  EXPECT_GT(shown, 1);
}

TEST(Rush, TellsTheSameToMachines) {
  FakeShop shop(coupon(Lie::loses_every_tenth));
  RushResult result = rushed(crowd_for(shop));
  boost::json::value json = boost::json::parse(report_json(result));
  EXPECT_EQ(json.at("verdict").as_string(), "promise-broken");
  EXPECT_EQ(json.at("exit_code").as_int64(), 2);
  EXPECT_EQ(json.at("promises").at("lost").at("count").to_number<std::uint64_t>(), result.verdict.lost.count);
  EXPECT_EQ(json.at("promises").at("lost").at("first").as_array().size(), result.verdict.lost.first.size());
  EXPECT_EQ(json.at("totals").at("asked").to_number<std::uint64_t>(), 200U);
  EXPECT_TRUE(json.at("latency").at("reserve").as_object().contains("confirmed"));
}

TEST(Report, GroupsDigits) {
  EXPECT_EQ(grouped(std::int64_t{0}), "0");
  EXPECT_EQ(grouped(std::int64_t{999}), "999");
  EXPECT_EQ(grouped(std::int64_t{1'000}), "1 000");
  EXPECT_EQ(grouped(std::int64_t{-1'234'567}), "-1 234 567");
}

}  // namespace
}  // namespace firstcome::rush
