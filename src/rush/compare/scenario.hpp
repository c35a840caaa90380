// What is sold to whom in a comparison: the sale, the crowd, and which ways can take part.
#pragma once

#include "rush/compare/way.hpp"
#include "rush/options.hpp"

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace firstcome::rush {

struct Scenario {
  enum class Payment : std::uint8_t {
    none,     ///< confirmed at once
    client,   ///< the customer pays what is held
    by_shop,  ///< the shop charges by itself (`payment: auto`)
  };

  std::string name;
  std::string about;  ///< a sentence without its full stop
  // the sale
  std::string kind = "product";
  Units stock = 100;
  std::optional<Units> limit_per_customer;
  std::optional<std::uint32_t> max_open;
  Milliseconds hold{0};
  Payment payment = Payment::none;
  double fail_before = 0;  ///< share of the charges that fail before the payment, and during it
  double fail_during = 0;
  std::uint32_t sales = 1;  ///< that are sold at once, each with that stock
  double skew = 1.1;        ///< of several sales: Zipf's exponent of how popular they are
  // the crowd
  std::uint32_t customers = 10'000;
  double rate = 1'000;  ///< customers that arrive in a second, in the open loop
  double double_click = 0;
  double without_key = 0;
  double abandon = 0;
  UnitsEach units_each;
  std::optional<Milliseconds> click_lease;  ///< each click first takes a lock of the customer's, without waiting

  bool operator==(const Scenario&) const = default;
};

/// product, ticket, coupon, the four of double-click, mixed.
std::vector<Scenario> known_scenarios();

/// Those of `--scenario`: a name, `double-click` (four), `all`, or a file (something with a '.' or a '/' in it).
/// The error is one sentence; of a file it names the member and the rule.
std::expected<std::vector<Scenario>, std::string> find_scenarios(const std::string& name);

/// Reads one from JSON. The error is one sentence that names the member and the rule.
std::expected<Scenario, std::string> parse_scenario(std::string_view text);

/// What POST /v1/sales takes, for this way. `stock`: of this sale.
std::string sale_body(const Scenario& scenario, const Way& way, const std::string& id, Units stock);

/// A crowd of the scenario, aimed at nothing yet.
RushOptions crowd_of(const Scenario& scenario);

/// Why the way cannot take part, as "has no holds"; nothing: it can.
std::optional<std::string> obstacle(const Way& way, const Scenario& scenario);

/// Whether nothing keeps its sellers apart, so that its sums are wrong wherever something is sold to many at once.
bool breaks_by_itself(const Way& way);

/// What a run is expected to show. Pure.
Expected expected_of(const Way& way, const Scenario& scenario);

}  // namespace firstcome::rush
