// Views of sales, reservations, events and audits as JSON: the members and their order are those of openapi.yaml.
#pragma once

#include "engine/reservation_id.hpp"
#include "events/orders/order_store.hpp"
#include "net/json_writer.hpp"

#include <firstcome/command.hpp>
#include <firstcome/sale.hpp>

#include <string_view>

namespace firstcome::api {

/// The members of a sale's terms, into an object that is open.
void write_terms(net::JsonWriter& json, const SaleTerms& terms);

/// `engine` is Engine::name().
void write_sale(net::JsonWriter& json, const SaleView& sale, std::string_view engine);

/// A reservation whose texts stand elsewhere, so that the answer to a reserve command is written without a copy.
struct ReservationText {
  std::string_view id;
  std::string_view sale;
  std::string_view customer;
  std::string_view reference;
  std::string_view currency;
  Units quantity = 1;
  ReservationState state = ReservationState::queued;
  Number number{};
  Money amount = 0;
  Money charged = 0;  ///< where `payment` is said
  Instant created_at;
  std::optional<Instant> expires_at;
  std::optional<Milliseconds> expires_in;
  Reason reason = Reason::none;
  const Payment* payment = nullptr;
  std::optional<std::uint64_t> position;
  std::optional<Milliseconds> eta;
};

void write_reservation(net::JsonWriter& json, const ReservationText& reservation);
void write_reservation(net::JsonWriter& json, const ReservationView& view, engine::ReservationIds& ids);

void write_event(net::JsonWriter& json, const EventView& event, engine::ReservationIds& ids);

void write_order(net::JsonWriter& json, const events::Order& order);

void write_audit(net::JsonWriter& json, const AuditAnswer& audit);

}  // namespace firstcome::api
