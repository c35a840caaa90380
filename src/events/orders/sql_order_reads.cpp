// What SqlOrderStore reads of orders.
#include "engine/sql/sql_values.hpp"
#include "events/orders/sql_order_store.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace firstcome::events {

using engine::number_in;
namespace {

constexpr std::size_t page_rows = 1'000;

constexpr std::string_view not_settled =
    "NOT EXISTS (SELECT 1 FROM firstcome_settled s WHERE s.reservation = orders.reservation)";

constexpr std::string_view order_columns =
    "o.reservation, o.sale, o.number, o.customer, o.quantity, o.amount, o.currency, o.reference, o.state, o.sequence,"
    " o.confirmed_at, o.updated_at, o.stored_at, p.payment_id, p.account_number, p.state";
constexpr std::size_t order_column_count = 16;

OrderState state_in(const std::optional<std::string>& cell) {
  return cell == word(OrderState::returned) ? OrderState::returned : OrderState::confirmed;
}

PaymentState payment_state_in(const std::optional<std::string>& cell) {
  for (const PaymentState state : {PaymentState::refund_due, PaymentState::refunded}) {
    if (cell == word(state)) return state;
  }
  return PaymentState::charged;
}

Instant instant_in(const std::optional<std::string>& cell) { return Instant{Milliseconds{number_in(cell)}}; }

Order order_in(const SqlSession::Row& row) {
  Order order;
  order.reservation = row[0].value_or("");
  order.sale = row[1].value_or("");
  order.number = Number{static_cast<std::uint64_t>(number_in(row[2]))};
  order.customer = row[3].value_or("");
  order.quantity = number_in(row[4]);
  order.amount = number_in(row[5]);
  order.currency = row[6].value_or("");
  order.reference = row[7].value_or("");
  order.state = state_in(row[8]);
  order.sequence = static_cast<std::uint64_t>(number_in(row[9]));
  if (row[10]) order.confirmed_at = instant_in(row[10]);
  order.updated_at = instant_in(row[11]);
  order.stored_at = instant_in(row[12]);
  if (row[13]) order.payment = OrderPayment{*row[13], row[14].value_or(""), payment_state_in(row[15])};
  return order;
}

}  // namespace

std::string SqlOrderStore::literal(std::string_view text) const {
  return engine::sql_text(text, engine::dialect_of(options_.database.kind));
}

std::vector<Order> SqlOrderStore::select(SqlSession& session, const std::string& where) const {
  std::vector<Order> orders;
  const std::string sql = fmt::format(
      "SELECT {} FROM orders o LEFT JOIN payments p ON p.reservation = o.reservation WHERE {}", order_columns, where);
  for (const auto& row : session.ask(sql, order_column_count)) orders.push_back(order_in(row));
  return orders;
}

SqlOrderStore::Result<std::optional<Order>> SqlOrderStore::order(const std::string& reservation) {
  return with_session([&](SqlSession& session) -> std::optional<Order> {
    auto found = select(session, "o.reservation = " + literal(reservation));
    if (found.empty()) return std::nullopt;
    return std::move(found.front());
  });
}

SqlOrderStore::Result<std::vector<Order>> SqlOrderStore::orders_with(std::span<const std::string> reservations) {
  if (reservations.empty()) return std::vector<Order>{};
  return with_session([&](SqlSession& session) {
    std::string list;
    for (const std::string& reservation : reservations) list += (list.empty() ? "" : ",") + literal(reservation);
    return select(session, "o.reservation IN (" + list + ")");
  });
}

SqlOrderStore::Result<OrderPage> SqlOrderStore::orders_of(const std::string& customer, const std::string& after,
                                                          std::size_t limit) {
  return with_session([&](SqlSession& session) {
    OrderPage page;
    page.items = select(session, fmt::format("o.customer = {} AND o.reservation > {} ORDER BY o.reservation LIMIT {}",
                                             literal(customer), literal(after), limit + 1));
    if (page.items.size() <= limit) return page;
    page.items.pop_back();
    page.next = page.items.back().reservation;
    return page;
  });
}

