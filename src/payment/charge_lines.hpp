// Whose hold is charged next: the order in which the payment worker charges the holds of `payment: auto` sales.
//
// Mechanism: every sale has a line of holds. Lines take turns, one hold each, so a sale with many holds does not keep
// the others waiting. A sale whose charge failed rests: its holds are tried one at a time, with longer and longer
// pauses, until the provider answers one of them. So a provider that refuses everything of one sale costs few attempts,
// however many holds there are. A hold whose charge failed also has a pause of its own, so that one bad hold costs
// little in a healthy sale.
//
// Pure: knows no clock, no engine and no gateway.
#pragma once

#include "payment/pauses.hpp"

#include <firstcome/types.hpp>

#include <chrono>
#include <cstddef>
#include <deque>
#include <map>
#include <optional>

namespace firstcome::payment {

struct ChargeLinesOptions {
  Backoff of_hold{std::chrono::milliseconds{100}, std::chrono::milliseconds{60'000}};
  Backoff of_sale{std::chrono::milliseconds{100}, std::chrono::milliseconds{5'000}};
};

/// Not thread-safe. Every operation costs O(log n) in the number of holds and sales, amortized.
class ChargeLines {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  /// One hold, with the pause after its next failure.
  struct Hold {
    ReservationRef ref;
    std::chrono::milliseconds pause{0};
  };

  explicit ChargeLines(ChargeLinesOptions options) : options_(options) {}

  /// Adds a hold that was not tried before.
  void add(ReservationRef ref);
  /// Takes the hold that is to be charged now. Nothing: none may be charged yet. Each one taken must be told of in one
  /// call of `answered`, `unknown`, `failed` or `ended`.
  std::optional<Hold> next(TimePoint now);

  /// The provider gave an answer about this sale's hold, be it a yes or a no.
  void answered(SaleHandle sale);
  /// It is not known what the provider did. Somebody else asks again, and calls `recovered` when it is known.
  void unknown(SaleHandle sale, TimePoint now);
  void recovered(SaleHandle sale);
  /// The provider could not be asked, or did not do it. The hold comes again after its pause.
  void failed(Hold hold, TimePoint now);
  /// The hold was gone before the provider was asked.
  void ended(SaleHandle sale);

  /// When `next` may find something that it does not find now. Nothing: not before one of the other calls.
  std::optional<TimePoint> due() const;
  /// Holds that `next` would give out one after the other, as if the time stood still.
  std::size_t startable() const { return startable_; }
  /// Holds whose charge failed and that are to be tried again.
  std::size_t waiting() const { return waiting_; }

 private:
  struct Line {
    std::deque<Hold> ready;
    std::size_t later = 0;               // holds of this sale in later_
    std::size_t under_way = 0;           // given out by `next`
    bool listed = false;                 // in turns_ or in resting_
    std::chrono::milliseconds pause{0};  // 0: healthy
    TimePoint rests_until;

    bool healthy() const { return pause.count() == 0; }
  };
  using Lines = std::map<SaleHandle, Line>;

  void push(Line& line, SaleHandle sale, Hold hold);
  void list(Line& line, SaleHandle sale);
  void wake(TimePoint now);
  void rest(Line& line, TimePoint now);
  void heal(Line& line);
  void give_back(Lines::iterator line);
  void forget_if_empty(Lines::iterator line);

  const ChargeLinesOptions options_;
  Lines lines_;
  std::deque<SaleHandle> turns_;                  // lines that may start one
  std::multimap<TimePoint, SaleHandle> resting_;  // lines whose sale rests
  std::multimap<TimePoint, Hold> later_;          // holds whose own pause is not over
  std::size_t startable_ = 0;                     // ready holds of healthy lines
  std::size_t waiting_ = 0;                       // holds in later_, or ready after a failure
};

}  // namespace firstcome::payment
