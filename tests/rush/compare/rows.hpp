// Made-up measurements of ways, for tests of what is made of them.
#pragma once

#include "rush/compare/row.hpp"

#include <algorithm>
#include <stdexcept>
#include <string>
#include <utility>

namespace firstcome::testing {

inline rush::Way way_of(const std::string& id) {
  for (rush::Way& way : rush::all_ways())
    if (way.id == id) return std::move(way);
  throw std::runtime_error("there is no way " + id);
}

inline rush::Scenario scenario_of(const std::string& name) {
  auto found = rush::find_scenarios(name);
  if (!found) throw std::runtime_error(found.error());
  return found->front();
}

/// 100 of 100 units sold, at this speed.
inline rush::Measured measured(double sold_per_s) {
  rush::Measured measured;
  rush::Round round;
  round.stock = round.sold = 100;
  measured.rounds.push_back(round);
  measured.sold_per_s = {sold_per_s};
  measured.sell_out_ms = {100 / sold_per_s * 1e3};
  measured.latencies["confirmed"].record(std::chrono::milliseconds{2});
  measured.latencies["sold-out"].record(std::chrono::milliseconds{1});
  measured.warm_up.sql_statements = 400;
  measured.warm_up_sold = 100;
  return measured;
}

inline rush::Row row_of(const std::string& way, const rush::Measured& measured, const rush::Table& table = {}) {
  return rush::make_row(way_of(way), scenario_of("coupon"), table, measured);
}

}  // namespace firstcome::testing
