// Who the simulated customers are: their names, their keys, and how each behaves.
//
// A behaviour is a hash of (seed, customer), so the same seed makes the same crowd however its requests interleave.
// Names carry the run's own number, so that two runs on one sale are two crowds.
#pragma once

#include "rush/options.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace firstcome::rush {

/// How one customer behaves.
struct Behaviour {
  enum class Clicks : std::uint8_t {
    once,
    twice,              ///< at once, with the same key
    twice_without_key,  ///< at once; the sale's limits decide
  };
  enum class Pays : std::uint8_t { yes, never };
  Clicks clicks = Clicks::once;
  Pays pays = Pays::yes;
  Units quantity = 1;

  bool operator==(const Behaviour&) const = default;
};

Behaviour behaviour_of(const RushOptions& options, std::uint32_t customer);

/// Which of several sales each customer comes for: sale k is 1 / (k + 1)^skew as popular as the first. Immutable.
class SaleChoice {
 public:
  explicit SaleChoice(const RushOptions& options);
  std::uint32_t of(std::uint32_t customer) const;

 private:
  std::uint64_t seed_;
  std::vector<double> up_to_;  // the share of the customers who come for this sale or one before
};

/// The names of one run's customers. Immutable; safe to use from any thread.
class CustomerNames {
 public:
  /// `run` tells this run from others.
  explicit CustomerNames(std::uint64_t run);

  std::string name(std::uint32_t customer) const;
  /// The customer of that name; nothing where it is of no customer of this run.
  std::optional<std::uint32_t> customer(std::string_view name) const;
  /// The Idempotency-Key of the customer's clicks.
  std::string key(std::uint32_t customer) const;

 private:
  std::string prefix_;
};

}  // namespace firstcome::rush
