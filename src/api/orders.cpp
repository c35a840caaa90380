// GET /v1/orders and GET /v1/orders/{reservation}.
#include "api/call.hpp"
#include "api/handlers.hpp"
#include "api/look_up.hpp"
#include "api/text_rules.hpp"
#include "api/views_json.hpp"

#include <optional>
#include <utility>

namespace firstcome::api {

namespace {

using events::Order;
using events::OrderPage;
using events::OrderStore;

void tell_order(Call& call, std::optional<Order> order) {
  if (!order) return call.refuse(Code::order_not_found);
  net::JsonWriter json(call.out);
  write_order(json, *order);
  call.respond(200);
}

void tell_orders(Call& call, OrderPage page) {
  net::JsonWriter json(call.out);
  json.begin_object();
  json.key("items");
  json.begin_array();
  for (const Order& order : page.items) write_order(json, order);
  json.end_array();
  json.key("next");
  page.next.empty() ? json.null() : json.string(page.next);
  json.end_object();
  call.respond(200);
}

}  // namespace

// Ids are looked at for their form only: the orders of several stores, each with ids of its own, may be in one
// database.

void get_order(Call& call) {
  if (call.context().orders != nullptr && !fits_reservation_id(call.parameter))
    return call.refuse(Code::order_not_found);
  look_up<std::optional<Order>>(
      call, [id = std::string(call.parameter)](OrderStore& store) { return store.order(id); }, tell_order);
}

void list_orders(Call& call) {
  if (call.context().orders != nullptr && !call.query.customer) {
    return call.refuse(BadInput{Code::invalid_field, "customer", "customer must say whose orders are wanted"});
  }
  if (!call.query.after.empty() && !fits_reservation_id(call.query.after))
    return call.refuse(BadInput{Code::invalid_field, "after", "after must be what `next` of the last page said"});
  look_up<OrderPage>(
      call,
      [customer = call.query.customer.value_or(""), after = call.query.after,
       limit = call.query.limit](OrderStore& store) { return store.orders_of(customer, after, limit); },
      tell_orders);
}

}  // namespace firstcome::api
