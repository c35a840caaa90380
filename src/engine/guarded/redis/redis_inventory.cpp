#include "engine/guarded/redis/redis_inventory.hpp"

#include "engine/guarded/plain_seller.hpp"
#include "engine/guarded/redis/order_row.hpp"
#include "engine/guarded/redis/redis_book.hpp"
#include "engine/guarded/redis/redis_counters.hpp"
#include "engine/redis/sale_codec.hpp"

#include <openssl/rand.h>

#include <algorithm>
#include <cassert>
#include <unordered_map>
#include <utility>

namespace firstcome::engine {

std::string_view guarded_create_lua();

namespace {

using Effect = RedisCaller::Effect;
using Kind = InventoryFailure::Kind;

/// Keys of the store itself, in one slot.
constexpr std::string_view secret_key = "{firstcome-guarded}:secret";
constexpr std::string_view handle_key = "{firstcome-guarded}:handle";    // the last that was given
constexpr std::string_view handles_key = "{firstcome-guarded}:handles";  // handle -> id
constexpr std::string_view sales_key = "{firstcome-guarded}:sales";      // sorted set of ids, by their letters

/// Of orders that are read at once.
constexpr std::int64_t page = 5'000;
constexpr std::size_t unpaid_at_once = 100;

const net::RedisScript& create_script() {
  static const net::RedisScript script{std::string(guarded_create_lua())};
  return script;
}

struct StoredSale {
  SaleHandle handle{};
  SaleTerms terms;
};

std::string pack_sale(const StoredSale& sale) {
  BinaryWriter writer;
  writer.number(value(sale.handle), 8);
  return writer.take() + pack_terms(sale.terms);
}

std::optional<StoredSale> read_sale(std::string_view text) {
  BinaryReader reader(text);
  const SaleHandle handle{reader.number(8)};
  if (!reader.ok()) return std::nullopt;
  auto terms = read_terms(text.substr(8));
  if (!terms) return std::nullopt;
  return StoredSale{handle, std::move(*terms)};
}

/// The fields of a hash that are named as these places of a list, which count from 0: orders from 1.
net::RedisCommand fields_of(const std::string& hash, std::int64_t place, std::size_t count) {
  net::RedisCommand command("HMGET", hash);
  for (std::size_t i = 0; i < count; ++i) command.add(++place);
  return command;
}

/// What became of an order that was written unpaid; false: it is as if it had never been.
bool take_state(const net::RedisReply& state, OrderRow& order) {
  if (state.text == "gone") return false;
  if (is_paid_state(state.text)) order.paid = true;
  if (auto payment = payment_in_state(state.text)) order.payment = std::move(payment);
  if (state.text == "expired") order.ended = After::expired;
  if (state.text == "declined") order.ended = After::declined;
  return true;
}

class RedisInventory final : public InventorySession {
 public:
  RedisInventory(const NodeParts& parts, std::shared_ptr<RedisCaller> redis)
      : redis_(std::move(redis)), shelf_(parts.options, *redis_), book_(shelf_), counters_(shelf_) {
    if (stands_beside(parts.options.guard)) plain_.emplace(parts, book_);
  }

  StoreSecret open() override;
  SaleAnswer create(const SaleTerms& terms) override;
  std::optional<SaleView> sale(const std::string& id) override;
  std::vector<SaleView> sales(const std::string& after, std::uint32_t limit) override;
  std::vector<OrderRow> orders(SaleHandle sale, const std::optional<std::string>& customer, Number after,
                               std::uint32_t limit) override;
  std::optional<OrderRow> order(ReservationRef ref) override;
  void keep_commit_times(std::span<const CommitTime> times) override;
  bool mark_paid(const Purchase& held, Number number, const Payment& payment) override {
    return shelf_.mark_paid(held, number, payment);
  }
  bool end_hold(const Purchase& held, Number number, After after) override {
    return plain_ ? plain_->take_back(held, number, after) : shelf_.take_back(held, number, after);
  }
  std::vector<OrderRow> unpaid(SaleHandle sale, Instant before) override;
  Sold sell(const Purchase& purchase) override { return plain_ ? plain_->sell(purchase) : counters_.sell(purchase); }

 private:
  std::optional<StoredSale> stored(const std::string& id);
  SaleView view_of(const StoredSale& sale);
  const std::string* id_of(SaleHandle handle);
  std::vector<OrderRow> page_after(const ShelfKeys& keys, std::int64_t place, std::int64_t& next);

