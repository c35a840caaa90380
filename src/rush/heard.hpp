// What a crowd was told, gathered by reservation and by customer.
#pragma once

#include "rush/told.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string_view>
#include <unordered_map>
#include <unordered_set>

namespace firstcome::rush {

/// Returns whether units are set aside or sold in this state.
bool has_units(ReservationState state);
/// Returns whether the state can only change again by an act of the shop.
bool is_final(ReservationState state);
/// Returns whether what the customer last heard may since have become `now`.
bool may_become(const Told& told, ReservationState now);

/// Names a reservation by its id and its customer: a store that has forgotten reservations gives their ids again, to
/// other customers.
struct Whose {
  std::string_view reservation;
  std::uint32_t customer = 0;

  bool operator==(const Whose&) const = default;
};

struct HashWhose {
  std::size_t operator()(const Whose& whose) const {
    return std::hash<std::string_view>{}(whose.reservation) ^ whose.customer * std::size_t{0x9e3779b97f4a7c15};
  }
};

/// One reservation that somebody was told of, by one or several clicks of the customer.
struct Promise {
  const Told* told = nullptr;  ///< the click that heard the most of it
  Moment sent_at{};            ///< of the first request that may have made it
  Moment answered_at{};        ///< of the first answer that told of it
};

/// Indexes what was told. Views `told`, which must outlive it. Cost: O(n).
struct Heard {
  explicit Heard(std::span<const Told> told);

  std::unordered_map<Whose, Promise, HashWhose> promises;
  /// Reservations that no answer may have told of.
  struct Unsure {
    std::uint64_t reservations = 0;
    Units quantity = 0;  ///< of each; a customer asks for as many each time
  };
  std::unordered_map<std::uint32_t, Unsure> unsure;  ///< by customer
  std::unordered_set<std::uint32_t> refused;         ///< customers who were finally refused

 private:
  void add(const Told& click);
};

}  // namespace firstcome::rush
