#include "engine/guarded/redis/order_row.hpp"

#include "engine/redis/binary.hpp"

#include <chrono>

namespace firstcome::engine {
namespace {

constexpr std::uint64_t format = 1;
constexpr std::string_view paid = "paid";

Microsecond microsecond_of(std::int64_t count) { return Microsecond{std::chrono::microseconds{count}}; }

}  // namespace

std::string pack_order(const OrderRow& order, KeyHash key) {
  BinaryWriter writer;
  writer.text(order.customer).signed_number(order.quantity).text(order.reference);
  writer.number(order.paid ? 1 : 0, 1).text(order.node);
  writer.signed_number(order.seen_available).signed_number(order.read_at.time_since_epoch().count());
  writer.signed_number(order.written_at.time_since_epoch().count()).number(key.high, 8).number(key.low, 8);
  if (order.payment) writer.text(order.payment->id).text(order.payment->account_number);
  return writer.take();
}

std::string paid_state(const Payment& payment) {
  BinaryWriter writer;
  writer.text(payment.id).text(payment.account_number);
  return std::string(paid) + writer.take();
}

bool is_paid_state(std::string_view state) { return state.starts_with(paid); }

std::optional<Payment> payment_in_state(std::string_view state) {
  if (!is_paid_state(state) || state == paid) return std::nullopt;
  BinaryReader reader(state.substr(paid.size()));
  Payment payment;
  payment.id = reader.text(2);
  payment.account_number = reader.text(2);
  if (!reader.ok() || payment.id.empty()) return std::nullopt;
  return payment;
}

std::optional<OrderRow> read_order(std::string_view text, Number number) {
  BinaryReader reader(text);
  const bool known = reader.number(1) == format;
  OrderRow order;
  order.at = Instant{Milliseconds{static_cast<std::int64_t>(reader.number(6))}};
  order.number = number;
  order.customer = reader.text(2);
  order.quantity = reader.signed_number();
  order.reference = reader.text(2);
  order.paid = reader.number(1) != 0;
  order.node = reader.text(2);
  order.seen_available = reader.signed_number();
  order.read_at = microsecond_of(reader.signed_number());
  order.written_at = microsecond_of(reader.signed_number());
  reader.take(16);
  if (reader.ok() && !reader.at_end()) {
    Payment& payment = order.payment.emplace();
    payment.id = reader.text(2);
    payment.account_number = reader.text(2);
  }
  if (!known || !reader.ok() || !reader.at_end()) return std::nullopt;
  return order;
}

}  // namespace firstcome::engine
