// What a rush is asked to do, and which values make no sense.
#pragma once

#include "net/http_client.hpp"

#include <firstcome/types.hpp>

#include <chrono>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace firstcome::rush {

/// How many units each customer asks for: from `least` to `most`, evenly.
struct UnitsEach {
  Units least = 1;
  Units most = 1;

  bool operator==(const UnitsEach&) const = default;
};

struct RushOptions {
  std::vector<net::HttpOrigin> targets;
  std::string sale;
  std::uint32_t customers = 1'000;
  std::uint32_t connections = 0;  ///< 0: as many as customers, at most 256
  std::optional<double> rate;     ///< open loop: customers that arrive in a second; nothing: closed loop
  double double_click = 0;        ///< share of the customers who click twice at once
  double without_key = 0;         ///< share of those whose clicks carry no Idempotency-Key
  double abandon = 0;             ///< share of the customers who never pay
  UnitsEach units_each;
  std::uint64_t seed = 1;
  std::uint32_t sales = 1;  ///< that the crowd is spread over: `sale`, or with more than one `sale`-0, `sale`-1 ...
  double skew = 1.1;        ///< Zipf's exponent of how popular they are, the first the most
  std::optional<Milliseconds> click_lease;  ///< each click first takes a lock of its customer's, without waiting
  /// Those who still wait go home when this is over and nothing is left, as they see it who look from time to time.
  std::optional<Milliseconds> enough;
  std::string json;                                                ///< file for the result; empty: none
  std::optional<std::int64_t> max_p99_ms;                          ///< of reservations; more is a missed threshold
  std::chrono::milliseconds max_lag{100};                          ///< p99 of arrivals handled late; more is invalid
  std::chrono::milliseconds timeout = std::chrono::seconds{10};    ///< for one answer
  std::chrono::milliseconds patience = std::chrono::seconds{300};  ///< for the whole crowd, after which it goes home
};

inline constexpr std::uint32_t customers_most = 10'000'000;
inline constexpr std::uint32_t connections_default = 256;
inline constexpr std::uint32_t connections_most = 60'000;

std::uint32_t connections_of(const RushOptions& options);

/// The id of one of them, from 0.
std::string sale_id_of(const RushOptions& options, std::uint32_t sale);

/// Reads `http://HOST:PORT[,http://HOST:PORT...]`; the error is the rule that is broken.
std::expected<std::vector<net::HttpOrigin>, std::string> parse_targets(std::string_view text);

/// Reads `2` or `1-3`; the error is the rule that is broken.
std::expected<UnitsEach, std::string> parse_units_each(std::string_view text);

/// The first option whose value makes no sense, and the rule: "--abandon must be 0 to 1 (was: 2)".
std::optional<std::string> problem_of(const RushOptions& options);

}  // namespace firstcome::rush
