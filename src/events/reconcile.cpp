#include "events/reconcile.hpp"

#include <algorithm>
#include <tuple>

namespace firstcome::events {

std::string_view word(Difference::Kind kind) {
  switch (kind) {
    case Difference::Kind::no_order:
      return "confirmed, and there is no order";
    case Difference::Kind::other_state:
      return "engine and order disagree about its return";
    case Difference::Kind::order_for_nothing:
      return "an order of what was never confirmed";
    case Difference::Kind::no_event:
      return "confirmed, and the topic has no event of it";
    case Difference::Kind::event_for_nothing:
      return "the topic says confirmed, and it never was";
  }
  return "unknown";
}

void Reconciliation::sold(const std::string& reservation, const std::string& sale, OrderState state) {
  Seen& seen = seen_[reservation];
  if (!seen.sold) ++sold_;
  seen.sale = sale;
  seen.sold = true;
  seen.engine_says = state;
}

void Reconciliation::ordered(const OrderId& order) {
  ++orders_;
  Seen& seen = seen_[order.reservation];
  seen.sale = order.sale;
  seen.ordered = true;
  seen.order_says = order.state;
}

void Reconciliation::told(const Event& event) {
  if (event.type != EventType::reservation_confirmed) return;
  ++events_;
  Seen& seen = seen_[event.reservation];
  seen.sale = event.sale;
  seen.told = true;
}

void Reconciliation::compare(const std::string& reservation, const Seen& seen, std::vector<Difference>& found) const {
  using Kind = Difference::Kind;
  const auto differs = [&](Kind kind) { found.push_back({kind, reservation, seen.sale}); };
  if (seen.sold && !seen.ordered) differs(Kind::no_order);
  if (!seen.sold && seen.ordered) differs(Kind::order_for_nothing);
  if (seen.sold && seen.ordered && seen.engine_says != seen.order_says) differs(Kind::other_state);
  if (topic_ == Topic::is_not_compared) return;
  if (seen.sold && !seen.told) differs(Kind::no_event);
  if (!seen.sold && seen.told) differs(Kind::event_for_nothing);
}

std::vector<Difference> Reconciliation::differences() const {
  std::vector<Difference> found;
  for (const auto& [reservation, seen] : seen_) compare(reservation, seen, found);
  std::ranges::sort(found, {}, [](const Difference& one) { return std::tie(one.kind, one.reservation); });
  return found;
}

}  // namespace firstcome::events
