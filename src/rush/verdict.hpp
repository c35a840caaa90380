// Holds what a crowd was told against what the server says it did. Pure: no I/O, no clock.
//
// The words are those of the glossary. Each finding counts how often a promise was broken and names the first few.
#pragma once

#include "rush/told.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace firstcome::rush {

/// A sale, as far as the verdict needs it.
struct SaleSeen {
  std::string id;
  std::string kind;
  std::string state;
  std::string payment;
  Units stock = 0;
  Units available = 0;
  Units held = 0;
  Units sold = 0;
  std::int64_t unit_price = 0;
  std::uint64_t queued = 0;
  std::optional<Units> limit_per_customer;
  Milliseconds hold{0};
  Milliseconds tick{0};    ///< of its queue; 0: none
  Milliseconds extend{0};  ///< by how much a hold may have been prolonged
};

/// One reservation, as the server lists it.
struct TrueReservation {
  std::string id;
  std::optional<std::uint32_t> customer;  ///< nothing: not of this crowd
  std::uint64_t number = 0;
  Units quantity = 0;
  ReservationState state = ReservationState::queued;
  std::optional<std::int64_t> expires_at_ms = {};  ///< since 1970; of one that was ever granted a hold
  std::optional<std::int64_t> amount = {};         ///< what it costs; nothing: the server does not say
};

/// What the server says of itself.
struct AuditSeen {
  bool ok = false;
  std::uint64_t customers_over_limit = 0;
  std::uint64_t number_inversions = 0;
  std::optional<std::uint64_t> orders = {};  ///< nothing: no order service is attached
  std::uint64_t orders_pending = 0;          ///< confirmed, and their order is not there
  std::vector<std::string> mismatches;
};

struct Truth {
  SaleSeen before;         ///< as the crowd came
  SaleSeen left;           ///< as the last customer left
  SaleSeen after;          ///< when all had ended
  bool settled = true;     ///< nothing waited or was held any more, or nothing changed any more, when `after` was read
  bool sent_home = false;  ///< the crowd's patience was over before all had a final answer
  std::vector<TrueReservation> reservations;
  AuditSeen audit;
  std::vector<std::string> unequal;  ///< sales seen whose available + held + sold was not stock, as sentences
};

/// How often one promise was broken.
struct Finding {
  std::uint64_t count = 0;
  std::vector<std::string> first;  ///< at most `named_most`, each naming ids

  static constexpr std::size_t named_most = 20;
  void add(std::string what, std::uint64_t times = 1);
  void add(const Finding& other);
};

struct Verdict {
  // {told, has}, in reservations
  std::uint64_t told_yes_has_it = 0;
  std::uint64_t told_yes_let_go = 0;    ///< waited or was held, and has ended since: never paid, declined, refused
  std::uint64_t told_yes_has_none = 0;  ///< the same as lost
  std::uint64_t told_no_has_it = 0;     ///< part of duplicated
  std::uint64_t unknown = 0;            ///< clicks that never found out: no promise either way

  Finding oversold;         ///< units
  Finding undersold;        ///< units left for customers who were told to wait, to try again, or that too few were left
  Finding lost;             ///< reservations told of, but not there
  Finding duplicated;       ///< reservations that nobody was told of, or was told were none
  Finding out_of_order;     ///< reservations
  Finding altered;          ///< reservations whose units, amount or customer differ from what was asked for or told
  Finding refused_wrongly;  ///< requests refused for a reason that the sale contradicts
  Finding over_limit;       ///< customers with more units than the sale allows one
  Finding equation;         ///< available + held + sold was not stock
  Finding audit;            ///< what the server's own audit found
  Finding no_order;         ///< confirmed reservations whose order never came

  bool kept() const;  ///< every promise was
  /// That of another sale.
  void add(const Verdict& other);
};

/// Cost: O(n log n) in reservations and clicks.
Verdict judge(std::span<const Told> told, const Truth& truth);

}  // namespace firstcome::rush
