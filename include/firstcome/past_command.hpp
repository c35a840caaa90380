// What is asked of an engine about its past: whether the store has lost part of it, and what became of that.
//
// A store that comes back from a backup, or a Redis that starts from an older save, does not know what it has told
// since. Others may: the order database, or another server. They are its witnesses.
#pragma once

#include <firstcome/outcome.hpp>
#include <firstcome/types.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace firstcome {

/// A random number that a store takes whenever it may have lost part of its past. It is part of the ids of the
/// reservations and events that are made under it, so an id that was given once is never given to somebody else.
enum class Incarnation : std::uint32_t {};

/// Of stores that were made before there were incarnations.
inline constexpr Incarnation no_incarnation{0};

constexpr std::uint32_t value(Incarnation incarnation) { return static_cast<std::uint32_t>(incarnation); }

/// The highest that a witness was told about one sale under one incarnation. Number and sequence are as they were told.
struct Memory {
  SaleHandle sale{};
  std::string sale_id;
  Incarnation incarnation{};  ///< of the events
  std::uint64_t sequence = 0;
  Incarnation number_incarnation{};  ///< of the reservation, which may be older than the event
  std::uint64_t number = 0;          ///< 0: of no reservation
};

/// Part of a sale's past that the store has lost. Numbers and sequences are as they were told.
struct Loss {
  SaleHandle sale{};
  std::string sale_id;
  Incarnation incarnation{};  ///< under which it was told
  /// The reservations that are lost, `from` to `upto`; none where `from` is higher.
  std::uint64_t number_from = 1, number_upto = 0;
  /// The events that are lost, likewise.
  std::uint64_t sequence_from = 1, sequence_upto = 0;
  std::string witness;  ///< who remembers
  Instant found_at;

  /// An operator has decided what becomes of it.
  struct Settled {
    Instant at;
    std::string by, reason;

    bool operator==(const Settled&) const = default;
  };
  std::optional<Settled> settled;

  bool operator==(const Loss&) const = default;
};

struct LossesAnswer {
  Outcome outcome = Outcome::done;
  std::vector<Loss> items;  ///< in the order in which they were found
};

/// Compares what a witness remembers with what the store knows. Where the store has lost something, it notes the loss
/// and goes on above everything that the witness knows. Outcomes: done (`items`: the losses that were found now),
/// unchanged (the store knows everything, or has noted it before).
struct ComparePast {
  using Answer = LossesAnswer;
  std::string witness;  ///< for the operator, as `orders in sqlite:///orders.db`
  std::vector<Memory> memories;
};

/// All losses, settled ones too. Outcome: done.
struct ListLosses {
  using Answer = LossesAnswer;
};

/// An operator says that the losses have been dealt with. Outcomes: done (`items`: those that are settled now),
/// unchanged (there was none to settle).
struct SettleLosses {
  using Answer = LossesAnswer;
  std::string by, reason;
};

}  // namespace firstcome
