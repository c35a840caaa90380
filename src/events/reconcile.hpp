// Compares, reservation by reservation and value by value, what the engine sold with what its events and its orders
// say.
//
// Pure. Memory: some 300 bytes for each reservation that was ever confirmed.
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
    other_values,       ///< the order has another customer, quantity, amount, currency, reference or sale
    order_for_nothing,  ///< an order of what was never confirmed
    no_event,           ///< confirmed, and the topic has no event of it
    event_for_nothing,  ///< the topic says confirmed; it never was
  };
  Kind kind{};
  std::string reservation;
  std::string sale;
  std::string detail = {};  ///< of other_values: which, and what both sides say

  bool operator==(const Difference&) const = default;
};

std::string_view word(Difference::Kind kind);

/// Tell it of everything, the engine first; then ask for the differences.
class Reconciliation {
 public:
  enum class Topic : std::uint8_t {
    is_not_compared,
    is_compared,
    has_lost_its_beginning,  ///< it is compared, but an event that it lacks may have been deleted as too old
  };
  explicit Reconciliation(Topic topic) : topic_(topic) {}

  /// Of a reservation that is or was confirmed, as the engine has it.
  void sold(OrderSummary sold);
  void ordered(const OrderSummary& order);
  /// Looks only at what concerns orders; repeats are nothing.
  void told(const Event& event);
  void lost_its_beginning() { topic_ = Topic::has_lost_its_beginning; }

  /// By kind, each by reservation.
  std::vector<Difference> differences() const;

  std::uint64_t sold() const { return sold_; }
  std::uint64_t orders() const { return orders_; }
  std::uint64_t events() const { return events_; }  ///< confirmations in the topic, repeats among them

 private:
  struct Seen {
    bool sold = false, ordered = false, told = false;
    OrderSummary engine_says;  ///< where it was sold; the reservation is empty: it is the key. Else only the sale
    OrderState order_says{};
    std::string other_values;
  };
  void compare(const std::string& reservation, const Seen& seen, std::vector<Difference>& found) const;

  Topic topic_;
  std::unordered_map<std::string, Seen> seen_;
  std::uint64_t sold_ = 0, orders_ = 0, events_ = 0;
};

}  // namespace firstcome::events
