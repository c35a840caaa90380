// What one click was told: the crowd writes it down, the verdict holds the server to it.
#pragma once

#include <firstcome/sale.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

namespace firstcome::rush {

/// Time since the crowd was let in.
using Moment = std::chrono::nanoseconds;

/// The last thing that a click was told.
enum class Word : std::uint8_t {
  nothing,  ///< it never asked, or nobody ever answered
  yes,      ///< a reservation: `held`, `confirmed`, or what became of it since
  waiting,  ///< a reservation in the queue
  again,    ///< no reservation now; try again later
  no,       ///< no reservation, finally
};

/// Whether a click carried an Idempotency-Key.
enum class Keyed : std::uint8_t { no, yes };

/// One click. A customer who clicks twice has two of these.
struct Told {
  std::uint32_t customer = 0;
  std::uint32_t request = 0;  ///< clicks of one request carry the same key
  Keyed keyed = Keyed::yes;
  Word word = Word::nothing;
  /// Attempts whose answer never came and that no later answer explains: each may have made a reservation.
  std::uint32_t unsure = 0;
  bool waited = false;       ///< was in the queue
  bool charge_open = false;  ///< a charge may have been under way when it last heard
  bool paid = false;         ///< it has asked to pay
  Units quantity = 1;        ///< asked for
  std::string reservation;   ///< its id, where word is yes or waiting
  std::uint64_t number = 0;
  ReservationState state = ReservationState::queued;  ///< the last one told of `reservation`
  std::string code;  ///< where no or again: the refusal; where the reservation ended without units: why
  std::optional<Units> quantity_told;  ///< as the answer had it
  bool named_another = false;          ///< an answer named another customer
  /// When the units surely were the customer's: from the first answer that told of the hold until the first moment at
  /// which it may have ended, or its payment may have failed. Then, where it was told, confirmed for good.
  std::optional<Moment> held_from;
  Moment held_until{};
  std::optional<Moment> confirmed_at;
  std::optional<Moment> promised_until;  ///< the hold was told to last at least until then
  std::optional<Moment> ended_at;        ///< the first answer that told that the hold had ended
  Moment sent_at{};                      ///< of the first attempt that may have made the reservation
  Moment answered_at{};                  ///< of the first answer that told of the reservation
  Moment refused_at{};                   ///< of the last answer that refused one
};

}  // namespace firstcome::rush
