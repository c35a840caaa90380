// GET /v1/sales/{id}/audit: what the engine recounts, and then the orders of the sale against its reservations
// (order_audit.hpp).
//
// One step after the other: each function asks for something and names the function that goes on with the answer.
#include "api/call.hpp"
#include "api/handlers.hpp"
#include "api/look_up.hpp"
#include "api/order_audit.hpp"
#include "api/text_rules.hpp"
#include "api/views_json.hpp"

#include <firstcome/limits.hpp>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace firstcome::api {

/// What a call keeps while it compares.
struct SaleAudit {
  explicit SaleAudit(AuditAnswer answer) : orders(std::move(answer)) {}

  OrderAudit orders;
  std::string prefix;  ///< how the ids of the sale's reservations begin
  std::vector<OrderAudit::Sold> page;
  Number next{};  ///< the next page comes after this number; 0: that was the last one
  std::uint64_t count = 0;
  std::optional<std::uint64_t> on_their_way;
  std::size_t doubt = 0;  ///< the one that is looked at again
};

namespace {

using events::Order;
using events::OrderStore;

void answer_audit(Call& call, const AuditAnswer& audit) {
  net::JsonWriter json(call.out);
  write_audit(json, audit);
  call.respond(200);
}

void finish(Call& call) {
  SaleAudit& audit = *call.sale_audit;
  answer_audit(call, audit.orders.finish(audit.count, audit.on_their_way));
}

// --- the doubts, once more ---

void ask_for_doubt(Call& call);

void take_doubt(Call& call) {
  SaleAudit& audit = *call.sale_audit;
  const auto& said = call.said<ReservationAnswer>();
  if (said.outcome != Outcome::reservation_not_found)
    audit.orders.doubts()[audit.doubt].now = events::facts_of(said.reservation);
  ++audit.doubt;
  ask_for_doubt(call);
}

void ask_for_doubt(Call& call) {
  SaleAudit& audit = *call.sale_audit;
  const auto& doubts = audit.orders.doubts();
  while (audit.doubt < doubts.size() && !doubts[audit.doubt].ref) ++audit.doubt;
  if (audit.doubt == doubts.size()) return finish(call);
  call.ask(GetReservation{*doubts[audit.doubt].ref}, take_doubt);
}

void take_orders_of_doubts(Call& call, std::vector<Order> orders) {
  SaleAudit& audit = *call.sale_audit;
  for (OrderAudit::Doubt& doubt : audit.orders.doubts()) {
    const auto order = std::ranges::find(orders, doubt.id, &Order::reservation);
    if (order != orders.end()) doubt.order = events::facts_of(*order);
  }
  ask_for_doubt(call);
}

void take_undelivered(Call& call) {
  SaleAudit& audit = *call.sale_audit;
  // Behind Kafka, what the relay has delivered may still be on its way to the database.
  if (call.context().order_path == OrderPath::written_by_relay)
    audit.on_their_way = call.said<UndeliveredAnswer>().events;
  std::vector<std::string> ids;
  for (const OrderAudit::Doubt& doubt : audit.orders.doubts()) ids.push_back(doubt.id);
  look_up<std::vector<Order>>(
      call, [ids = std::move(ids)](OrderStore& store) { return store.orders_with(ids); }, take_orders_of_doubts);
}

void judge_doubts(Call& call) {
  if (call.sale_audit->orders.doubts().empty()) return finish(call);
  call.ask(FindUndelivered{}, take_undelivered);
}

// --- orders that no page had ---

void take_ids(Call& call, std::vector<std::string> ids) {
  for (std::string& id : ids) {
    const std::optional<ReservationRef> ref = call.context().ids.decode(id);
    call.sale_audit->orders.add_order(std::move(id), ref);
  }
  judge_doubts(call);
}

OrderStore::Result<std::vector<std::string>> ids_of(OrderStore& store, const std::string& sale,
                                                    const std::string& prefix, const OrderAudit& known) {
  std::vector<std::string> ids;
  const auto read = store.summaries(sale, [&](const events::OrderSummary& order) {
    if (order.reservation.starts_with(prefix) && !known.knows(order.reservation)) ids.push_back(order.reservation);
    return ids.size() < 2 * OrderAudit::doubts_max;
  });
  if (!read) return std::unexpected(read.error());
  return ids;
}

void take_count(Call& call, std::uint64_t count) {
  SaleAudit& audit = *call.sale_audit;
  audit.count = count;
  if (count <= audit.orders.orders_found()) return judge_doubts(call);
  look_up<std::vector<std::string>>(
      call,
      [sale = std::string(call.parameter), prefix = audit.prefix, kept = call.sale_audit](OrderStore& store) {
        return ids_of(store, sale, prefix, kept->orders);  // the call waits meanwhile, and touches none of it
      },
      take_ids);
}

// --- the pages ---

void ask_for_page(Call& call);

void take_orders(Call& call, std::vector<Order> orders) {
  SaleAudit& audit = *call.sale_audit;
  audit.orders.add_page(std::exchange(audit.page, {}), orders);
  if (value(audit.next) != 0) return ask_for_page(call);
  audit.orders.end_pages();
  look_up<std::uint64_t>(
      call,
      [sale = std::string(call.parameter), prefix = audit.prefix](OrderStore& store) {
        return store.count(sale, prefix);
      },
      take_count);
}

void take_page(Call& call) {
  SaleAudit& audit = *call.sale_audit;
  const auto said = call.take<ReservationsAnswer>();
  if (said.outcome != Outcome::done) return call.refuse(code_of(said.outcome));
  audit.next = said.next;
  std::vector<std::string> ids;
  for (const ReservationView& view : said.items) {
    auto facts = events::facts_of(view);
    if (!facts) continue;
    const engine::ReservationIdText text = call.context().ids.encode(view.ref);
    ids.emplace_back(text.data(), text.size());
    audit.page.push_back({ids.back(), view.ref, std::move(*facts)});
  }
  look_up<std::vector<Order>>(
      call, [ids = std::move(ids)](OrderStore& store) { return store.orders_with(ids); }, take_orders);
}

void ask_for_page(Call& call) {
  ListReservations command;
  command.sale = call.parameter;
  command.after = call.sale_audit->next;
  command.limit = limits::page_max;
  call.ask(std::move(command), take_page);
}

// --- the beginning ---

void take_sale(Call& call) {
  const auto& said = call.said<SaleAnswer>();
  if (said.outcome != Outcome::done) return call.refuse(code_of(said.outcome));
  engine::ReservationIdText room;
  call.sale_audit->prefix = call.context().ids.beginning(said.sale.handle, room);
  ask_for_page(call);
}

void take_audit(Call& call) {
  auto said = call.take<AuditAnswer>();
  if (said.outcome != Outcome::done) return call.refuse(code_of(said.outcome));
  if (call.context().orders == nullptr) return answer_audit(call, said);
  if (!call.context().comparing.expired()) return call.refuse(Code::audit_running);
  call.sale_audit = std::make_shared<SaleAudit>(std::move(said));
  call.context().comparing = call.sale_audit;
  call.ask(GetSale{std::string(call.parameter)}, take_sale);
}

}  // namespace

void audit_sale(Call& call) {
  if (!fits_sale_id(call.parameter)) return call.refuse(Code::sale_not_found);
  if (!call.context().comparing.expired()) return call.refuse(Code::audit_running);
  const auto depth = call.query.deep ? AuditSale::Depth::deep : AuditSale::Depth::standard;
  call.ask(AuditSale{std::string(call.parameter), depth}, take_audit);
}

}  // namespace firstcome::api
