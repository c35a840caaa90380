// What orders are measured against: INSERT statements of 500 rows each, whose text was made before the clock runs, into
// the same table.
#pragma once

#include "engine/sql/sql_values.hpp"
#include "events/order_service.hpp"
#include "events/orders/order_rows.hpp"
#include "events/orders/sql_order_store.hpp"

#include <algorithm>
#include <span>
#include <string>
#include <vector>

namespace firstcome::bench {

/// One statement with the rows of these events, which are confirmations.
inline std::string plain_orders(std::span<const events::Event> events, const engine::SqlDialect& dialect) {
  std::string sql =
      "INSERT INTO orders (reservation, sale, number, customer, quantity, amount, currency, reference, state, "
      "sequence, confirmed_at, updated_at, stored_at) VALUES ";
  engine::SqlValues values(sql, dialect);
  for (const events::Event& event : events) {
    values.begin_row();
    values.text(event.reservation).text(event.sale).number(value(event.number)).text(event.customer);
    values.number(event.quantity).number(event.amount).text(event.currency).text_or_null(event.reference);
    values.text("confirmed").number(event.sequence).instant(event.at).instant(event.at).instant(event.at);
    values.end_row();
  }
  return sql;
}

/// Statements made by `write` of 500 events each.
template <typename Write>
std::vector<std::string> statements_of(std::span<const events::Event> events, Write write) {
  std::vector<std::string> statements;
  while (!events.empty()) {
    const auto some = events.first(std::min(events.size(), std::size_t{500}));
    statements.push_back(write(some));
    events = events.subspan(some.size());
  }
  return statements;
}

}  // namespace firstcome::bench
