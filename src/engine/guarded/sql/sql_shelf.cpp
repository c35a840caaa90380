#include "engine/guarded/sql/sql_shelf.hpp"

#include "engine/guarded/pauses.hpp"
#include "engine/sql/sql_values.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

namespace firstcome::engine {

namespace {

constexpr std::string_view sale_columns =
    "s.handle, s.id, s.name, s.kind, s.stock, s.unit_price, s.currency, s.limit_per_customer, s.hold_ms, s.payment, "
    "s.max_open";
constexpr std::string_view order_columns =
    "number, customer, quantity, reference, paid, sold_at_ms, node, seen_available, read_at_us, written_at_us,"
    " (SELECT c.committed_at_us FROM guarded_commits c WHERE c.sale = guarded_orders.sale AND"
    " c.number = guarded_orders.number), payment_id, account_number";
constexpr std::size_t order_column_count = 13;
constexpr std::uint32_t unpaid_at_once = 100;

Microsecond microsecond_in(const std::optional<std::string>& cell) {
  return Microsecond{std::chrono::microseconds{number_in(cell)}};
}

SaleTerms terms_in(const SqlLink::Row& row) {
  SaleTerms terms;
  terms.id = row[1].value_or("");
  terms.name = row[2].value_or("");
  terms.kind = static_cast<SaleKind>(number_in(row[3]));
  terms.stock = number_in(row[4]);
  terms.unit_price = number_in(row[5]);
  terms.currency = row[6].value_or("");
  if (row[7]) terms.limit_per_customer = number_in(row[7]);
  terms.hold = Milliseconds{number_in(row[8])};
  terms.payment = static_cast<PaymentMode>(number_in(row[9]));
  if (row[10]) terms.max_open = static_cast<std::uint32_t>(number_in(row[10]));
  return terms;
}

SaleView view_in(const SqlLink::Row& row) {
  SaleView view;
  view.handle = SaleHandle{static_cast<std::uint64_t>(number_in(row[0]))};
  view.terms = terms_in(row);
  view.available = number_in(row[11]);
  view.sold = number_in(row[12]);
  view.held = number_in(row[13]);
  view.state = view.available > 0 ? SaleState::open : SaleState::sold_out;
  return view;
}

OrderRow order_in(const SqlLink::Row& row) {
  OrderRow order;
  order.number = Number{static_cast<std::uint64_t>(number_in(row[0]))};
  order.customer = row[1].value_or("");
  order.quantity = number_in(row[2]);
  order.reference = row[3].value_or("");
  const std::int64_t paid = number_in(row[4]);
  order.paid = paid == 1;
  if (paid > 1) order.ended = paid == 2 ? After::expired : After::declined;
  order.at = Instant{Milliseconds{number_in(row[5])}};
  order.node = row[6].value_or("");
  order.seen_available = number_in(row[7]);
  order.read_at = microsecond_in(row[8]);
  order.written_at = microsecond_in(row[9]);
  if (row[10]) order.committed_at = microsecond_in(row[10]);
  if (!row[11].value_or("").empty()) order.payment = Payment{*row[11], row[12].value_or("")};
  return order;
}

/// No statement can name a text with one, and no table holds one.
bool has_zero_byte(std::string_view text) { return text.contains('\0'); }

}  // namespace

SqlShelf::SqlShelf(const GuardedOptions& options, SqlLink& link) : link_(link), options_(options) {}

std::string SqlShelf::literal(std::string_view text) const { return sql_text(text, link_.dialect()); }

/// Who was in the way has made this sale, or keeps the tables for something else, perhaps for long.
SaleAnswer SqlShelf::create(const SaleTerms& terms) {
  const auto deadline = std::chrono::steady_clock::now() + options_.wait;
  RandomPauses pauses;
  for (;;) {
    if (auto there = sale(terms.id)) {
      const Outcome outcome = there->terms == terms ? Outcome::unchanged : Outcome::sale_exists;
      return {.outcome = outcome, .sale = std::move(*there)};
    }
    if (const auto conflict = insert(terms)) {
      if (std::chrono::steady_clock::now() >= deadline) {
        throw InventoryFailure{InventoryFailure::Kind::unavailable, conflict->sentence};
      }
      pauses.rest();
      continue;
    }
    if (auto made = sale(terms.id)) return {.outcome = Outcome::done, .sale = std::move(*made)};
  }
}

std::optional<InventoryFailure> SqlShelf::insert(const SaleTerms& terms) {
  std::string sql =
      "INSERT INTO guarded_sales (id, name, kind, stock, unit_price, currency, limit_per_customer, hold_ms, payment,"
      " max_open)"
      " VALUES ";
  SqlValues values(sql, link_.dialect());
  values.begin_row();
  values.text(terms.id).text(terms.name).number(std::int64_t(terms.kind)).number(terms.stock).number(terms.unit_price);
  values.text(terms.currency);
  terms.limit_per_customer ? values.number(*terms.limit_per_customer) : values.null();
  values.number(std::int64_t{terms.hold.count()}).number(std::int64_t(terms.payment));
  terms.max_open ? values.number(std::int64_t{*terms.max_open}) : values.null();
  values.end_row();
  sql += " RETURNING handle";
  const NoTransactionAfter rolled_back(link_);
  try {
    link_.begin();
    const std::int64_t handle = number_in(link_.ask({sql}, 1).at(0)[0]);
    link_.execute({fmt::format("INSERT INTO guarded_stock (sale, available, version, fence) VALUES ({}, {}, 0, 0)",
                               handle, terms.stock)});
    // Below the first unit: so there is always a last one.
    link_.execute({fmt::format("INSERT INTO guarded_units (sale, unit) VALUES ({}, 0)", handle)});
    link_.commit();
    return std::nullopt;
  } catch (const InventoryFailure& failure) {
    if (failure.kind != InventoryFailure::Kind::conflict) throw;
    return failure;
  }
}

std::vector<SaleView> SqlShelf::select_sales(const std::string& where) {
  // With unique-key the units are the stock.
  const std::string_view available = options_.guard == GuardKind::unique_key
                                         ? "s.stock - (SELECT MAX(u.unit) FROM guarded_units u WHERE u.sale = s.handle)"
                                           " + (SELECT COUNT(*) FROM guarded_free_units f WHERE f.sale = s.handle)"
                                         : "(SELECT t.available FROM guarded_stock t WHERE t.sale = s.handle)";
  const auto units = [](int paid) {
    return fmt::format(
        "(SELECT COALESCE(SUM(o.quantity), 0) FROM guarded_orders o WHERE o.sale = s.handle AND"
        " o.paid = {})",
        paid);
  };
  std::vector<SaleView> views;
  for (const auto& row : link_.ask({fmt::format("SELECT {}, {}, {}, {} FROM guarded_sales s WHERE {}", sale_columns,
                                                available, units(1), units(0), where)},
                                   14)) {
    views.push_back(view_in(row));
  }
  return views;
}

std::optional<SaleView> SqlShelf::sale(const std::string& id) {
  if (has_zero_byte(id)) return std::nullopt;
  auto views = select_sales("s.id = " + literal(id));
  if (views.empty()) return std::nullopt;
  return std::move(views.front());
}

std::vector<SaleView> SqlShelf::sales(const std::string& after, std::uint32_t limit) {
  // Ids without a zero byte come after a text with one where they come after what stands before it.
  const std::string_view from = std::string_view(after).substr(0, after.find('\0'));
  return select_sales(fmt::format("s.id > {} ORDER BY s.id LIMIT {}", literal(from), limit));
}

std::vector<OrderRow> SqlShelf::select_orders(const std::string& where) {
  std::vector<OrderRow> orders;
  for (const auto& row :
       link_.ask({fmt::format("SELECT {} FROM guarded_orders WHERE {}", order_columns, where)}, order_column_count)) {
    orders.push_back(order_in(row));
  }
  return orders;
}

std::vector<OrderRow> SqlShelf::orders(SaleHandle sale, const std::optional<std::string>& customer, Number after,
                                       std::uint32_t limit) {
  if (customer && has_zero_byte(*customer)) return {};
  const std::string of_customer = customer ? " AND customer = " + literal(*customer) : "";
  return select_orders(fmt::format("sale = {} AND number > {}{} ORDER BY number LIMIT {}", value(sale), value(after),
                                   of_customer, limit));
}

std::optional<OrderRow> SqlShelf::order(ReservationRef ref) {
  auto orders = select_orders(fmt::format("sale = {} AND number = {}", value(ref.sale), value(ref.number)));
  if (orders.empty()) return std::nullopt;
  return std::move(orders.front());
}

std::string SqlShelf::where_unpaid(SaleHandle sale, Instant before) {
  return fmt::format("sale = {} AND paid = 0 AND sold_at_ms < {} ORDER BY number LIMIT {}", value(sale),
                     before.time_since_epoch().count(), unpaid_at_once);
}

std::vector<OrderRow> SqlShelf::unpaid(SaleHandle sale, Instant before) {
  return select_orders(where_unpaid(sale, before));
}

void SqlShelf::keep_commit_times(std::span<const CommitTime> times) {
  constexpr std::size_t rows = 500;
  while (!times.empty()) {
    const auto part = times.first(std::min(times.size(), rows));
    std::string sql = "INSERT INTO guarded_commits (sale, number, committed_at_us) VALUES ";
    SqlValues values(sql, link_.dialect());
    for (const CommitTime& time : part) {
      values.begin_row();
      values.number(value(time.sale)).number(value(time.number)).number(time.at.time_since_epoch().count());
      values.end_row();
    }
    const NoTransactionAfter rolled_back(link_);
    link_.begin();
    link_.execute({sql});
    link_.commit();
    times = times.subspan(part.size());
  }
}

}  // namespace firstcome::engine