  const std::shared_ptr<RedisCaller> redis_;
  RedisShelf shelf_;
  RedisBook book_;
  RedisCounters counters_;
  std::optional<PlainSeller> plain_;
  std::unordered_map<std::uint64_t, std::string> ids_;  ///< of the handles that were asked for
  /// So many orders of a sale, the first ones, were paid or have ended, as this session has seen.
  std::unordered_map<std::uint64_t, std::int64_t> settled_;
};

StoreSecret RedisInventory::open() {
  StoreSecret made{};
  if (RAND_bytes(made.data(), static_cast<int>(made.size())) != 1) {
    throw InventoryFailure{Kind::unavailable, "there are no random numbers"};
  }
  std::vector<net::RedisCommand> commands;
  const std::string text(reinterpret_cast<const char*>(made.data()), made.size());
  commands.emplace_back("SET", secret_key, text, "NX");
  commands.emplace_back("GET", secret_key);
  const net::RedisReply kept = redis_->ask(secret_key, std::move(commands), Effect::reading).back();
  if (kept.text.size() != made.size()) throw InventoryFailure{Kind::unavailable, "Redis: the secret cannot be read"};
  std::ranges::copy(kept.text, made.begin());
  return made;
}

std::optional<StoredSale> RedisInventory::stored(const std::string& id) {
  const ShelfKeys keys(id);
  const net::RedisReply reply = redis_->ask(keys.terms, net::RedisCommand("GET", keys.terms), Effect::reading);
  if (reply.is_nil()) return std::nullopt;
  auto sale = read_sale(reply.text);
  if (!sale) throw InventoryFailure{Kind::unavailable, "Redis: the terms of the sale cannot be read"};
  return sale;
}

SaleAnswer RedisInventory::create(const SaleTerms& terms) {
  const ShelfKeys keys(terms.id);
  bool is_new = false;
  std::optional<StoredSale> sale = stored(terms.id);
  if (!sale) {
    const auto handle = redis_->ask(handle_key, net::RedisCommand("INCR", handle_key), Effect::writing).integer;
    sale = StoredSale{SaleHandle{static_cast<std::uint64_t>(handle)}, terms};
    // Found by its handle and its id before anybody can buy. Where another node was quicker, the handle names nothing.
    std::vector<net::RedisCommand> names;
    names.emplace_back("HSET", handles_key, handle, terms.id);
    names.emplace_back("ZADD", sales_key, 0, terms.id);
    redis_->ask(handle_key, std::move(names), Effect::writing);
    is_new = redis_
                 ->ask(keys.terms,
                       net::RedisCommand(create_script(), {keys.terms, keys.stock}, pack_sale(*sale), terms.stock),
                       Effect::writing)
                 .integer == 1;
    if (!is_new) sale = stored(terms.id);
    if (!sale) throw InventoryFailure{Kind::unavailable, "Redis: the sale is gone"};
  }
  SaleAnswer answer{.outcome = Outcome::done, .sale = view_of(*sale)};
  if (!is_new) answer.outcome = sale->terms == terms ? Outcome::unchanged : Outcome::sale_exists;
  return answer;
}

/// One command reads what one script writes, so that the sums are right at any time. Units that were counted upwards
/// and have no order yet are told as held.
SaleView RedisInventory::view_of(const StoredSale& sale) {
  const ShelfKeys keys(sale.terms.id);
  const bool counts_down = stock_count_of(shelf_.options().guard) == StockCount::left;
  std::vector<net::RedisCommand> commands;
  commands.emplace_back("MGET", counts_down ? keys.stock : keys.sold, keys.ordered, keys.unpaid);
  commands.emplace_back("LLEN", keys.orders);
  const std::vector<net::RedisReply> replies = redis_->ask(keys.stock, std::move(commands), Effect::reading);
  const auto number = [&](std::size_t i) { return replies[0].at(i).to_integer().value_or(0); };
  SaleView view;
  view.handle = sale.handle;
  view.terms = sale.terms;
  view.available = counts_down ? number(0) : std::max<Units>(0, sale.terms.stock - number(0));
  view.held = number(2);
  view.sold = number(1) - view.held;
  if (!counts_down) view.held = std::max<Units>(0, sale.terms.stock - view.available - view.sold);
  view.state = view.available > 0 ? SaleState::open : SaleState::sold_out;
  view.serving = Number{static_cast<std::uint64_t>(replies[1].integer)};
  return view;
}

/// The orders that there are from a place of the list on; `next` is where to go on, -1: that was all.
std::vector<OrderRow> RedisInventory::page_after(const ShelfKeys& keys, std::int64_t place, std::int64_t& next) {
  const auto rows =
      redis_->ask(keys.orders, net::RedisCommand("LRANGE", keys.orders, place, place + page - 1), Effect::reading)
          .elements;
  next = std::ssize(rows) < page ? -1 : place + page;
  std::vector<OrderRow> orders;
  if (rows.empty()) return orders;
  // After the rows, so that what is known of them is known.
  std::vector<net::RedisCommand> questions;
  questions.push_back(fields_of(keys.states, place, rows.size()));
  questions.push_back(fields_of(keys.commits, place, rows.size()));
  const auto known = redis_->ask(keys.orders, std::move(questions), Effect::reading);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    auto order = read_order(rows[i].text, Number{static_cast<std::uint64_t>(++place)});
    if (!order) throw InventoryFailure{Kind::unavailable, "Redis: an order of the sale cannot be read"};
    if (!take_state(known[0].at(i), *order)) continue;
    if (const auto commit = known[1].at(i).to_integer())
      order->committed_at = Microsecond{std::chrono::microseconds{*commit}};
    orders.push_back(std::move(*order));
  }
  return orders;
}

std::optional<SaleView> RedisInventory::sale(const std::string& id) {
  const std::optional<StoredSale> sale = stored(id);
  if (!sale) return std::nullopt;
  return view_of(*sale);
}

std::vector<SaleView> RedisInventory::sales(const std::string& after, std::uint32_t limit) {
  const std::string from = after.empty() ? "-" : "(" + after;
  const auto ids = redis_
                       ->ask(sales_key, net::RedisCommand("ZRANGE", sales_key, from, "+", "BYLEX", "LIMIT", 0, limit),
                             Effect::reading)
                       .elements;
  std::vector<SaleView> views;
  for (const net::RedisReply& id : ids) {
    if (auto view = sale(id.text)) views.push_back(std::move(*view));
  }
  return views;
}

/// Null: no sale has this handle.
const std::string* RedisInventory::id_of(SaleHandle handle) {
  if (const auto known = ids_.find(value(handle)); known != ids_.end()) return &known->second;
  const net::RedisReply id =
      redis_->ask(handles_key, net::RedisCommand("HGET", handles_key, value(handle)), Effect::reading);
  if (id.is_nil()) return nullptr;
  return &ids_.emplace(value(handle), id.text).first->second;
}

std::vector<OrderRow> RedisInventory::orders(SaleHandle sale, const std::optional<std::string>& customer, Number after,
                                             std::uint32_t limit) {
  std::vector<OrderRow> found;
  const std::string* const id = id_of(sale);
  if (id == nullptr) return found;
  const ShelfKeys keys(*id);
  for (auto place = static_cast<std::int64_t>(value(after)); place >= 0 && found.size() < limit;) {
    for (OrderRow& order : page_after(keys, place, place)) {
      if (customer && order.customer != *customer) continue;
      if (found.size() < limit) found.push_back(std::move(order));
    }
  }
  return found;
}

std::optional<OrderRow> RedisInventory::order(ReservationRef ref) {
  const std::string* const id = id_of(ref.sale);
  if (id == nullptr || value(ref.number) == 0) return std::nullopt;
  const ShelfKeys keys(*id);
  std::vector<net::RedisCommand> commands;
  commands.emplace_back("LINDEX", keys.orders, value(ref.number) - 1);
  commands.emplace_back("HGET", keys.states, value(ref.number));
  const auto replies = redis_->ask(keys.orders, std::move(commands), Effect::reading);
  if (replies[0].is_nil()) return std::nullopt;
  auto order = read_order(replies[0].text, ref.number);
  if (order && !take_state(replies[1], *order)) return std::nullopt;
  return order;
}

void RedisInventory::keep_commit_times(std::span<const CommitTime> times) {
  std::unordered_map<std::uint64_t, std::vector<net::RedisCommand>> of_sales;
  for (const CommitTime& time : times) {
    const std::string* const id = id_of(time.sale);
    if (id == nullptr) continue;
    of_sales[value(time.sale)].emplace_back("HSET", ShelfKeys(*id).commits, value(time.number),
                                            std::int64_t{time.at.time_since_epoch().count()});
  }
  for (auto& [sale, commands] : of_sales)
    redis_->ask(ShelfKeys(*id_of(SaleHandle{sale})).commits, std::move(commands), Effect::writing);
}

/// Those that were written first wait first. What was paid or has ended stays so, and is not looked at again.
std::vector<OrderRow> RedisInventory::unpaid(SaleHandle sale, Instant before) {
  std::vector<OrderRow> found;
  const std::string* const id = id_of(sale);
  if (id == nullptr) return found;
  const ShelfKeys keys(*id);
  const net::RedisReply units = redis_->ask(keys.unpaid, net::RedisCommand("GET", keys.unpaid), Effect::reading);
  if (units.to_integer().value_or(0) <= 0) return found;
  const Instant now = instant_of(shelf_.options().now());
  std::int64_t& settled = settled_[value(sale)];
  bool all_are_settled = true;
  bool is_early = false;  // from here on
  for (std::int64_t place = settled; place >= 0 && !is_early && found.size() < unpaid_at_once;) {
    for (OrderRow& order : page_after(keys, place, place)) {
      if (order.paid || order.ended) continue;
      if (std::exchange(all_are_settled, false)) settled = static_cast<std::int64_t>(value(order.number)) - 1;
      // One of the future was written before a clock was set back: it says nothing of those behind it.
      is_early = is_early || (order.at >= before && order.at <= now);
      if (order.at < before && found.size() < unpaid_at_once) found.push_back(std::move(order));
    }
    if (all_are_settled && place >= 0) settled = place;
  }
  if (all_are_settled) settled = 0;  // and yet there are unpaid units: Redis has forgotten something
  return found;
}

}  // namespace

std::unique_ptr<InventorySession> make_redis_inventory(const NodeParts& parts, std::shared_ptr<RedisCaller> redis) {
  assert(parts.guard != nullptr || !stands_beside(parts.options.guard));
  return std::make_unique<RedisInventory>(parts, std::move(redis));
}

}  // namespace firstcome::engine
