#include "rush/compare/stock_size.hpp"

#include <algorithm>
#include <cmath>

namespace firstcome::rush {
namespace {

constexpr Units stock_most = 100'000;
/// For each unit, so that more is asked for than there is, also where payments fail.
constexpr Units customers_each = 3;
constexpr double steepest = 50;  // times as large at once: a first guess rests on few units

}  // namespace

StockSize::StockSize(const Scenario& scenario, std::chrono::milliseconds wanted)
    : own_stock_(scenario.stock),
      wanted_(wanted),
      // Of many sales at once, and of one that waits for holds to end, the time is the customers', not the stock's.
      may_grow_(scenario.sales == 1 && scenario.abandon == 0),
      stock_(scenario.stock),
      customers_(scenario.customers) {}

StockSize::Next StockSize::lasted(std::chrono::duration<double> time) {
  if (!may_grow_ || time.count() <= 0 || time >= wanted_ / 2 || stock_ >= stock_most) return Next::enough;
  const double times = std::min(wanted_ / time, steepest);
  stock_ = std::min(static_cast<Units>(std::ceil(static_cast<double>(stock_) * times)), stock_most);
  customers_ = std::max(customers_, static_cast<std::uint32_t>(stock_ * customers_each));
  return Next::larger;
}

}  // namespace firstcome::rush
