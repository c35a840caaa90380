// An event as it leaves the house: to Kafka, to the order service, to the feed. docs/events.md is its schema.
//
// Pure: values and text.
#pragma once

#include "engine/reservation_id.hpp"

#include <firstcome/command.hpp>

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

namespace firstcome::events {

/// Of the JSON form. A reader refuses a higher one; members that it does not know, of its own version, it passes over.
inline constexpr int event_version = 1;

/// One that is longer was not made here.
inline constexpr std::size_t event_bytes = 4'096;

struct Event {
  /// `HANDLE-INCARNATION-SEQUENCE`, or `HANDLE-SEQUENCE` where there is no incarnation: the same however often it is
  /// delivered; of this store only.
  std::string id;
  EventType type{};
  std::string sale;
  std::uint64_t sequence = 0;  ///< in the sale, from 1, rising; without gaps unless the store lost part of its past
  std::string reservation;     ///< the id; empty where it is of the sale
  Number number{};
  std::string reference;  ///< empty: none
  Instant at;

  // The body.
  std::string customer;
  Units quantity = 0;
  Money amount = 0;
  std::string currency;
  std::optional<Payment> payment;
  std::optional<Units> value;

  bool operator==(const Event&) const = default;

  // The sequences of events that are made from a reservation, where the real ones are not known. They are below all
  // that a store gives: the first of a sale is that of its creation, and nothing is returned before it was confirmed.
  static constexpr std::uint64_t made_confirmation = 1;
  static constexpr std::uint64_t made_return = 2;
};

Event event_of(const EventView& view, engine::ReservationIds& ids);

std::string to_json(const Event& event);

/// Failures: a sentence that names the member and the rule. Cost: about two microseconds.
std::expected<Event, std::string> event_from_json(std::string_view text);

/// The stock of a sale at one instant, likewise.
std::string to_json(const StockLevel& level);

/// `reservation-confirmed`, and back.
std::string_view word(EventType type);
std::optional<EventType> event_type_of(std::string_view word);

}  // namespace firstcome::events