SqlOrderStore::Result<void> SqlOrderStore::export_orders(const std::string& sale,
                                                         const std::function<bool(const Order&)>& each) {
  std::uint64_t number = 0;
  std::string after;
  for (;;) {
    const auto page = with_session([&](SqlSession& session) {
      return select(session, fmt::format("o.sale = {} AND o.number >= {} AND (o.number > {} OR o.reservation > {})"
                                         " ORDER BY o.sale, o.number, o.reservation LIMIT {}",
                                         literal(sale), number, number, literal(after), page_rows));
    });
    if (!page) return std::unexpected(page.error());
    for (const Order& order : *page) {
      if (!each(order)) return {};
    }
    if (page->size() < page_rows) return {};
    number = value(page->back().number);
    after = page->back().reservation;
  }
}

SqlOrderStore::Result<void> SqlOrderStore::summaries(const std::optional<std::string>& sale,
                                                     const std::function<bool(const OrderSummary&)>& each) {
  constexpr std::size_t rows = 10 * page_rows;
  std::string after;
  for (;;) {
    const auto page = with_session([&](SqlSession& session) {
      const std::string of_sale = sale ? " AND sale = " + literal(*sale) : "";
      return session.ask(fmt::format("SELECT reservation, sale, customer, quantity, amount, currency, reference, state"
                                     " FROM orders WHERE reservation > {}{} AND {} ORDER BY reservation"
                                     " LIMIT {}",
                                     literal(after), of_sale, not_settled, rows),
                         8);
    });
    if (!page) return std::unexpected(page.error());
    for (const auto& row : *page) {
      if (!each({row[0].value_or(""), row[1].value_or(""), row[2].value_or(""), number_in(row[3]), number_in(row[4]),
                 row[5].value_or(""), row[6].value_or(""), state_in(row[7])}))
        return {};
    }
    if (page->size() < rows) return {};
    after = page->back()[0].value_or("");
  }
}

SqlOrderStore::Result<std::vector<Told>> SqlOrderStore::told() {
  return with_session([](SqlSession& session) { return read_told(session); });
}

SqlOrderStore::Result<void> SqlOrderStore::settle(std::span<const std::string> reservations, const Discard& why) {
  return write_rows(reservations.size(), [&](SqlSession& session) {
    SqlTransaction transaction(session);
    const std::size_t rows = rows_.now();
    for (std::size_t from = 0; from < reservations.size(); from += rows) {
      std::string sql = "INSERT INTO firstcome_settled (reservation, settled_by, reason, settled_at) VALUES ";
      engine::SqlValues values(sql, session.dialect());
      for (const std::string& reservation : reservations.subspan(from, std::min(rows, reservations.size() - from))) {
        values.begin_row();
        values.text(reservation).text(why.by).text(why.reason).instant(options_.now());
        values.end_row();
      }
      sql += order_dialect_of(session).keep_settled();
      session.run(sql);
    }
    transaction.commit();
  });
}

SqlOrderStore::Result<std::vector<std::string>> SqlOrderStore::settled() {
  return with_session([](SqlSession& session) {
    std::vector<std::string> reservations;
    for (const auto& row : session.ask("SELECT reservation FROM firstcome_settled", 1)) {
      reservations.push_back(row[0].value_or(""));
    }
    return reservations;
  });
}

SqlOrderStore::Result<std::uint64_t> SqlOrderStore::count(const std::string& sale, const std::string& prefix) {
  return with_session([&](SqlSession& session) {
    return session.ask_number("SELECT COUNT(*) FROM orders WHERE sale = " + literal(sale) +
                              " AND substr(reservation, 1, " + std::to_string(prefix.size()) +
                              ") = " + literal(prefix) + " AND " + std::string(not_settled));
  });
}

}  // namespace firstcome::events
