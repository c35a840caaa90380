#include "rush/customer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

namespace firstcome::rush {
namespace {

// splitmix64: each input bit reaches each output bit.
std::uint64_t mixed(std::uint64_t value) {
  value += 0x9e3779b97f4a7c15;
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9;
  value = (value ^ (value >> 27)) * 0x94d049bb133111eb;
  return value ^ (value >> 31);
}

enum class Draw : std::uint64_t { double_click = 1, without_key = 2, abandon = 3, units = 4, sale = 5 };

std::uint64_t drawn(std::uint64_t seed, std::uint32_t customer, Draw what) {
  return mixed(mixed(mixed(seed) ^ customer) ^ static_cast<std::uint64_t>(what));
}

/// From 0 to 1, without 1.
double share_drawn(std::uint64_t seed, std::uint32_t customer, Draw what) {
  return static_cast<double>(drawn(seed, customer, what) >> 11) * 0x1.0p-53;
}

bool happens(const RushOptions& options, std::uint32_t customer, Draw what, double share) {
  return share_drawn(options.seed, customer, what) < share;
}

}  // namespace

Behaviour behaviour_of(const RushOptions& options, std::uint32_t customer) {
  Behaviour behaviour;
  if (happens(options, customer, Draw::double_click, options.double_click))
    behaviour.clicks = happens(options, customer, Draw::without_key, options.without_key)
                           ? Behaviour::Clicks::twice_without_key
                           : Behaviour::Clicks::twice;
  if (happens(options, customer, Draw::abandon, options.abandon)) behaviour.pays = Behaviour::Pays::never;
  auto span = static_cast<std::uint64_t>(options.units_each.most - options.units_each.least + 1);
  behaviour.quantity = options.units_each.least + static_cast<Units>(drawn(options.seed, customer, Draw::units) % span);
  return behaviour;
}

SaleChoice::SaleChoice(const RushOptions& options) : seed_(options.seed) {
  double sum = 0;
  for (std::uint32_t sale = 0; sale < options.sales; ++sale)
    up_to_.push_back(sum += std::pow(static_cast<double>(sale) + 1, -options.skew));
  for (double& share : up_to_) share /= sum;
}

std::uint32_t SaleChoice::of(std::uint32_t customer) const {
  if (up_to_.size() == 1) return 0;
  const auto place = std::ranges::upper_bound(up_to_, share_drawn(seed_, customer, Draw::sale));
  return static_cast<std::uint32_t>(std::min<std::ptrdiff_t>(place - up_to_.begin(), std::ssize(up_to_) - 1));
}

CustomerNames::CustomerNames(std::uint64_t run) : prefix_(fmt::format("rush-{:x}-", run)) {}

std::string CustomerNames::name(std::uint32_t customer) const { return fmt::format("{}{}", prefix_, customer); }

std::optional<std::uint32_t> CustomerNames::customer(std::string_view name) const {
  if (!name.starts_with(prefix_)) return std::nullopt;
  name.remove_prefix(prefix_.size());
  std::uint32_t customer = 0;
  auto [stop, error] = std::from_chars(name.data(), name.data() + name.size(), customer);
  if (error != std::errc{} || stop != name.data() + name.size()) return std::nullopt;
  return customer;
}

std::string CustomerNames::key(std::uint32_t customer) const { return fmt::format("{}k{}", prefix_, customer); }

}  // namespace firstcome::rush
