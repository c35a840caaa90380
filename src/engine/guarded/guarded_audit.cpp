#include "engine/guarded/guarded_audit.hpp"

#include "engine/guarded/interleaving.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <unordered_map>

namespace firstcome::engine {
namespace {

std::uint64_t customers_over_limit(const SaleView& sale, std::span<const OrderRow> orders) {
  if (!sale.terms.limit_per_customer) return 0;
  std::unordered_map<std::string_view, Units> units_of;
  for (const OrderRow& order : orders)
    if (!order.ended) units_of[order.customer] += order.quantity;
  return static_cast<std::uint64_t>(std::ranges::count_if(
      units_of, [&](const auto& customer) { return customer.second > *sale.terms.limit_per_customer; }));
}

std::uint64_t inversions(std::span<const OrderRow> orders) {
  std::uint64_t count = 0;
  for (std::size_t i = 1; i < orders.size(); ++i) count += orders[i].at < orders[i - 1].at ? 1 : 0;
  return count;
}

}  // namespace

AuditAnswer audit_of(const SaleView& sale, std::span<const OrderRow> orders) {
  AuditAnswer answer;
  answer.outcome = Outcome::done;
  answer.stock = sale.terms.stock;
  answer.available = sale.available;
  for (const OrderRow& order : orders) {
    if (order.ended) continue;
    (order.paid ? answer.sold : answer.held) += order.quantity;
    answer.orders_wanted += order.paid ? 1 : 0;
  }
  answer.customers_over_limit = customers_over_limit(sale, orders);
  answer.number_inversions = inversions(orders);
  const Units ordered = answer.sold + answer.held;
  if (ordered > answer.stock) {
    answer.mismatches.push_back(fmt::format("oversold: {} units were ordered of a stock of {}", ordered, answer.stock));
    if (auto how = interleaving_of(orders)) answer.mismatches.push_back(std::move(*how));
  }
  if (answer.available + ordered != answer.stock) {
    answer.mismatches.push_back(fmt::format("the stock says that {} units are left, the orders that {} are",
                                            answer.available, answer.stock - ordered));
  }
  answer.ok = answer.mismatches.empty() && *answer.customers_over_limit == 0;
  return answer;
}

}  // namespace firstcome::engine
