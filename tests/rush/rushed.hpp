// Crowds that tests let loose on a made-up shop.
#pragma once

#include "rush/fake_shop.hpp"
#include "rush/rush.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>

namespace firstcome::rush::testing {

inline RushOptions crowd_for(const FakeShop& shop, std::uint32_t customers = 200) {
  RushOptions options;
  options.targets = {{"127.0.0.1", shop.port()}};
  options.sale = "fake";
  options.customers = customers;
  options.connections = 32;
  options.patience = std::chrono::seconds{20};
  return options;
}

inline RushResult rushed(const RushOptions& options) {
  auto result = run_rush(options, {});
  EXPECT_TRUE(result.has_value()) << result.error().detail;
  return result.has_value() ? *result : RushResult{};
}

/// A coupon: confirmed at once.
inline FakeTerms coupon(Lie lie = Lie::none) { return {.stock = 50, .limit = 1, .lie = lie}; }

/// A ticket: held until paid, and whoever finds none left stands by.
inline FakeTerms ticket(Lie lie = Lie::none) {
  return {
      .stock = 50, .hold = std::chrono::milliseconds{300}, .standby = Standby::yes, .declines_one_in = 5, .lie = lie};
}

}  // namespace firstcome::rush::testing
