#include "api/views_json.hpp"

#include "api/words.hpp"
#include "events/event.hpp"
#include "net/json_fields.hpp"

namespace firstcome::api {

namespace {

using net::JsonWriter;

/// `payment` null: there is none.
void write_payment(JsonWriter& json, const Payment* payment, Money amount) {
  json.key("payment");
  if (payment == nullptr) return json.null();
  json.begin_object();
  text(json, "id", payment->id);
  integer(json, "amount", amount);
  text_or_null(json, "account_number", payment->account_number);
  json.end_object();
}

bool is_of_a_reservation(EventType type) { return type >= EventType::reservation_queued; }

}  // namespace

void write_terms(JsonWriter& json, const SaleTerms& terms) {
  text(json, "id", terms.id);
  text(json, "name", terms.name);
  text(json, "kind", word(terms.kind));
  integer(json, "stock", terms.stock);
  integer(json, "unit_price", terms.unit_price);
  text(json, "currency", terms.currency);
  integer_or_null(json, "limit_per_customer", terms.limit_per_customer);
  integer_or_null(json, "max_open", terms.max_open);
  integer(json, "hold_ms", terms.hold.count());
  instant_or_null(json, "opens_at", terms.opens_at);
  instant_or_null(json, "closes_at", terms.closes_at);
  json.key("queue");
  if (terms.queue) {
    json.begin_object();
    integer(json, "admit_per_tick", terms.queue->admit_per_tick);
    integer(json, "tick_ms", terms.queue->tick.count());
    json.end_object();
  } else {
    json.null();
  }
  json.key("standby");
  json.boolean(terms.standby == Standby::yes);
  text(json, "payment", word(terms.payment));
  integer(json, "extend_ms", terms.extend.count());
}

void write_sale(JsonWriter& json, const SaleView& sale, std::string_view engine) {
  json.begin_object();
  write_terms(json, sale.terms);
  text(json, "state", word(sale.state));
  integer(json, "available", sale.available);
  integer(json, "held", sale.held);
  integer(json, "sold", sale.sold);
  count(json, "queued", sale.queued);
  count(json, "serving", value(sale.serving));
  text(json, "engine", engine);
  json.end_object();
}

void write_reservation(JsonWriter& json, const ReservationText& reservation) {
  json.begin_object();
  text(json, "id", reservation.id);
  text(json, "sale", reservation.sale);
  text(json, "customer", reservation.customer);
  integer(json, "quantity", reservation.quantity);
  text_or_null(json, "reference", reservation.reference);
  text(json, "state", word(reservation.state));
  count(json, "number", value(reservation.number));
  integer(json, "amount", reservation.amount);
  text(json, "currency", reservation.currency);
  json.key("created_at");
  json.instant(reservation.created_at);
  instant_or_null(json, "expires_at", reservation.expires_at);
  duration_or_null(json, "expires_in_ms", reservation.expires_in);
  text_or_null(json, "reason", reservation.reason == Reason::none ? "" : word(reservation.reason));
  write_payment(json, reservation.payment, reservation.charged);
  integer_or_null(json, "position", reservation.position);
  duration_or_null(json, "eta_ms", reservation.eta);
  json.end_object();
}

void write_reservation(JsonWriter& json, const ReservationView& view, engine::ReservationIds& ids) {
  const engine::ReservationIdText id = ids.encode(view.ref);
  ReservationText reservation;
  reservation.id = {id.data(), id.size()};
  reservation.sale = view.sale_id;
  reservation.customer = view.customer;
  reservation.reference = view.reference;
  reservation.currency = view.currency;
  reservation.quantity = view.quantity;
  reservation.state = view.state;
  reservation.number = ids.told(view.ref);
  reservation.amount = view.amount;
  reservation.charged = view.charged;
  reservation.created_at = view.created_at;
  reservation.expires_at = view.expires_at;
  reservation.expires_in = view.expires_in;
  reservation.reason = view.reason;
  reservation.payment = view.payment ? &*view.payment : nullptr;
  reservation.position = view.position;
  reservation.eta = view.eta;
  write_reservation(json, reservation);
}

void write_event(JsonWriter& json, const EventView& event, engine::ReservationIds& ids) {
  json.begin_object();
  count(json, "sequence", event.sequence);
  count(json, "sale_sequence", ids.told_sequence(event.ref.sale, event.sale_sequence).sequence);
  text(json, "type", events::word(event.type));
  text(json, "sale", event.sale_id);
  json.key("at");
  json.instant(event.at);
  json.key("number");
  value(event.ref.number) == 0 ? json.null() : json.unsigned_integer(value(ids.told(event.ref)));
  integer_or_null(json, "value", event.value);
  if (is_of_a_reservation(event.type)) {
    const engine::ReservationIdText id = ids.encode(event.ref);
    text(json, "reservation", {id.data(), id.size()});
    text(json, "customer", event.customer);
    integer(json, "quantity", event.quantity);
    text_or_null(json, "reference", event.reference);
    integer(json, "amount", event.amount);
    text(json, "currency", event.currency);
    write_payment(json, event.payment ? &*event.payment : nullptr, event.charged);
  }
  json.end_object();
}

void write_order(JsonWriter& json, const events::Order& order) {
  json.begin_object();
  text(json, "reservation", order.reservation);
  text(json, "sale", order.sale);
  count(json, "number", value(order.number));
  text(json, "customer", order.customer);
  integer(json, "quantity", order.quantity);
  integer(json, "amount", order.amount);
  text(json, "currency", order.currency);
  text_or_null(json, "reference", order.reference);
  text(json, "state", events::word(order.state));
  json.key("payment");
  if (order.payment) {
    json.begin_object();
    text(json, "id", order.payment->id);
    text_or_null(json, "account_number", order.payment->account_number);
    text(json, "state", events::word(order.payment->state));
    json.end_object();
  } else {
    json.null();
  }
  json.key("confirmed_at");
  order.confirmed_at ? json.instant(*order.confirmed_at) : json.null();
  json.key("updated_at");
  json.instant(order.updated_at);
  json.end_object();
}

void write_audit(JsonWriter& json, const AuditAnswer& audit) {
  json.begin_object();
  json.key("equation");
  json.begin_object();
  integer(json, "stock", audit.stock);
  integer(json, "available", audit.available);
  integer(json, "held", audit.held);
  integer(json, "sold", audit.sold);
  json.end_object();
  integer_or_null(json, "customers_over_limit", audit.customers_over_limit);
  count(json, "number_inversions", audit.number_inversions);
  integer_or_null(json, "orders", audit.orders);
  count(json, "orders_pending", audit.orders_pending);
  json.key("mismatches");
  json.begin_array();
  for (const std::string& mismatch : audit.mismatches) json.string(mismatch);
  json.end_array();
  json.key("ok");
  json.boolean(audit.ok);
  json.end_object();
}

}  // namespace firstcome::api
