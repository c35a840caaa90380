#include "events/reconcile.hpp"

#include "events/order_facts.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>
#include <utility>

namespace firstcome::events {
namespace {

/// "customer: a at the server, b in the order"; empty: the same.
std::string other_values(const OrderSummary& engine, const OrderSummary& order) {
  std::string said;
  const auto tell = [&](std::string_view name, std::string_view there, std::string_view here) {
    said += fmt::format("{}{}: {} at the server, {} in the order", said.empty() ? "" : "; ", name, there, here);
  };
  if (engine.sale != order.sale) tell("sale", engine.sale, order.sale);
  OrderFacts sold = facts_of(engine);
  sold.state = order.state;  // that is Kind::other_state
  for (const DifferentFact& one : different_facts(sold, facts_of(order))) tell(one.member, one.reservation, one.order);
  return said;
}

}  // namespace

std::string_view word(Difference::Kind kind) {
  switch (kind) {
    case Difference::Kind::no_order:
      return "confirmed, and there is no order";
    case Difference::Kind::other_state:
      return "engine and order disagree about its return";
    case Difference::Kind::other_values:
      return "engine and order have other values";
    case Difference::Kind::order_for_nothing:
      return "an order of what was never confirmed";
    case Difference::Kind::no_event:
      return "confirmed, and the topic has no event of it";
    case Difference::Kind::event_for_nothing:
      return "the topic says confirmed, and it never was";
  }
  return "unknown";
}

void Reconciliation::sold(OrderSummary sold) {
  Seen& seen = seen_[std::exchange(sold.reservation, {})];
  if (!seen.sold) ++sold_;
  seen.sold = true;
  seen.engine_says = std::move(sold);
}

void Reconciliation::ordered(const OrderSummary& order) {
  ++orders_;
  Seen& seen = seen_[order.reservation];
  seen.ordered = true;
  seen.order_says = order.state;
  if (seen.sold) {
    seen.other_values = other_values(seen.engine_says, order);
  } else {
    seen.engine_says.sale = order.sale;
  }
}

void Reconciliation::told(const Event& event) {
  if (event.type != EventType::reservation_confirmed) return;
  ++events_;
  Seen& seen = seen_[event.reservation];
  if (!seen.sold) seen.engine_says.sale = event.sale;
  seen.told = true;
}

void Reconciliation::compare(const std::string& reservation, const Seen& seen, std::vector<Difference>& found) const {
  using Kind = Difference::Kind;
  const auto differs = [&](Kind kind, std::string detail = {}) {
    found.push_back({kind, reservation, seen.engine_says.sale, std::move(detail)});
  };
  if (seen.sold && !seen.ordered) differs(Kind::no_order);
  if (!seen.sold && seen.ordered) differs(Kind::order_for_nothing);
  if (seen.sold && seen.ordered && seen.engine_says.state != seen.order_says) differs(Kind::other_state);
  if (!seen.other_values.empty()) differs(Kind::other_values, seen.other_values);
  if (topic_ == Topic::is_not_compared) return;
  // Whoever wrote the order has seen its event, which may be gone since.
  const bool may_be_gone = topic_ == Topic::has_lost_its_beginning && seen.ordered;
  if (seen.sold && !seen.told && !may_be_gone) differs(Kind::no_event);
  if (!seen.sold && seen.told) differs(Kind::event_for_nothing);
}

std::vector<Difference> Reconciliation::differences() const {
  std::vector<Difference> found;
  for (const auto& [reservation, seen] : seen_) compare(reservation, seen, found);
  std::ranges::sort(found, {}, [](const Difference& one) { return std::tie(one.kind, one.reservation); });
  return found;
}

}  // namespace firstcome::events
