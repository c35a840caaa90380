#include "engine/guarded/redis/redis_shelf.hpp"

#include "engine/guarded/redis/order_row.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace firstcome::engine {

std::string_view guarded_write_lua();
std::string_view guarded_take_back_lua();
std::string_view guarded_pay_lua();

namespace {

using Kind = InventoryFailure::Kind;

const net::RedisScript& write_script() {
  static const net::RedisScript script{std::string(guarded_write_lua())};
  return script;
}
const net::RedisScript& take_back_script() {
  static const net::RedisScript script{std::string(guarded_take_back_lua())};
  return script;
}

const net::RedisScript& pay_script() {
  static const net::RedisScript script{std::string(guarded_pay_lua())};
  return script;
}

std::string_view word_of(After after) {
  switch (after) {
    case After::expired:
      return "expired";
    case After::declined:
      return "declined";
    case After::forgotten:
      break;
  }
  return "gone";
}

std::string_view word_of(RedisShelf::StockChange change) {
  switch (change) {
    case RedisShelf::StockChange::set:
      return "set";
    case RedisShelf::StockChange::by:
      return "by";
    case RedisShelf::StockChange::leave:
      break;
  }
  return "leave";
}

/// Nobody counts the units of customers where the sale has no limit.
std::string_view counted_customer(const Purchase& purchase) {
  return purchase.terms.limit_per_customer ? std::string_view(purchase.customer) : std::string_view();
}

/// Likewise their open orders.
std::string_view open_customer(const Purchase& purchase) {
  return purchase.terms.max_open ? std::string_view(purchase.customer) : std::string_view();
}

}  // namespace

ShelfKeys::ShelfKeys(std::string_view sale) {
  const std::string prefix = fmt::format("firstcome-guarded:{{{}}}:", sale);
  terms = prefix + "terms";
  stock = prefix + "stock";
  sold = prefix + "sold";
  gate = prefix + "gate";
  fence = prefix + "fence";
  orders = prefix + "orders";
  ordered = prefix + "ordered";
  unpaid = prefix + "unpaid";
  states = prefix + "states";
  commits = prefix + "commits";
  open = prefix + "open";
  customers = prefix + "customers";
  keys = prefix + "keys";
  members = prefix + "members";
}

StockCount stock_count_of(GuardKind guard) {
  return guard == GuardKind::incr || guard == GuardKind::sadd_incr ? StockCount::sold : StockCount::left;
}

std::string field_of(KeyHash key) { return key ? fmt::format("{:016x}{:016x}", key.high, key.low) : std::string(); }

Seen RedisShelf::look(const Purchase& purchase) {
  const ShelfKeys keys(purchase.terms.id);
  const bool counts_down = stock_count_of(options_.guard) == StockCount::left;
  std::vector<net::RedisCommand> commands;
  commands.emplace_back("GET", counts_down ? keys.stock : keys.sold);
  if (purchase.terms.limit_per_customer) commands.emplace_back("HGET", keys.customers, purchase.customer);
  if (purchase.terms.max_open) commands.emplace_back("HGET", keys.open, purchase.customer);
  if (purchase.key) commands.emplace_back("HGET", keys.keys, field_of(purchase.key));
  Seen seen;
  seen.at = options_.now();
  const std::vector<net::RedisReply> replies = redis_.ask(keys.stock, std::move(commands), Effect::reading);
  const std::optional<std::int64_t> count = replies[0].to_integer();
  if (counts_down && !count) throw InventoryFailure{Kind::unavailable, "Redis: the sale has no stock any more"};
  seen.available = counts_down ? *count : purchase.terms.stock - count.value_or(0);
  if (purchase.terms.limit_per_customer) seen.of_customer = replies[1].to_integer().value_or(0);
  if (purchase.terms.max_open) {
    const std::size_t place = purchase.terms.limit_per_customer ? 2 : 1;
    seen.open_of_customer =
        static_cast<std::uint64_t>(std::max<std::int64_t>(0, replies[place].to_integer().value_or(0)));
  }
  if (purchase.key && replies.back().is_text()) seen.same_key = earlier_of(purchase, keys, replies.back().text);
  return seen;
}

