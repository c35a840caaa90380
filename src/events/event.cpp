#include "events/event.hpp"

#include "net/json_fields.hpp"
#include "net/rfc3339.hpp"

#include <firstcome/limits.hpp>

#include <boost/json.hpp>
#include <fmt/format.h>

#include <array>
#include <utility>

namespace firstcome::events {
namespace {

namespace json = boost::json;
using net::JsonWriter;

void write_payment(JsonWriter& out, const std::optional<Payment>& payment) {
  out.key("payment");
  if (!payment) return out.null();
  out.begin_object();
  text(out, "id", payment->id);
  text_or_null(out, "account_number", payment->account_number);
  out.end_object();
}

void write_body(JsonWriter& out, const Event& event) {
  out.begin_object();
  if (!event.reservation.empty()) {
    text(out, "customer", event.customer);
    integer(out, "quantity", event.quantity);
    integer(out, "amount", event.amount);
    text(out, "currency", event.currency);
    write_payment(out, event.payment);
  }
  if (event.value) integer(out, "value", *event.value);
  out.end_object();
}

/// What is wrong with an event; caught where it is read.
struct Wrong {
  std::string sentence;
};

/// The members of one object, each with its rule.
class Members {
 public:
  Members(const json::object& object, std::string_view inside) : object_(object), inside_(inside) {}

  std::string text(const char* name, std::size_t most) const {
    const json::value* const value = object_.if_contains(name);
    if (value == nullptr || !value->is_string()) throw wrong(name, "a string");
    const json::string& found = value->get_string();
    if (found.size() > most) throw wrong(name, fmt::format("at most {} bytes", most));
    return std::string(found);
  }

  std::string text_or_null(const char* name, std::size_t most) const { return is_null(name) ? "" : text(name, most); }

  std::int64_t integer(const char* name, std::int64_t least) const {
    const json::value* const value = object_.if_contains(name);
    const std::int64_t* const found = value == nullptr ? nullptr : value->if_int64();
    if (found == nullptr || *found < least) throw wrong(name, fmt::format("an integer of at least {}", least));
    return *found;
  }

  const json::object& object(const char* name) const {
    const json::value* const value = object_.if_contains(name);
    if (value == nullptr || !value->is_object()) throw wrong(name, "an object");
    return value->get_object();
  }

  bool is_null(const char* name) const {
    const json::value* const value = object_.if_contains(name);
    return value == nullptr || value->is_null();
  }

  Wrong wrong(const char* name, std::string_view rule) const {
    return {fmt::format("member \"{}{}\" must be {}", inside_, name, rule)};
  }

 private:
  const json::object& object_;
  const std::string_view inside_;
};

std::optional<Payment> read_payment(const Members& body) {
  if (body.is_null("payment")) return std::nullopt;
  const Members payment(body.object("payment"), "body.payment.");
  return Payment{payment.text("id", limits::payment_id_bytes),
                 payment.text_or_null("account_number", limits::payment_id_bytes)};
}

void read_body(const Members& body, Event& event) {
  if (!event.reservation.empty()) {
    event.customer = body.text("customer", limits::customer_bytes);
    event.quantity = body.integer("quantity", 1);
    event.amount = body.integer("amount", 0);
    event.currency = body.text("currency", 3);
    event.payment = read_payment(body);
  }
  if (!body.is_null("value")) event.value = body.integer("value", 0);
}

Event read_event(const json::object& object) {
  const Members members(object, "");
  const std::int64_t version = members.integer("version", 1);
  if (version > event_version) {
    throw Wrong{fmt::format("version {} is later than {}, the latest that is known here", version, event_version)};
  }
  Event event;
  event.id = members.text("id", 64);
  const std::string type = members.text("type", 64);
  const auto known = event_type_of(type);
  if (!known) throw members.wrong("type", fmt::format("a known type, not \"{}\"", type));
  event.type = *known;
  event.sale = members.text("sale", limits::sale_id_bytes);
  event.sequence = static_cast<std::uint64_t>(members.integer("sequence", 1));
  event.reservation = members.text_or_null("reservation", engine::reservation_id_length);
  if (event.type >= EventType::reservation_queued && !engine::is_reservation_id_length(event.reservation.size())) {
    throw members.wrong("reservation", fmt::format("an id of {} characters", engine::reservation_id_length));
  }
  if (!members.is_null("number")) event.number = Number{static_cast<std::uint64_t>(members.integer("number", 1))};
  event.reference = members.text_or_null("reference", limits::reference_bytes);
  const auto at = net::parse_rfc3339(members.text("at", 40));
  if (!at) throw members.wrong("at", "an instant (RFC 3339)");
  event.at = *at;
  read_body(Members(members.object("body"), "body."), event);
  return event;
}

std::string id_of(SaleHandle sale, engine::ToldSequence told) {
  if (told.incarnation == no_incarnation) return fmt::format("{}-{}", value(sale), told.sequence);
  return fmt::format("{}-{:08x}-{}", value(sale), value(told.incarnation), told.sequence);
}

}  // namespace

Event event_of(const EventView& view, engine::ReservationIds& ids) {
  const engine::ToldSequence told = ids.told_sequence(view.ref.sale, view.sale_sequence);
  Event event;
  event.id = id_of(view.ref.sale, told);
  event.type = view.type;
  event.sale = view.sale_id;
  event.sequence = told.sequence;
  event.number = ids.told(view.ref);
  event.at = view.at;
  event.value = view.value;
  if (view.type < EventType::reservation_queued) return event;
  const engine::ReservationIdText id = ids.encode(view.ref);
  event.reservation.assign(id.data(), id.size());
  event.reference = view.reference;
  event.customer = view.customer;
  event.quantity = view.quantity;
  event.amount = view.amount;
  event.currency = view.currency;
  event.payment = view.payment;
  return event;
}

std::string to_json(const Event& event) {
  std::string out;
  out.reserve(512);
  JsonWriter json(out);
  json.begin_object();
  integer(json, "version", event_version);
  text(json, "id", event.id);
  text(json, "type", word(event.type));
  text(json, "sale", event.sale);
  integer(json, "sequence", static_cast<std::int64_t>(event.sequence));
  text_or_null(json, "reservation", event.reservation);
  json.key("number");
  value(event.number) == 0 ? json.null() : json.unsigned_integer(value(event.number));
  text_or_null(json, "reference", event.reference);
  json.key("at");
  json.instant(event.at);
  json.key("body");
  write_body(json, event);
  json.end_object();
  return out;
}

std::expected<Event, std::string> event_from_json(std::string_view text) {
  if (text.size() > event_bytes) {
    return std::unexpected(fmt::format("{} bytes are more than an event may have, {}", text.size(), event_bytes));
  }
  std::array<unsigned char, 8 * 1024> room;
  json::monotonic_resource memory(room.data(), room.size());
  json::error_code error;
  const json::value value = json::parse(text, error, &memory);
  if (error) return std::unexpected("it is not JSON: " + error.message());
  if (!value.is_object()) return std::unexpected("it is not a JSON object");
  try {
    return read_event(value.get_object());
  } catch (Wrong& wrong) {
    return std::unexpected(std::move(wrong.sentence));
  }
}

std::string to_json(const StockLevel& level) {
  std::string out;
  JsonWriter json(out);
  json.begin_object();
  integer(json, "format", event_version);
  text(json, "sale", level.sale_id);
  integer(json, "version", static_cast<std::int64_t>(level.version));
  integer(json, "stock", level.stock);
  integer(json, "available", level.available);
  integer(json, "held", level.held);
  integer(json, "sold", level.sold);
  json.end_object();
  return out;
}

}  // namespace firstcome::events
