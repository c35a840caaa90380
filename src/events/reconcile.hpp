// Compares, reservation by reservation, what the engine sold with what its events and its orders say.
//
// Pure. Memory: some 200 bytes for each reservation that was ever confirmed.
#pragma once

#include "events/orders/order_store.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace firstcome::events {

struct Difference {
  enum class Kind : std::uint8_t {
    no_order,           ///< confirmed, and there is no order
    other_state,        ///< the order says confirmed, the engine returned, or the other way round
    order_for_nothing,  ///< an order of what was never confirmed
    no_event,           ///< confirmed, and the topic has no event of it
    event_for_nothing,  ///< the topic says confirmed; it never was
  };
  Kind kind{};
  std::string reservation;
  std::string sale;

  bool operator==(const Difference&) const = default;
};

std::string_view word(Difference::Kind kind);

/// Tell it of everything, the engine first; then ask for the differences.
class Reconciliation {
 public:
  enum class Topic : std::uint8_t { is_not_compared, is_compared };
  explicit Reconciliation(Topic topic) : topic_(topic) {}

  /// One that is or was confirmed.
  void sold(const std::string& reservation, const std::string& sale, OrderState state);
  void ordered(const OrderId& order);
  /// Only what concerns orders is looked at; repeats are nothing.
  void told(const Event& event);

  /// By kind, each by reservation.
  std::vector<Difference> differences() const;

  std::uint64_t sold() const { return sold_; }
  std::uint64_t orders() const { return orders_; }
  std::uint64_t events() const { return events_; }  ///< confirmations in the topic, repeats among them

 private:
  struct Seen {
    std::string sale;
    bool sold = false, ordered = false, told = false;
    OrderState engine_says{}, order_says{};
  };
  void compare(const std::string& reservation, const Seen& seen, std::vector<Difference>& found) const;

  const Topic topic_;
  std::unordered_map<std::string, Seen> seen_;
  std::uint64_t sold_ = 0, orders_ = 0, events_ = 0;
};

}  // namespace firstcome::events
