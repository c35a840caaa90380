// How large a stock must be so that the speed of its sale can be measured: a hundred units that are gone after three
// milliseconds tell more of how the crowd was let in than of the way. Pure.
#pragma once

#include "rush/compare/scenario.hpp"

#include <chrono>
#include <cstdint>

namespace firstcome::rush {

/// Begins with the scenario's own stock and crowd, and grows as long as sales end too soon.
class StockSize {
 public:
  /// `wanted`: how long a sale should last.
  StockSize(const Scenario& scenario, std::chrono::milliseconds wanted);

  Units stock() const { return stock_; }
  /// Customers enough for it; with the scenario's own stock they are its own.
  std::uint32_t customers() const { return customers_; }
  bool is_as_in_scenario() const { return stock_ == own_stock_; }

  enum class Next : std::uint8_t {
    enough,  ///< the speed counts, and so will those of crowds of this size
    larger,  ///< it has grown: the speed does not count, nor do earlier ones
  };
  /// A sale of this size lasted so long, from the first request to the last customer who was told of a unit; 0: nothing
  /// was sold.
  Next lasted(std::chrono::duration<double> time);

 private:
  const Units own_stock_;
  const std::chrono::duration<double> wanted_;
  const bool may_grow_;
  Units stock_;
  std::uint32_t customers_;
};

}  // namespace firstcome::rush
