// GET /v1/orders, GET /v1/orders/{reservation}, and the orders in an audit.
//
// The order database is asked on another thread. The exchange, and with it the call, lives until it is answered, so
// what was found comes back to it over the hop to the server's thread.
#include "api/call.hpp"
#include "api/handlers.hpp"
#include "api/text_rules.hpp"
#include "api/views_json.hpp"
#include "events/order_lookup.hpp"

#include <optional>
#include <utility>

namespace firstcome::api {

namespace {

using events::Order;
using events::OrderPage;
using events::OrderStore;

/// Asks the order database with `look` and answers with `tell`. Answered here: no database, a database in trouble.
template <class Found>
void look_up(Call& call, std::move_only_function<OrderStore::Result<Found>(OrderStore&)> look,
             void (*tell)(Call&, Found)) {
  events::OrderLookup* const orders = call.context().orders;
  if (orders == nullptr)
    return call.refuse(Code::not_supported, {.detail = "No order service is attached to this server."});
  const auto asked =
      orders->ask([&call, tell, look = std::move(look)](const std::expected<OrderStore*, std::string>& store) mutable {
        std::optional<Found> found;  // nothing: a database in trouble, which is told in the log
        if (store) {
          if (auto looked = look(**store)) found = std::move(*looked);
        }
        call.context().post([&call, tell, found = std::move(found)]() mutable {
          call.later([&] {
            if (!found) return call.refuse(Code::store_unavailable);
            tell(call, std::move(*found));
          });
        });
      });
  if (asked == events::OrderLookup::Asked::too_many) call.refuse(Code::overloaded);
}

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

void answer_audit(Call& call) {
  auto said = call.take<AuditAnswer>();
  if (said.outcome != Outcome::done) return call.refuse(code_of(said.outcome));
  if (call.orders) compare_orders(said, *call.orders);
  net::JsonWriter json(call.out);
  write_audit(json, said);
  call.respond(200);
}

void send_audit(Call& call) {
  const auto depth = call.query.deep ? AuditSale::Depth::deep : AuditSale::Depth::standard;
  call.ask(AuditSale{std::string(call.parameter), depth}, answer_audit);
}

void audit_with_orders(Call& call, std::uint64_t orders) {
  call.orders = orders;
  send_audit(call);
}

/// Of this very sale: of one that was deleted the name may be the same.
void count_orders(Call& call) {
  const auto& said = call.said<SaleAnswer>();
  if (said.outcome != Outcome::done) return call.refuse(code_of(said.outcome));
  engine::ReservationIdText room;
  std::string prefix(call.context().ids.beginning(said.sale.handle, room));
  look_up<std::uint64_t>(
      call,
      [sale = std::string(call.parameter), prefix = std::move(prefix)](OrderStore& store) {
        return store.count(sale, prefix);
      },
      audit_with_orders);
}

}  // namespace

void compare_orders(AuditAnswer& audit, std::uint64_t orders) {
  audit.orders = orders;
  if (orders <= audit.orders_wanted) {
    audit.orders_pending = audit.orders_wanted - orders;
    return;
  }
  audit.mismatches.push_back("there are " + std::to_string(orders - audit.orders_wanted) +
                             " orders more than reservations that were ever confirmed");
  audit.ok = false;
}

void get_order(Call& call) {
  if (call.context().orders != nullptr && !call.context().ids.decode(call.parameter))
    return call.refuse(Code::order_not_found);
  look_up<std::optional<Order>>(
      call, [id = std::string(call.parameter)](OrderStore& store) { return store.order(id); }, tell_order);
}

void list_orders(Call& call) {
  if (call.context().orders != nullptr && !call.query.customer) {
    return call.refuse(BadInput{Code::invalid_field, "customer", "customer must say whose orders are wanted"});
  }
  if (!call.query.after.empty() && !call.context().ids.decode(call.query.after))
    return call.refuse(BadInput{Code::invalid_field, "after", "after must be what `next` of the last page said"});
  look_up<OrderPage>(
      call,
      [customer = call.query.customer.value_or(""), after = call.query.after,
       limit = call.query.limit](OrderStore& store) { return store.orders_of(customer, after, limit); },
      tell_orders);
}

/// The orders are counted before the engine recounts: those that are there then were confirmed before.
void audit_sale(Call& call) {
  if (!fits_sale_id(call.parameter)) return call.refuse(Code::sale_not_found);
  call.orders.reset();
  if (call.context().orders == nullptr) return send_audit(call);
  call.ask(GetSale{std::string(call.parameter)}, count_orders);
}

}  // namespace firstcome::api
