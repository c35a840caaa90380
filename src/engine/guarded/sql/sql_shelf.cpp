#include "engine/guarded/sql/sql_shelf.hpp"

#include "engine/sql/sql_values.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace firstcome::engine {

namespace {

constexpr std::string_view sale_columns =
    "s.handle, s.id, s.name, s.kind, s.stock, s.unit_price, s.currency, s.limit_per_customer, s.hold_ms, s.payment, "
    "s.max_open";
constexpr std::string_view order_columns =
    "number, customer, quantity, reference, paid, sold_at_ms, node, seen_available, read_at_us, written_at_us,"
    " (SELECT c.committed_at_us FROM guarded_commits c WHERE c.sale = guarded_orders.sale AND"
    " c.number = guarded_orders.number)";
constexpr std::size_t order_column_count = 11;
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
  return order;
}

}  // namespace

SqlShelf::SqlShelf(const GuardedOptions& options, SqlLink& link) : link_(link), guard_(options.guard) {}

std::string SqlShelf::literal(std::string_view text) const { return sql_text(text, link_.dialect()); }

SaleAnswer SqlShelf::create(const SaleTerms& terms) {
  for (;;) {
    if (auto there = sale(terms.id)) {
      const Outcome outcome = there->terms == terms ? Outcome::unchanged : Outcome::sale_exists;
      return {.outcome = outcome, .sale = std::move(*there)};
    }
    if (!insert(terms)) continue;
    if (auto made = sale(terms.id)) return {.outcome = Outcome::done, .sale = std::move(*made)};
  }
}

bool SqlShelf::insert(const SaleTerms& terms) {
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
  try {
    link_.begin();
    const std::int64_t handle = number_in(link_.ask({sql}, 1).at(0)[0]);
    link_.execute({fmt::format("INSERT INTO guarded_stock (sale, available, version, fence) VALUES ({}, {}, 0, 0)",
                               handle, terms.stock)});
    // Below the first unit: so there is always a last one.
    link_.execute({fmt::format("INSERT INTO guarded_units (sale, unit) VALUES ({}, 0)", handle)});
    link_.commit();
    return true;
  } catch (const InventoryFailure& failure) {
    link_.roll_back();
    if (failure.kind != InventoryFailure::Kind::conflict) throw;
    return false;
  }
}

std::vector<SaleView> SqlShelf::select_sales(const std::string& where) {
  // With unique-key the units are the stock.
  const std::string_view available = guard_ == GuardKind::unique_key
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
  auto views = select_sales("s.id = " + literal(id));
  if (views.empty()) return std::nullopt;
  return std::move(views.front());
}

std::vector<SaleView> SqlShelf::sales(const std::string& after, std::uint32_t limit) {
  return select_sales(fmt::format("s.id > {} ORDER BY s.id LIMIT {}", literal(after), limit));
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
  const std::string of_customer = customer ? " AND customer = " + literal(*customer) : "";
  return select_orders(fmt::format("sale = {} AND number > {}{} ORDER BY number LIMIT {}", value(sale), value(after),
                                   of_customer, limit));
}

std::optional<OrderRow> SqlShelf::order(ReservationRef ref) {
  auto orders = select_orders(fmt::format("sale = {} AND number = {}", value(ref.sale), value(ref.number)));
  if (orders.empty()) return std::nullopt;
  return std::move(orders.front());
}

std::vector<OrderRow> SqlShelf::unpaid(SaleHandle sale, Instant before) {
  return select_orders(fmt::format("sale = {} AND paid = 0 AND sold_at_ms < {} ORDER BY number LIMIT {}", value(sale),
                                   before.time_since_epoch().count(), unpaid_at_once));
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
    link_.begin();
    link_.execute({sql});
    link_.commit();
    times = times.subspan(part.size());
  }
}

}  // namespace firstcome::engine
