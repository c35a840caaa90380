#include "api/order_audit.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <string_view>
#include <unordered_map>
#include <utility>

namespace firstcome::api {

namespace {

constexpr std::size_t mismatches_told = 100;

std::uint64_t hash_of(std::string_view id) { return std::hash<std::string_view>{}(id); }

}  // namespace

void OrderAudit::doubt(Doubt doubt) {
  if (doubts_.size() < doubts_max) {
    doubts_.push_back(std::move(doubt));
  } else {
    ++more_doubts_;
  }
}

void OrderAudit::add_page(std::vector<Sold> sold, std::span<const events::Order> orders) {
  std::unordered_map<std::string_view, const events::Order*> order_of;
  for (const events::Order& order : orders) order_of.emplace(order.reservation, &order);
  for (Sold& one : sold) {
    const auto order = order_of.find(one.id);
    if (order != order_of.end()) known_.push_back(hash_of(one.id));
    if (order != order_of.end() && agree(one.facts, facts_of(*order->second))) continue;
    doubt({std::move(one.id), one.ref, std::move(one.facts), {}, {}});
  }
}

void OrderAudit::end_pages() { std::ranges::sort(known_); }

bool OrderAudit::knows(std::string_view id) const { return std::ranges::binary_search(known_, hash_of(id)); }

void OrderAudit::add_order(std::string id, std::optional<ReservationRef> ref) {
  if (knows(id)) return;
  if (ref && doubts_.size() >= doubts_max) return;  // it cannot be looked at again now; the next audit can
  const auto is_doubted = [&](const Doubt& doubt) { return doubt.id == id; };
  if (std::ranges::none_of(doubts_, is_doubted)) doubt({std::move(id), ref, {}, {}, {}});
}

void OrderAudit::mismatch(std::string sentence) {
  answer_.ok = false;
  if (answer_.mismatches.size() + 1 < mismatches_told) {  // the last one says how many are not told
    answer_.mismatches.push_back(std::move(sentence));
  } else {
    ++more_mismatches_;
  }
}

AuditAnswer OrderAudit::finish(std::uint64_t orders, std::optional<std::uint64_t> on_their_way) {
  std::uint64_t missing = more_doubts_;
  std::vector<std::string> explicable;  // by an event that is on its way
  for (const Doubt& doubt : doubts_) {
    const auto fits = [&](const std::optional<events::OrderFacts>& facts) {
      return facts && doubt.order ? agree(*facts, *doubt.order) : facts == doubt.order;
    };
    if (fits(doubt.now) || (doubt.before && fits(doubt.before))) continue;
    if (!doubt.now && !doubt.before) {
      mismatch(fmt::format("order {} belongs to no reservation that was ever confirmed", doubt.id));
    } else if (!doubt.order) {
      ++missing;
      explicable.push_back(fmt::format("reservation {} is sold and has no order", doubt.id));
    } else {
      const events::OrderFacts& sold = doubt.now ? *doubt.now : *doubt.before;
      explicable.push_back(
          fmt::format("order {} differs from its reservation: {}", doubt.id, differing_facts(sold, *doubt.order)));
    }
  }
  answer_.orders = orders;
  answer_.orders_pending = missing;
  // Doubts beyond the bound were not looked at again and prove nothing: they stay pending.
  if (on_their_way && explicable.size() > *on_their_way) {
    for (std::string& sentence : explicable) mismatch(std::move(sentence));
    more_mismatches_ += more_doubts_;
    answer_.orders_pending = 0;
    answer_.ok = false;
  }
  if (more_mismatches_ > 0 && answer_.mismatches.size() < mismatches_told)
    answer_.mismatches.push_back(fmt::format("and {} more", more_mismatches_));
  return std::move(answer_);
}

}  // namespace firstcome::api
