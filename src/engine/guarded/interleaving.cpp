#include "engine/guarded/interleaving.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <utility>
#include <vector>

namespace firstcome::engine {
namespace {

/// More do not sell at once.
constexpr std::size_t most_at_once = 256;

/// What is left after an order, as its seller saw it.
Units left_after(const OrderRow& order) { return order.seen_available - order.quantity; }

bool took_the_same(const OrderRow& a, const OrderRow& b) {
  return left_after(a) < b.seen_available && left_after(b) < a.seen_available;
}

struct Pair {
  const OrderRow* first = nullptr;  ///< who read first
  const OrderRow* second = nullptr;

  /// The second read before the first wrote. Else the first wrote and had not committed yet, or units came back
  /// between the two: less telling.
  bool overlaps() const { return second->read_at <= first->written_at; }
  bool took_the_last() const { return left_after(*first) == 0 && left_after(*second) == 0; }
  /// Higher is more telling.
  int rank() const { return (overlaps() ? 2 : 0) + (took_the_last() ? 1 : 0); }
  std::chrono::microseconds apart() const { return second->read_at - first->written_at; }

  bool is_more_telling_than(const Pair& other) const {
    if (first == nullptr || other.first == nullptr) return other.first == nullptr;
    if (rank() != other.rank()) return rank() > other.rank();
    return !overlaps() && apart() < other.apart();
  }
};

std::string time_text(Microsecond at) {
  const auto day = std::chrono::floor<std::chrono::days>(at);
  const std::chrono::hh_mm_ss time(at - day);
  return fmt::format("{:02}:{:02}:{:02}.{:06}", time.hours().count(), time.minutes().count(), time.seconds().count(),
                     time.subseconds().count());
}

std::string sentence_of(const Pair& pair) {
  const OrderRow& first = *pair.first;
  const OrderRow& second = *pair.second;
  const bool same_node = first.node == second.node;
  const auto name = [&](const OrderRow& order) {
    return same_node ? fmt::format("{} (order {})", order.node, value(order.number)) : order.node;
  };
  // What happened first is said first.
  std::vector<std::pair<Microsecond, std::string>> steps;
  for (const OrderRow* const order : {&first, &second}) {
    steps.emplace_back(order->read_at, fmt::format("{} read {}", name(*order), order->seen_available));
    steps.emplace_back(order->written_at, fmt::format("{} wrote {}", name(*order), left_after(*order)));
    if (order->committed_at) steps.emplace_back(*order->committed_at, fmt::format("{} committed", name(*order)));
  }
  std::ranges::stable_sort(steps, {}, [](const auto& step) { return step.first; });
  std::string text;
  for (const auto& [at, what] : steps) text += fmt::format("{}{} at {}", text.empty() ? "" : "; ", what, time_text(at));
  // Else it would read as if the second had seen what the first wrote.
  if (!first.committed_at && second.read_at > first.written_at)
    text += fmt::format("; when {} committed is not known", name(first));
  const auto [lower, higher] = std::minmax({value(first.number), value(second.number)});
  return fmt::format("{}: both sold {}, orders {} and {}", text,
                     pair.took_the_last() ? "the last unit" : "the same units", lower, higher);
}

}  // namespace

std::optional<std::string> interleaving_of(std::span<const OrderRow> orders) {
  std::vector<const OrderRow*> by_reading;
  by_reading.reserve(orders.size());
  for (const OrderRow& order : orders)
    if (!order.ended) by_reading.push_back(&order);
  std::ranges::stable_sort(by_reading, {}, [](const OrderRow* order) { return order->read_at; });
  Pair best;
  for (std::size_t i = 0; i < by_reading.size(); ++i) {
    for (std::size_t j = i - std::min(i, most_at_once); j < i; ++j) {
      if (!took_the_same(*by_reading[j], *by_reading[i])) continue;
      const Pair pair{by_reading[j], by_reading[i]};
      if (pair.is_more_telling_than(best)) best = pair;
    }
  }
  if (best.first == nullptr) return std::nullopt;
  return sentence_of(best);
}

}  // namespace firstcome::engine
