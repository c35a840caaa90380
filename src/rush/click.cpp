#include "rush/click.hpp"

#include <algorithm>
#include <cassert>

namespace firstcome::rush {
namespace {

constexpr Milliseconds look_first{100};   // at a charge under way
constexpr Milliseconds look_most{1'000};  // where the server does not say how often
constexpr Milliseconds wait_least{50};    // whatever the server says: a Retry-After of 0 is no invitation to a storm

bool is_try_again(const Reply& reply) {
  return reply.retry_after.has_value() || reply.status == 429 || reply.status == 503;
}

/// 502 and 504 are what a proxy says of a server that has not answered it.
bool is_unknown(const Reply& reply) {
  return reply.kind == Reply::Kind::unknown || reply.code == "outcome-unknown" || reply.status == 500 ||
         reply.status == 502 || reply.status == 504;
}

}  // namespace

void Click::heard(const Reply& reply, Moment sent_at, Moment answered_at) {
  assert(next_.what != Do::nothing);
  failures_ = reply.kind == Reply::Kind::answered ? 0 : static_cast<std::uint8_t>(std::min(failures_ + 1, 10));
  switch (next_.what) {
    case Do::lock:
      return heard_of_lock(reply);
    case Do::reserve:
      return heard_of_reserve(reply, sent_at, answered_at);
    case Do::look:
      return heard_of_look(reply, sent_at, answered_at);
    case Do::pay:
      return heard_of_pay(reply, sent_at, answered_at);
    case Do::nothing:
      return;
  }
}

// Asks again when the server says so; else in a moment, later each time.
void Click::again(Do what, const Reply& reply) {
  Milliseconds wait = look_first * (1 << std::min<int>(failures_, 4));
  if (reply.kind == Reply::Kind::answered && reply.status >= 429) wait = look_most;
  next_ = {what, std::max(reply.retry_after.value_or(std::min(wait, look_most)), wait_least)};
}

void Click::heard_of_lock(const Reply& reply) {
  if (reply.kind == Reply::Kind::answered && reply.status == 200) {
    next_ = {Do::reserve, {}};
  } else if (reply.code == "locked") {
    told_.code = reply.code;
    told_.word = Word::no;
    next_ = {Do::nothing, {}};
  } else {
    again(Do::lock, reply);
  }
}

void Click::heard_of_reserve(const Reply& reply, Moment sent_at, Moment answered_at) {
  if (!attempt_open_) told_.sent_at = sent_at;
  if (is_unknown(reply)) {
    attempt_open_ = true;
    told_.unsure = told_.keyed == Keyed::yes ? 1 : told_.unsure + 1;
    return again(Do::reserve, reply);
  }
  if (reply.kind == Reply::Kind::unsent) return again(Do::reserve, reply);
  if (reply.reservation) {
    told_.reservation = reply.reservation->id;
    told_.number = reply.reservation->number;
    told_.answered_at = answered_at;
    if (told_.keyed == Keyed::yes) told_.unsure = 0;  // the earlier attempts meant this reservation
    return follow(reply, sent_at, answered_at);
  }
  refused(reply, answered_at);
}

void Click::refused(const Reply& reply, Moment answered_at) {
  told_.code = reply.code;
  told_.refused_at = answered_at;
  if (is_try_again(reply)) {
    told_.word = Word::again;
    return again(Do::reserve, reply);
  }
  told_.word = Word::no;
  // With the same key, an earlier attempt that had made a reservation would have been answered with it.
  if (told_.keyed == Keyed::yes && is_decision(reply.code)) told_.unsure = 0;
  next_ = {Do::nothing, {}};
}

// Writes down since when, and until when, the units surely are the customer's.
void Click::note_units(const Reply& reply, Moment sent_at, Moment answered_at) {
  const ReservationSeen& seen = *reply.reservation;
  told_.quantity_told = seen.quantity;
  if (seen.state == ReservationState::expired && !told_.ended_at) told_.ended_at = answered_at;
  if (seen.state == ReservationState::confirmed && !told_.confirmed_at) told_.confirmed_at = answered_at;
  if (seen.state != ReservationState::held || told_.held_from) return;
  told_.held_from = told_.held_until = answered_at;
  if (reply.is_replay || !seen.expires_in) return;
  told_.promised_until = sent_at + *seen.expires_in;
  // A shop that charges by itself may give the units back at any moment.
  if (then_ != Then::watch) told_.held_until = std::max(answered_at, *told_.promised_until);
}

void Click::follow(const Reply& reply, Moment sent_at, Moment answered_at) {
  const ReservationSeen& seen = *reply.reservation;
  note_units(reply, sent_at, answered_at);
  told_.state = seen.state;
  if (then_ == Then::watch) told_.charge_open = true;
  told_.code = seen.reason;
  told_.word = seen.state == ReservationState::queued ? Word::waiting : Word::yes;
  next_ = {Do::nothing, {}};
  if (seen.state == ReservationState::queued) told_.waited = true;
  if (then_ == Then::stop) return;
  if (seen.state == ReservationState::queued) {
    next_ = {Do::look, std::max(reply.retry_after.value_or(look_most), wait_least)};
  } else if (seen.state == ReservationState::held && then_ == Then::pay) {
    next_ = {Do::pay, {}};
  } else if (seen.state == ReservationState::held && then_ == Then::watch) {
    next_ = {Do::look, std::max(reply.retry_after.value_or(look_first), wait_least)};
  }
}

void Click::heard_of_look(const Reply& reply, Moment sent_at, Moment answered_at) {
  if (reply.reservation) return follow(reply, sent_at, answered_at);
  if (reply.kind != Reply::Kind::answered || is_try_again(reply) || is_unknown(reply)) return again(Do::look, reply);
  // The server does not know what it told of. The verdict will find it missing, if it is.
  told_.code = reply.code;
  next_ = {Do::nothing, {}};
}

void Click::heard_of_pay(const Reply& reply, Moment sent_at, Moment answered_at) {
  told_.held_until = std::min(told_.held_until, sent_at);  // the payment may have failed from then on
  told_.paid = true;
  const bool hold_ended = reply.code == "hold-expired" || reply.code == "paid-unfulfilled";
  if (hold_ended && !told_.ended_at) told_.ended_at = answered_at;
  if (reply.reservation) return follow(reply, sent_at, answered_at);
  told_.code = reply.code;
  if (is_unknown(reply) || reply.code == "request-in-progress") told_.charge_open = true;
  if (reply.code == "payment-failed") {
    told_.state = ReservationState::cancelled;
    next_ = {Do::nothing, {}};
  } else if (reply.code == "hold-expired") {
    told_.state = ReservationState::expired;
    next_ = {Do::nothing, {}};
  } else if (reply.code == "paid-unfulfilled") {
    told_.state = ReservationState::paid_unfulfilled;
    next_ = {Do::nothing, {}};
  } else if (reply.code == "request-in-progress") {
    again(Do::look, reply);
  } else if (reply.kind != Reply::Kind::answered || is_try_again(reply) || is_unknown(reply)) {
    again(Do::pay, reply);  // the charge's key is the reservation's id: asking twice charges once
  } else {
    again(Do::look, reply);
  }
}

}  // namespace firstcome::rush
