#include "cli/audited_server.hpp"

#include "net/rfc3339.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

namespace firstcome::cli {
namespace {

namespace json = boost::json;
using events::Event;
using events::OrderState;
using events::OrderSummary;

constexpr std::chrono::seconds patience{30};

/// Nothing: 404.
std::optional<json::value> find(const net::HttpOrigin& server, const std::string& target) {
  net::ClientRequest request;
  request.target = target;
  const net::ClientResult result = net::fetch(server, request, patience);
  const std::string at = fmt::format("http://{}:{}{}", server.host, server.port, target);
  if (!result) throw Unavailable(at + ": " + result.error().detail);
  if (result->status == 404) return std::nullopt;
  if (result->status != 200) throw Unavailable(fmt::format("{}: {} {}", at, result->status, result->body));
  return json::parse(result->body);
}

json::value get(const net::HttpOrigin& server, const std::string& target) {
  auto found = find(server, target);
  if (!found) throw Unavailable(fmt::format("http://{}:{}{}: 404", server.host, server.port, target));
  return std::move(*found);
}

/// Calls `each` with the items of all pages; `query` is empty or ends with &.
template <class Each>
void for_each_item(const net::HttpOrigin& server, const std::string& path, const std::string& query, Each each) {
  std::string after;
  do {
    const json::value page =
        get(server, fmt::format("{}?{}limit=1000{}", path, query, after.empty() ? "" : "&after=" + after));
    for (const json::value& item : page.at("items").as_array()) each(item.as_object());
    after = page.at("next").is_null() ? std::string() : std::string(page.at("next").as_string());
  } while (!after.empty());
}

std::string text(const json::object& object, std::string_view name) {
  const json::value& member = object.at(name);
  return member.is_string() ? std::string(member.as_string()) : std::string();
}

std::uint64_t count(const json::object& object, std::string_view name) {
  return object.at(name).to_number<std::uint64_t>();
}

std::optional<OrderSummary> summary_of(const json::object& reservation) {
  const std::string state = text(reservation, "state");
  if (state != "confirmed" && state != "returned") return std::nullopt;
  OrderSummary summary;
  summary.reservation = text(reservation, "id");
  summary.sale = text(reservation, "sale");
  summary.customer = text(reservation, "customer");
  summary.quantity = reservation.at("quantity").to_number<Units>();
  summary.amount = reservation.at("amount").to_number<Money>();
  summary.currency = text(reservation, "currency");
  summary.reference = text(reservation, "reference");
  summary.state = state == "confirmed" ? OrderState::confirmed : OrderState::returned;
  return summary;
}

AuditedServer::Reservation reservation_of(const json::object& object) {
  return {text(object, "id"), summary_of(object)};
}

/// What a reservation and an event of the feed have in common.
Event event_from(const json::object& object) {
  Event event;
  event.sale = text(object, "sale");
  event.number = Number{count(object, "number")};
  event.customer = text(object, "customer");
  event.quantity = object.at("quantity").to_number<Units>();
  event.reference = text(object, "reference");
  event.amount = object.at("amount").to_number<Money>();
  event.currency = text(object, "currency");
  if (const json::object* payment = object.at("payment").if_object()) {
    event.payment = Payment{text(*payment, "id"), text(*payment, "account_number")};
  }
  return event;
}

/// An event of the feed that makes an order, or changes it; none: another one.
std::optional<Event> event_of_feed(const json::object& item, const std::set<std::string>& wanted) {
  const auto type = events::event_type_of(text(item, "type"));
  using enum EventType;
  constexpr std::array of_orders{reservation_confirmed, reservation_amended, reservation_transferred,
                                 reservation_returned};
  if (!type || std::ranges::find(of_orders, *type) == of_orders.end()) return std::nullopt;
  const std::string reservation = text(item, "reservation");
  if (!wanted.contains(reservation)) return std::nullopt;
  Event event = event_from(item);
  event.type = *type;
  event.reservation = reservation;
  event.sequence = count(item, "sale_sequence");
  event.id = fmt::format("audit-{}-{}", reservation, event.sequence);
  event.at = net::parse_rfc3339(text(item, "at")).value_or(Instant{});
  if (item.at("value").is_number()) event.value = item.at("value").to_number<Units>();
  return event;
}

/// The confirmation, and the return where it was returned.
std::vector<Event> made_from(const json::object& reservation) {
  Event event = event_from(reservation);
  event.reservation = text(reservation, "id");
  event.id = "audit-" + event.reservation;
  event.type = EventType::reservation_confirmed;
  event.sequence = Event::made_confirmation;
  event.at = net::parse_rfc3339(text(reservation, "created_at")).value_or(Instant{});
  std::vector<Event> all{event};
  if (text(reservation, "state") != "returned") return all;
  event.type = EventType::reservation_returned;
  event.id += "-returned";
  event.sequence = Event::made_return;
  all.push_back(std::move(event));
  return all;
}

}  // namespace

std::vector<std::string> AuditedServer::sales() const {
  std::vector<std::string> sales;
  for_each_item(origin_, "/v1/sales", "", [&](const json::object& sale) { sales.push_back(text(sale, "id")); });
  return sales;
}

void AuditedServer::for_each_reservation(const std::string& sale, const std::function<void(Reservation)>& each) const {
  for_each_item(origin_, "/v1/sales/" + sale + "/reservations", "",
                [&](const json::object& reservation) { each(reservation_of(reservation)); });
}

std::optional<AuditedServer::Reservation> AuditedServer::reservation(const std::string& id) const {
  const auto found = find(origin_, "/v1/reservations/" + id);
  if (!found) return std::nullopt;
  return reservation_of(found->as_object());
}

AuditedServer::Told AuditedServer::events_of(const std::string& sale, const std::set<std::string>& reservations) const {
  Told told;
  for_each_item(origin_, "/v1/events", "sale=" + sale + "&", [&](const json::object& item) {
    if (auto event = event_of_feed(item, reservations)) told.events[event->reservation].push_back(std::move(*event));
  });
  for (const std::string& id : reservations) {
    const auto known = told.events.find(id);
    const bool begins = known != told.events.end() && known->second.front().type == EventType::reservation_confirmed;
    if (begins) continue;
    const auto found = find(origin_, "/v1/reservations/" + id);
    if (!found || !summary_of(found->as_object())) continue;
    told.events[id] = made_from(found->as_object());
    ++told.made;
  }
  return told;
}

}  // namespace firstcome::cli
