#include "rush/options.hpp"

#include <firstcome/limits.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace firstcome::rush {
namespace {

template <typename Integer>
std::optional<Integer> whole(std::string_view text) {
  Integer number{};
  auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || stop != text.data() + text.size()) return std::nullopt;
  return number;
}

bool is_sale_id(std::string_view id) {
  auto plain = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  if (id.empty() || id.size() > limits::sale_id_bytes || !plain(id.front())) return false;
  return std::ranges::all_of(id, [&](char c) { return plain(c) || c == '-'; });
}

std::optional<std::string> problem_of_share(std::string_view name, double share) {
  if (share >= 0 && share <= 1) return std::nullopt;
  return fmt::format("{} must be 0 to 1 (was: {})", name, share);
}

}  // namespace

std::uint32_t connections_of(const RushOptions& options) {
  if (options.connections != 0) return options.connections;
  return std::min(options.customers, connections_default);
}

std::string sale_id_of(const RushOptions& options, std::uint32_t sale) {
  return options.sales == 1 ? options.sale : fmt::format("{}-{}", options.sale, sale);
}

std::expected<std::vector<net::HttpOrigin>, std::string> parse_targets(std::string_view text) {
  std::vector<net::HttpOrigin> targets;
  for (;;) {
    auto comma = text.find(',');
    auto target = net::parse_origin(text.substr(0, comma));
    if (!target) return std::unexpected(target.error());
    targets.push_back(*target);
    if (comma == std::string_view::npos) return targets;
    text.remove_prefix(comma + 1);
  }
}

std::expected<UnitsEach, std::string> parse_units_each(std::string_view text) {
  auto dash = text.find('-');
  auto least = whole<Units>(text.substr(0, dash));
  auto most = dash == std::string_view::npos ? least : whole<Units>(text.substr(dash + 1));
  if (!least || !most || *least < 1 || *most < *least || *most > limits::quantity)
    return std::unexpected(
        fmt::format("must be a number or a range like 1-3, from 1 to {} (was: {})", limits::quantity, text));
  return UnitsEach{*least, *most};
}

std::optional<std::string> problem_of(const RushOptions& options) {
  if (options.targets.empty()) return "--target must name at least one server";
  if (!is_sale_id(options.sale))
    return fmt::format("--sale must be 1-{} of a-z, 0-9 and '-', not beginning with '-' (was: {})",
                       limits::sale_id_bytes, options.sale);
  if (options.customers < 1 || options.customers > customers_most)
    return fmt::format("--customers must be 1 to {} (was: {})", customers_most, options.customers);
  if (options.connections > connections_most)
    return fmt::format("--connections must be 1 to {} (was: {})", connections_most, options.connections);
  if (options.rate && !(*options.rate >= 0.001 && *options.rate <= 1e7))
    return fmt::format("--rate must be 0.001 to 10000000 customers a second (was: {})", *options.rate);
  if (auto problem = problem_of_share("--double-click", options.double_click)) return problem;
  if (auto problem = problem_of_share("--without-key", options.without_key)) return problem;
  if (auto problem = problem_of_share("--abandon", options.abandon)) return problem;
  if (options.max_p99_ms && *options.max_p99_ms < 1)
    return fmt::format("--max-p99-ms must be at least 1 (was: {})", *options.max_p99_ms);
  if (options.max_lag.count() < 1)
    return fmt::format("--max-lag-ms must be at least 1 (was: {})", options.max_lag.count());
  if (options.timeout.count() < 1)
    return fmt::format("--timeout must be more than 0 seconds (was: {})",
                       std::chrono::duration<double>{options.timeout}.count());
  if (options.patience.count() < 1)
    return fmt::format("--patience must be more than 0 seconds (was: {})",
                       std::chrono::duration<double>{options.patience}.count());
  return std::nullopt;
}

}  // namespace firstcome::rush
