// Servers that serve nobody, or break a promise that only a whole rush shows.
#include "rush/report.hpp"
#include "rush/rushed.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>

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

TEST(Rush, SaysNothingOfAServerThatServesNobody) {
  for (const Lie lie : {Lie::answers_500, Lie::answers_unauthenticated}) {
    FakeShop shop(coupon(lie));
    RushOptions options = crowd_for(shop, 20);
    options.patience = milliseconds{300};
    const RushResult result = rushed(options);
    EXPECT_EQ(result.grade(), Grade::invalid) << report(result);
    EXPECT_THAT(result.invalid.value_or(""), HasSubstr("nobody was served: of 20 requests 0 were refused, 20 never"));
  }
}

TEST(Rush, SaysNothingOfASaleInWhichNothingWasLeftFromTheBeginning) {
  FakeShop shop({.stock = 0});
  const RushResult result = rushed(crowd_for(shop, 20));
  EXPECT_EQ(result.grade(), Grade::invalid) << report(result);
  EXPECT_THAT(result.invalid.value_or(""), HasSubstr("of 20 requests 20 were refused"));
}

TEST(Rush, TellsCustomersWhoGaveUpFromAServerThatUndersells) {
  FakeTerms terms = ticket();
  terms.standby = Standby::no;
  terms.hold = seconds{5};
  terms.declines_one_in = 0;
  FakeShop shop(terms);
  RushOptions options = crowd_for(shop);
  options.abandon = 1;
  options.patience = seconds{1};
  const RushResult result = rushed(options);
  EXPECT_EQ(result.grade(), Grade::invalid) << report(result);
  EXPECT_THAT(result.invalid.value_or(""), HasSubstr("patience was over: 150 customers went home"));
  EXPECT_EQ(result.totals.went_home, 150U);
}

TEST(Rush, CatchesUnitsThatAreNotThoseAskedFor) {
  FakeShop shop({.stock = 500, .lie = Lie::gives_one_of_several});
  RushOptions options = crowd_for(shop, 50);
  options.units_each = {3, 3};
  const RushResult result = rushed(options);
  EXPECT_EQ(result.grade(), Grade::promise_broken) << report(result);
  EXPECT_EQ(result.verdict.altered.count, 100U) << "in the answers and in the list";
}

TEST(Rush, CatchesALimitThatNobodyHasReached) {
  FakeShop shop(coupon(Lie::refuses_by_a_limit));
  const RushResult result = rushed(crowd_for(shop));
  EXPECT_EQ(result.grade(), Grade::promise_broken) << report(result);
  EXPECT_EQ(result.verdict.refused_wrongly.count, 20U);
}

TEST(Rush, CatchesASoldOutThatCameTooSoon) {
  FakeShop shop(coupon(Lie::says_sold_out_too_soon));
  const RushResult result = rushed(crowd_for(shop));
  EXPECT_EQ(result.grade(), Grade::promise_broken) << report(result);
  EXPECT_GT(result.verdict.refused_wrongly.count, 0U);
  EXPECT_EQ(result.after.available, 0) << "it is all sold, to others";
}

TEST(Rush, SaysNothingOfAServerWhosePaymentsAreNeverDecided) {
  FakeTerms terms = ticket(Lie::never_charges);
  terms.stock = 200;
  FakeShop shop(terms);
  const RushResult result = rushed(crowd_for(shop, 20));
  EXPECT_EQ(result.grade(), Grade::invalid) << report(result);
  EXPECT_EQ(result.invalid, "20 of 20 payments never got a decision");
}

TEST(Rush, CatchesAnOversellThatHeals) {
  FakeTerms terms = ticket(Lie::sells_twice_at_once);
  terms.hold = seconds{5};
  FakeShop shop(terms);
  RushOptions options = crowd_for(shop);
  options.abandon = 1;
  const RushResult result = rushed(options);
  EXPECT_EQ(result.grade(), Grade::promise_broken) << report(result);
  EXPECT_THAT(result.verdict.oversold.first,
              ::testing::Contains(HasSubstr("customers were told that they have 100 of 50 units at one moment")));
}

}  // namespace
}  // namespace firstcome::rush
