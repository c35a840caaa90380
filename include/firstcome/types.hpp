// The small types that every floor shares: instants, ids of sales and reservations, hashed keys.
//
// Values only: copying is cheap, nothing here owns a resource, everything is safe to use from any thread.
#pragma once

#include <chrono>
#include <compare>
#include <cstdint>

namespace firstcome {

using Milliseconds = std::chrono::milliseconds;

/// A point of wall-clock time, UTC, with the resolution that users see.
using Instant = std::chrono::sys_time<Milliseconds>;

/// Names a sale inside one store, from 1, never given twice. 0 names none.
enum class SaleHandle : std::uint64_t {};

/// The place of a reservation in its sale's order of arrival, from 1. 0 names none.
enum class Number : std::uint64_t {};

/// Units of stock.
using Units = std::int64_t;

/// An amount of money in the currency's minor unit.
using Money = std::int64_t;

constexpr std::uint64_t value(SaleHandle handle) { return static_cast<std::uint64_t>(handle); }
constexpr std::uint64_t value(Number number) { return static_cast<std::uint64_t>(number); }

/// Names a reservation inside one store. Its text form, which carries a tag that cannot be guessed,
/// is made at the edge (`engine/reservation_id.hpp`).
struct ReservationRef {
  SaleHandle sale{};
  Number number{};

  auto operator<=>(const ReservationRef&) const = default;
};

/// 128 bits of a hash of (customer, sale, idempotency key), each part preceded by its length.
/// All zero means that the request carried no key.
struct KeyHash {
  std::uint64_t high = 0;
  std::uint64_t low = 0;

  auto operator<=>(const KeyHash&) const = default;
  explicit operator bool() const { return high != 0 || low != 0; }
};

}  // namespace firstcome
