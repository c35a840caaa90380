#include "events/orders/order_writer.hpp"

#include "engine/sql/sql_values.hpp"

#include <algorithm>
#include <utility>

namespace firstcome::events {

using engine::SqlValues;
using Fault = SqlFailure::Fault;

void OrderWriter::write(std::span<const OrderUnit> units) {
  while (!units.empty()) {
    const auto some = units.first(std::min(units.size(), order_batch_rows));
    write_orders(some);
    write_payments(some);
    units = units.subspan(some.size());
  }
}

void OrderWriter::write_orders(std::span<const OrderUnit> units) {
  std::string sql =
      "INSERT INTO orders (reservation, sale, number, customer, quantity, amount, currency, reference, state, sequence,"
      " confirmed_at, updated_at, stored_at) VALUES ";
  sql.reserve(sql.size() + units.size() * 256 + 1'024);
  SqlValues values(sql, session_.dialect());
  for (const OrderUnit& unit : units) {
    if (!unit.order) continue;
    const Event& event = *unit.order->event;
    values.begin_row();
    values.text(event.reservation).text(event.sale).number(value(event.number)).text(event.customer);
    values.number(event.quantity).number(event.amount).text(event.currency).text_or_null(event.reference);
    values.text(word(unit.order->state)).number(event.sequence).instant_or_null(unit.order->confirmed_at);
    values.instant(event.at).instant(now_);
    values.end_row();
  }
  if (values.rows() == 0) return;
  sql += order_dialect_of(session_).order_conflict();
  session_.run(sql);
}

void OrderWriter::write_payments(std::span<const OrderUnit> units) {
  std::string sql =
      "INSERT INTO payments (reservation, sale, customer, payment_id, account_number, amount, currency, state, "
      "sequence,"
      " updated_at) VALUES ";
  SqlValues values(sql, session_.dialect());
  for (const OrderUnit& unit : units) {
    if (!unit.payment) continue;
    const Event& event = *unit.payment->event;
    const Payment paid = unit.payment->payment == nullptr ? Payment{} : *unit.payment->payment->payment;
    values.begin_row();
    values.text(event.reservation).text(event.sale).text(event.customer).text(paid.id);
    values.text_or_null(paid.account_number).number(event.amount).text(event.currency);
    values.text(word(unit.payment->state)).number(event.sequence).instant(event.at);
    values.end_row();
  }
  if (values.rows() == 0) return;
  sql += order_dialect_of(session_).payment_conflict();
  session_.run(sql);
}

std::vector<Blamed> OrderWriter::write_all_but(std::span<const OrderUnit> units) {
  if (const auto said = order_dialect_of(session_).say_at_once(); !said.empty()) session_.run(said);
  std::vector<Blamed> blamed;
  for (auto rest = units; !rest.empty();) {
    const auto some = rest.first(std::min(rest.size(), order_batch_rows));
    halve(some, blamed);
    rest = rest.subspan(some.size());
  }
  return blamed;
}

std::optional<SqlFailure> OrderWriter::try_to_write(std::span<const OrderUnit> units) {
  session_.run("SAVEPOINT firstcome");
  try {
    write(units);
    session_.run("RELEASE SAVEPOINT firstcome");
    return std::nullopt;
  } catch (SqlFailure& failure) {
    if (failure.fault == Fault::database) throw;
    session_.run("ROLLBACK TO SAVEPOINT firstcome");
    session_.run("RELEASE SAVEPOINT firstcome");
    failure.sentence = order_dialect_of(session_).words_of(std::move(failure.sentence));
    return std::move(failure);
  }
}

void OrderWriter::halve(std::span<const OrderUnit> units, std::vector<Blamed>& blamed) {
  const auto failure = try_to_write(units);
  if (!failure) return;
  if (units.size() == 1) return blame(units.front(), *failure, blamed);
  halve(units.first(units.size() / 2), blamed);
  halve(units.subspan(units.size() / 2), blamed);
}

/// One event after the other, to know which of them it is.
void OrderWriter::blame(const OrderUnit& unit, const SqlFailure& failure, std::vector<Blamed>& blamed) {
  for (std::size_t i = 0; i < unit.events.size(); ++i) {
    const OrderUnit alone = unit_of({unit.events[i]});
    const bool is_all = unit.events.size() == 1;
    const auto its_own = is_all ? std::optional(failure) : try_to_write({&alone, 1});
    if (!its_own) continue;
    return blamed.push_back({&unit, i, its_own->sentence});
  }
}

}  // namespace firstcome::events
