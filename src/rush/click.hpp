// One click and what follows from it: a customer's side of the conversation, without I/O and without a clock.
//
// Mechanism: the crowd asks `next()` what to send and when, sends it, and hands the reply to `heard`, until `next()` is
// `Do::nothing`. A click asks for its reservation until the answer is final, looks after one that waits, pays for one
// that is held (where customers pay), and looks until it has ended well or badly. An answer with Retry-After is obeyed.
// After an unknown outcome it asks again with the same key, as a customer would.
#pragma once

#include "rush/reply.hpp"
#include "rush/told.hpp"

#include <firstcome/sale.hpp>

#include <cstdint>
#include <utility>

namespace firstcome::rush {

/// What follows from a click that gets a reservation.
enum class Then : std::uint8_t {
  pay,    ///< wait for the hold, and pay
  leave,  ///< wait for the hold, and never pay
  watch,  ///< the shop charges by itself: look until it has ended
  stop,   ///< nothing: another click of the same request sees to it
};

class Click {
 public:
  enum class Do : std::uint8_t { lock, reserve, look, pay, nothing };

  struct Next {
    Do what = Do::reserve;
    Milliseconds after{0};  ///< from now
  };

  Click() = default;
  /// Of `told`, customer, request, keyed and quantity are read.
  Click(Told told, Then then) : told_(std::move(told)), then_(then) {}

  /// It takes its customer's lock before it asks for anything, and is refused where another click has it (`locked`).
  /// Nobody lets it go: its lease ends. REQUIRES: nothing was heard yet.
  void lock_first() { next_.what = Do::lock; }

  const Next& next() const { return next_; }
  const Told& told() const { return told_; }

  /// An answer named another customer.
  void note_another() { told_.named_another = true; }

  /// The answer to `next()`. REQUIRES: that is not nothing.
  void heard(const Reply& reply, Moment sent_at, Moment answered_at);

 private:
  void heard_of_lock(const Reply& reply);
  void heard_of_reserve(const Reply& reply, Moment sent_at, Moment answered_at);
  void heard_of_look(const Reply& reply, Moment sent_at, Moment answered_at);
  void heard_of_pay(const Reply& reply, Moment sent_at, Moment answered_at);
  void follow(const Reply& reply, Moment sent_at, Moment answered_at);
  void note_units(const Reply& reply, Moment sent_at, Moment answered_at);
  void refused(const Reply& reply, Moment answered_at);
  void again(Do what, const Reply& reply);

  Told told_;
  Next next_;
  Then then_ = Then::pay;
  std::uint8_t failures_ = 0;  // in a row
  bool attempt_open_ = false;  // an earlier attempt to reserve may still have an effect
};

}  // namespace firstcome::rush
