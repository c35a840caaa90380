#include "rush/customer.hpp"

#include <gtest/gtest.h>

#include <map>
#include <vector>

namespace firstcome::rush {
namespace {

RushOptions crowd() {
  RushOptions options;
  options.double_click = 0.3;
  options.without_key = 0.5;
  options.abandon = 0.2;
  options.units_each = {1, 3};
  options.seed = 7;
  return options;
}

TEST(Customers, BehaveTheSameWithTheSameSeed) {
  for (std::uint32_t customer = 0; customer < 100; ++customer)
    EXPECT_EQ(behaviour_of(crowd(), customer), behaviour_of(crowd(), customer));
}

TEST(Customers, BehaveOtherwiseWithAnotherSeed) {
  RushOptions other = crowd();
  other.seed = 8;
  int different = 0;
  for (std::uint32_t customer = 0; customer < 1'000; ++customer)
    different += behaviour_of(crowd(), customer) == behaviour_of(other, customer) ? 0 : 1;
  EXPECT_GT(different, 500);
}

TEST(Customers, KeepTheShares) {
  constexpr std::uint32_t customers = 100'000;
  std::map<Behaviour::Clicks, int> clicks;
  std::map<Units, int> quantities;
  int leave = 0;
  for (std::uint32_t customer = 0; customer < customers; ++customer) {
    Behaviour behaviour = behaviour_of(crowd(), customer);
    ++clicks[behaviour.clicks];
    ++quantities[behaviour.quantity];
    leave += behaviour.pays == Behaviour::Pays::never ? 1 : 0;
  }
  // Four standard deviations of these shares are below 0.006.
  EXPECT_NEAR(clicks[Behaviour::Clicks::once], 0.70 * customers, 0.006 * customers);
  EXPECT_NEAR(clicks[Behaviour::Clicks::twice], 0.15 * customers, 0.006 * customers);
  EXPECT_NEAR(leave, 0.2 * customers, 0.006 * customers);
  ASSERT_EQ(quantities.size(), 3U);
  for (auto [quantity, times] : quantities) EXPECT_NEAR(times, customers / 3.0, 0.006 * customers) << quantity;
}

TEST(Customers, ComeForSeveralSalesAsZipfSays) {
  constexpr std::uint32_t customers = 100'000;
  RushOptions options = crowd();
  options.sales = 3;
  options.skew = 1;
  const SaleChoice choice(options);
  std::vector<int> times(3);
  for (std::uint32_t customer = 0; customer < customers; ++customer) ++times.at(choice.of(customer));
  // 1, 1/2 and 1/3, of their sum
  EXPECT_NEAR(times[0], customers * 6 / 11.0, 0.006 * customers);
  EXPECT_NEAR(times[1], customers * 3 / 11.0, 0.006 * customers);
  EXPECT_NEAR(times[2], customers * 2 / 11.0, 0.006 * customers);
  options.sales = 1;
  EXPECT_EQ(SaleChoice(options).of(7), 0U);
}

TEST(Customers, AreKnownByTheirNames) {
  CustomerNames names(0x1234), others(0x1235);
  for (std::uint32_t customer : {0U, 7U, 4'000'000U}) EXPECT_EQ(names.customer(names.name(customer)), customer);
  EXPECT_EQ(names.customer(others.name(7)), std::nullopt);
  EXPECT_EQ(names.customer("somebody"), std::nullopt);
  EXPECT_EQ(names.customer(names.name(7) + "x"), std::nullopt);
  EXPECT_NE(names.key(1), names.key(2));
}

}  // namespace
}  // namespace firstcome::rush