/// Where an order of the same key stands is not kept: it seldom matters, and a list can be searched.
std::optional<Seen::Earlier> RedisShelf::earlier_of(const Purchase& purchase, const ShelfKeys& keys,
                                                    const std::string& row) {
  // Somebody is at it; of what kind that is will be seen when it is there.
  Seen::Earlier earlier{.quantity = purchase.quantity, .reference = purchase.reference, .paid = false};
  if (row.empty()) return earlier;
  const std::optional<std::int64_t> place =
      redis_.ask(keys.orders, net::RedisCommand("LPOS", keys.orders, row, "RANK", -1), Effect::reading).to_integer();
  if (!place) return earlier;
  const Number number{static_cast<std::uint64_t>(*place) + 1};
  const std::optional<OrderRow> order = read_order(row, number);
  if (!order) throw InventoryFailure{Kind::unavailable, "Redis: an order of the sale cannot be read"};
  earlier = {.number = number,
             .quantity = order->quantity,
             .at = order->at,
             .reference = order->reference,
             .paid = order->paid,
             .payment = order->payment};
  if (order->paid) return earlier;
  const net::RedisReply state =
      redis_.ask(keys.states, net::RedisCommand("HGET", keys.states, value(number)), Effect::reading);
  if (state.text == "gone") return std::nullopt;
  earlier.payment = payment_in_state(state.text);
  earlier.paid = state.is_text();  // one whose units came back has had its answer as well
  return earlier;
}

OrderRow RedisShelf::row_of(const Purchase& purchase, const Seen& seen, const Stamp& stamp) const {
  OrderRow row;
  row.customer = purchase.customer;
  row.quantity = purchase.quantity;
  row.reference = purchase.reference;
  row.written_at = options_.now();
  row.paid = stamp.paid;
  row.payment = stamp.payment;
  row.node = options_.node;
  row.seen_available = seen.available;
  row.read_at = seen.at;
  return row;
}

WrittenOrder RedisShelf::write(const Purchase& purchase, const OrderRow& row, const Writing& writing) {
  const ShelfKeys keys(purchase.terms.id);
  const bool fenced = options_.fencing == Fencing::on && writing.stamp.token;
  const std::string token = fenced ? std::to_string(*writing.stamp.token) : std::string();
  const std::string_view customer = writing.counts_customer ? counted_customer(purchase) : std::string_view();
  const net::RedisReply reply = redis_.ask(
      keys.stock,
      net::RedisCommand(
          write_script(),
          {keys.stock, keys.fence, keys.orders, keys.customers, keys.keys, keys.ordered, keys.unpaid, keys.open}, token,
          word_of(writing.change), writing.units, pack_order(row, purchase.key), customer, purchase.quantity,
          field_of(purchase.key), row.seen_available, std::string_view(row.paid ? "paid" : "unpaid"),
          open_customer(purchase)),
      Effect::writing);
  if (!reply.is_array()) throw InventoryFailure{Kind::conflict, "Redis: another holder of the lock has written"};
  return {.number = Number{static_cast<std::uint64_t>(reply.at(0).integer)},
          .at = Instant{Milliseconds{reply.at(1).integer}}};
}

bool RedisShelf::mark_paid(const Purchase& purchase, Number number, const Payment& payment) {
  const ShelfKeys keys(purchase.terms.id);
  return redis_
             .ask(keys.states,
                  net::RedisCommand(pay_script(), {keys.states, keys.unpaid, keys.open}, value(number),
                                    purchase.quantity, open_customer(purchase), paid_state(payment)),
                  Effect::writing)
             .integer == 1;
}

bool RedisShelf::take_back(const Purchase& purchase, Number number, After after) {
  const ShelfKeys keys(purchase.terms.id);
  const bool counts_down = stock_count_of(options_.guard) == StockCount::left;
  // Who marks each customer once does not count their units.
  const std::string_view customer =
      options_.guard == GuardKind::sadd_incr ? std::string_view() : counted_customer(purchase);
  const Units change = counts_down ? purchase.quantity : -purchase.quantity;
  // The key of one that its customer was told of stays its key.
  const std::string free_key = after == After::forgotten ? field_of(purchase.key) : std::string();
  return redis_
             .ask(keys.stock,
                  net::RedisCommand(take_back_script(),
                                    {counts_down ? keys.stock : keys.sold, keys.states, keys.customers, keys.keys,
                                     keys.ordered, keys.unpaid, keys.open},
                                    value(number), change, customer, purchase.quantity, free_key, word_of(after),
                                    open_customer(purchase)),
                  Effect::writing)
             .integer == 1;
}

}  // namespace firstcome::engine
