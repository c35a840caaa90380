#include "engine/guarded/redis/order_row.hpp"

#include "engine/redis/binary.hpp"

#include <chrono>

namespace firstcome::engine {
namespace {

constexpr std::uint64_t format = 1;

Microsecond microsecond_of(std::int64_t count) { return Microsecond{std::chrono::microseconds{count}}; }

}  // namespace

std::string pack_order(const OrderRow& order, KeyHash key) {
  BinaryWriter writer;
  writer.text(order.customer).signed_number(order.quantity).text(order.reference);
  writer.number(order.paid ? 1 : 0, 1).text(order.node);
  writer.signed_number(order.seen_available).signed_number(order.read_at.time_since_epoch().count());
  writer.signed_number(order.written_at.time_since_epoch().count()).number(key.high, 8).number(key.low, 8);
  return writer.take();
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
  if (!known || !reader.ok() || !reader.at_end()) return std::nullopt;
  return order;
}

}  // namespace firstcome::engine
