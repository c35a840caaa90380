#include "engine/guarded/redis/redis_counters.hpp"

#include "engine/guarded/purchase_charge.hpp"

#include <cassert>
#include <utility>
#include <vector>

namespace firstcome::engine {
namespace {

using Effect = RedisCaller::Effect;
using StockChange = RedisShelf::StockChange;

/// What is left for a buyer who counted up to `count`.
Units left_before(const Purchase& purchase, std::int64_t count) {
  return purchase.terms.stock - (count - purchase.quantity);
}

bool was_added(const net::RedisReply& reply) { return reply.integer == 1; }

}  // namespace

Sold RedisCounters::sell(const Purchase& purchase) {
  PurchaseCharge charge(shelf_.options(), purchase);
  return sell_again(shelf_.options().wait, charge, [&]() -> Sold {
    switch (shelf_.options().guard) {
      case GuardKind::incr:
        return sell_by_incr(purchase, charge);
      case GuardKind::sadd_incr:
        return sell_by_sadd_incr(purchase, charge);
      default:
        assert(shelf_.options().guard == GuardKind::limiter);
        return sell_by_limiter(purchase, charge);
    }
  });
}

Sold RedisCounters::sell_by_incr(const Purchase& purchase, PurchaseCharge& charge) {
  Seen seen = shelf_.look(purchase);
  if (const auto no = refusal(purchase, seen)) return refused(*no, purchase, seen);
  const ShelfKeys keys(purchase.terms.id);
  const bool limited = purchase.terms.limit_per_customer.has_value();
  std::vector<net::RedisCommand> commands;
  commands.emplace_back("INCRBY", keys.sold, purchase.quantity);
  if (limited) commands.emplace_back("HINCRBY", keys.customers, purchase.customer, purchase.quantity);
  if (purchase.key) commands.emplace_back("HSETNX", keys.keys, field_of(purchase.key), "");
  seen.at = shelf_.options().now();
  const std::vector<net::RedisReply> replies = shelf_.redis().ask(keys.sold, std::move(commands), Effect::writing);

  seen.available = left_before(purchase, replies[0].integer);
  if (limited) seen.of_customer = replies[1].integer - purchase.quantity;
  std::optional<Outcome> no = refusal(purchase, seen);
  Purchase counted = purchase;
  if (purchase.key && !was_added(replies.back())) {
    no = Outcome::request_in_progress;
    counted.key = {};  // it is another's
  }
  if (no) {
    shelf_.take_back(counted, Number{});
    return refused(*no, purchase, seen);
  }
  return finish(purchase, seen, charge, {.counts_customer = false});
}

Sold RedisCounters::sell_by_sadd_incr(const Purchase& purchase, PurchaseCharge& charge) {
  const ShelfKeys keys(purchase.terms.id);
  const net::RedisReply marked =
      shelf_.redis().ask(keys.members, net::RedisCommand("SADD", keys.members, purchase.customer), Effect::writing);
  Seen seen;
  if (!was_added(marked)) {
    if (purchase.key) seen = shelf_.look(purchase);
    if (seen.same_key) return refused(*refusal(purchase, seen), purchase, seen);
    return {.outcome = Outcome::limit_exceeded};
  }
  seen.at = shelf_.options().now();
  const net::RedisReply counted =
      shelf_.redis().ask(keys.sold, net::RedisCommand("INCRBY", keys.sold, purchase.quantity), Effect::writing);
  seen.available = left_before(purchase, counted.integer);
  if (const auto no = refusal(purchase, seen)) {
    shelf_.take_back(purchase, Number{});
    return refused(*no, purchase, seen);
  }
  return finish(purchase, seen, charge, {.counts_customer = false});
}

Sold RedisCounters::sell_by_limiter(const Purchase& purchase, PurchaseCharge& charge) {
  const ShelfKeys keys(purchase.terms.id);
  std::vector<net::RedisCommand> gate;
  gate.emplace_back("SET", keys.gate, 0, "PX", std::int64_t{gate_window.count()}, "NX");
  gate.emplace_back("INCRBY", keys.gate, purchase.quantity);
  const std::vector<net::RedisReply> replies = shelf_.redis().ask(keys.gate, std::move(gate), Effect::writing);
  if (replies[1].integer > purchase.terms.stock) return {.outcome = Outcome::sold_out};

  const Seen seen = shelf_.look(purchase);
  if (const auto no = refusal(purchase, seen)) return refused(*no, purchase, seen);
  return finish(purchase, seen, charge, {.change = StockChange::by, .units = -purchase.quantity});
}

Sold RedisCounters::finish(const Purchase& purchase, const Seen& seen, PurchaseCharge& charge,
                           RedisShelf::Writing writing) {
  const bool taken = writing.change == StockChange::leave;  // else the units are taken with the order
  between_read_and_write(shelf_.options());
  if (const auto no = charge.charge_inside()) {
    if (taken) shelf_.take_back(purchase, Number{});
    return {.outcome = *no};
  }
  writing.stamp.paid = charge.is_paid_when_written();
  writing.stamp.payment = charge.payment();
  const OrderRow row = shelf_.row_of(purchase, seen, writing.stamp);
  const WrittenOrder written = shelf_.write(purchase, row, writing);
  if (!writing.stamp.paid) {
    if (const auto no = charge.charge()) {
      shelf_.take_back(purchase, written.number);
      return {.outcome = *no};
    }
    charge.keep();  // whatever becomes of the mark: the order is there
    shelf_.mark_paid(purchase, written.number, charge.payment().value());
  }
  return {.outcome = Outcome::done, .number = written.number, .at = written.at};
}

}  // namespace firstcome::engine
