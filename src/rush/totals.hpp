// What became of a crowd, added up from what its clicks were told.
#pragma once

#include "rush/told.hpp"
#include "rush/verdict.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>

namespace firstcome::rush {

/// Requests are counted once, however often they were clicked. All but `customers` and `units` are requests.
struct Totals {
  std::uint64_t customers = 0;  ///< not requests
  std::uint64_t asked = 0;
  std::uint64_t queued = 0;  ///< told to wait in the queue, whatever became of it
  std::uint64_t sold = 0;
  Units units = 0;                               ///< of those sold
  std::map<std::string, std::uint64_t> refused;  ///< finally, by reason; `queued, then REASON` of those who waited
  std::uint64_t payments_failed = 0;             ///< declined; the units went back
  std::uint64_t expired = 0;                     ///< held and not paid in time, or never paid
  std::uint64_t paid_unfulfilled = 0;
  std::uint64_t still_held = 0;     ///< when the truth was read
  std::uint64_t still_waiting = 0;  ///< told to wait or to try again until patience was over
  std::uint64_t unanswered = 0;
  std::uint64_t served = 0;              ///< got a reservation, whatever became of it
  std::uint64_t undecided = 0;           ///< neither got a reservation nor a decision: no answer, or an error
  std::uint64_t payments_undecided = 0;  ///< held, and its payment never got a decision before the hold ended
  std::uint64_t went_home = 0;           ///< told to try again, and gave up when patience was over
  std::uint64_t served_twice = 0;        ///< customers who have more than one reservation, whatever became of it

  void add(const Totals& other);
};

/// Returns why so few requests were decided that the run says nothing of the server, as a sentence; nothing where
/// enough were.
std::optional<std::string> problem_of(const Totals& totals);

Totals count(std::span<const Told> told, const Truth& truth);

}  // namespace firstcome::rush
