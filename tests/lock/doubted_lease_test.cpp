#include "lock/lease_state.hpp"

#include <gtest/gtest.h>

#include <chrono>

namespace firstcome::lock {
namespace {

using namespace std::chrono_literals;
using Watchdog = Contention::Watchdog;

constexpr BootTime start{1h};

TEST(DoubtedLease, IsRenewedAtOnceForTheWholeTimeWhereTheWatchdogKeepsIt) {
  LeaseState state(Grant{7, start, 30s}, {30s, Watchdog::yes, 3s}, start);
  const LeaseSteps steps = state.doubted(start + 1s);
  ASSERT_TRUE(steps.renew);
  EXPECT_EQ(steps.renew->length, 30s);
  EXPECT_FALSE(state.doubted(start + 2s).renew);                                    // one at a time
  EXPECT_TRUE(state.renewal_answered(start + 3s, Renewed{start + 1s, 30s}).renew);  // doubted since it was sent
  EXPECT_FALSE(state.renewal_answered(start + 4s, Renewed{start + 3s, 30s}).renew);
}

TEST(DoubtedLease, IsRenewedForWhatIsLeftWhereTheCallerGaveATime) {
  LeaseState state(Grant{7, start, 30s}, {30s, Watchdog::no, 3s}, start);
  const LeaseSteps steps = state.doubted(start + 10s);
  ASSERT_TRUE(steps.renew);
  EXPECT_LE(steps.renew->length, 20s);
  EXPECT_GT(steps.renew->length, 19s);
}

TEST(DoubtedLease, IsRenewedForTheWholeTimeWhereItIsStillAClaim) {
  LeaseState state(Grant{7, start, 1500ms, Grant::Kind::claim}, {30s, Watchdog::no, 3s}, start);
  const LeaseSteps steps = state.doubted(start + 10ms);
  ASSERT_TRUE(steps.renew);
  EXPECT_EQ(steps.renew->length, 30s);
}

TEST(DoubtedLease, IsLostWhereTheAnswerSaysSo) {
  LeaseState state(Grant{7, start, 30s}, {30s, Watchdog::yes, 3s}, start);
  ASSERT_TRUE(state.doubted(start + 1s).renew);
  EXPECT_TRUE(state.renewal_answered(start + 2s, Lost{}).lost);
  EXPECT_FALSE(state.doubted(start + 3s).renew);
}

TEST(DoubtedLease, IsNotRenewedOnceItIsReleased) {
  LeaseState state(Grant{7, start, 30s}, {30s, Watchdog::yes, 3s}, start);
  static_cast<void>(state.give_back(start + 1s));
  EXPECT_FALSE(state.doubted(start + 2s).renew);
}

}  // namespace
}  // namespace firstcome::lock
