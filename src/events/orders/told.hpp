// How much the order database was told: for each sale, and each incarnation of its store, the highest number and the
// highest sequence that arrived. A store that comes back from a backup finds out by it what it has lost.
#pragma once

#include "events/event.hpp"
#include "events/orders/order_dialect.hpp"

#include <firstcome/past_command.hpp>

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace firstcome::events {

struct Told {
  std::string sale;
  SaleHandle handle{};
  Incarnation incarnation{};  ///< of the events
  std::string reservation;    ///< with the highest number; empty: none was told of
  std::uint64_t number = 0;   ///< 0: none was told of
  std::uint64_t sequence = 0;

  bool operator==(const Told&) const = default;
};

/// What a batch tells, by sale, handle and incarnation. Events whose id is not a store's own tell nothing.
std::vector<Told> told_by(std::span<const Event> events);

/// In a transaction of the caller's, as its last statement: services that store the same sale wait here for each other.
/// Throws SqlFailure.
void note_told(SqlSession& session, std::span<const Told> told);
std::vector<Told> read_told(SqlSession& session);

}  // namespace firstcome::events
