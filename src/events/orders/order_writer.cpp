#include "events/orders/order_writer.hpp"

#include "engine/sql/sql_values.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

namespace firstcome::events {

using engine::number_in;
using engine::SqlColumn;
using engine::SqlRows;
using Fault = SqlFailure::Fault;

namespace {

constexpr auto text = SqlColumn::Type::text;
constexpr auto number = SqlColumn::Type::number;

constexpr std::array order_columns{
    SqlColumn{text, "reservation"}, SqlColumn{text, "sale"},           SqlColumn{number, "number"},
    SqlColumn{text, "customer"},    SqlColumn{number, "quantity"},     SqlColumn{number, "amount"},
    SqlColumn{text, "currency"},    SqlColumn{text, "reference"},      SqlColumn{text, "state"},
    SqlColumn{number, "sequence"},  SqlColumn{number, "confirmed_at"}, SqlColumn{number, "updated_at"},
    SqlColumn{number, "stored_at"}};
constexpr std::array payment_columns{SqlColumn{text, "reservation"},    SqlColumn{text, "sale"},
                                     SqlColumn{text, "customer"},       SqlColumn{text, "payment_id"},
                                     SqlColumn{text, "account_number"}, SqlColumn{number, "amount"},
                                     SqlColumn{text, "currency"},       SqlColumn{text, "state"},
                                     SqlColumn{number, "sequence"},     SqlColumn{number, "updated_at"}};

bool begins_an_order(const OrderUnit& unit) {
  return !unit.events.empty() && unit.events.front()->type == EventType::reservation_confirmed;
}

}  // namespace

/// Calls `write` with at most `rows_` units at a time.
template <typename Write>
void OrderWriter::in_statements(std::span<const OrderUnit> units, Write write) {
  while (!units.empty()) {
    const auto some = units.first(std::min(units.size(), rows_));
    write(some);
    units = units.subspan(some.size());
  }
}

/// Finds the first event of the unit that contradicts the stored order or an earlier event.
std::optional<OrderWriter::Contradiction> OrderWriter::find_contradiction(const OrderUnit& unit) const {
  const auto stored = known_.find(unit.reservation);
  const Order* const known = stored == known_.end() ? nullptr : &stored->second;
  for (std::size_t i = 0; i < unit.events.size(); ++i) {
    const Event& event = *unit.events[i];
    std::string sentence = known == nullptr ? std::string() : contradiction(event, known_from(*known));
    for (std::size_t earlier = 0; earlier < i && sentence.empty(); ++earlier) {
      sentence = contradiction(event, known_from(*unit.events[earlier]));
    }
    if (!sentence.empty()) return Contradiction{i, std::move(sentence)};
  }
  return std::nullopt;
}

OrderWriter::Known OrderWriter::read_known(std::span<const OrderUnit> units) {
  Known known;
  in_statements(units, [&](std::span<const OrderUnit> some) {
    std::vector<std::string_view> names;
    for (const OrderUnit& unit : some) {
      // One with a zero byte cannot be asked for, nor be there.
      if (unit.reservation.find('\0') == std::string_view::npos) names.push_back(unit.reservation);
    }
    if (names.empty()) return;
    const std::string sql = fmt::format(
        "SELECT reservation, sale, number, customer, quantity, amount, currency, reference, sequence,"
        " confirmed_at, state FROM orders WHERE reservation IN {} ORDER BY reservation{}",
        engine::sql_list(names, session_.dialect()), order_dialect_of(session_).lock_rows());
    for (const auto& row : session_.ask(sql, 11)) {
      Order order;
      order.reservation = row[0].value_or("");
      order.sale = row[1].value_or("");
      order.number = Number{static_cast<std::uint64_t>(number_in(row[2]))};
      order.customer = row[3].value_or("");
      order.quantity = number_in(row[4]);
      order.amount = number_in(row[5]);
      order.currency = row[6].value_or("");
      order.reference = row[7].value_or("");
      order.sequence = static_cast<std::uint64_t>(number_in(row[8]));
      if (row[9]) order.confirmed_at = Instant{Milliseconds{number_in(row[9])}};
      order.state = row[10] == word(OrderState::returned) ? OrderState::returned : OrderState::confirmed;
      known.emplace(order.reservation, std::move(order));
    }
  });
  return known;
}

void OrderWriter::write_new(std::span<OrderUnit> units) {
  const auto others = std::ranges::stable_partition(units, begins_an_order);
  const std::span<const OrderUnit> fresh(units.begin(), others.begin());
  known_ = read_known(others);
  for (const OrderUnit& unit : units) {
    if (const auto wrong = find_contradiction(unit)) throw SqlFailure::content(wrong->sentence);
  }
  in_statements(fresh, [this](std::span<const OrderUnit> some) {
    write_orders(some, Rows::are_new);
    write_payments(some, Rows::are_new);
  });
  write(others);
}

/// REQUIRES: what is there of them is in `known_`.
void OrderWriter::write(std::span<const OrderUnit> units) {
  in_statements(units, [this](std::span<const OrderUnit> some) {
    std::vector<OrderUnit> fresh;
    std::vector<OrderUnit> others;
    for (const OrderUnit& unit : some) (known_.contains(unit.reservation) ? others : fresh).push_back(unit);
    // One that appears meanwhile is a duplicate, and no contradiction that nobody sees.
    write_orders(fresh, Rows::are_new);
    write_orders(others, Rows::may_be_there);
    write_payments(some, Rows::may_be_there);
  });
}

/// Who is written into an order. One that was erased stays so, unless the reservation has gone to somebody else since.
std::string_view OrderWriter::customer_of(const OrderUnit& unit) const {
  const std::string_view told = unit.order->event->customer;
  const auto stored = known_.find(unit.reservation);
  if (stored == known_.end() || !stored->second.customer.starts_with(erased_customer)) return told;
  const bool transferred = std::ranges::any_of(unit.events, [&](const Event* event) {
    return event->type == EventType::reservation_transferred && event->sequence > stored->second.sequence;
  });
  return transferred ? told : stored->second.customer;
}

void OrderWriter::write_orders(std::span<const OrderUnit> units, Rows which) {
  SqlRows rows("orders", order_columns);
  for (const OrderUnit& unit : units) {
    if (!unit.order) continue;
    const Event& event = *unit.order->event;
    rows.text(event.reservation).text(event.sale).number(value(event.number)).text(customer_of(unit));
    rows.number(event.quantity).number(event.amount).text(event.currency).text_or_null(event.reference);
    rows.text(word(unit.order->state)).number(event.sequence).instant_or_null(unit.order->confirmed_at);
    rows.instant(event.at).instant(now_);
  }
  if (rows.rows() == 0) return;
  const bool may_be_there = which == Rows::may_be_there;
  session_.insert(rows, may_be_there ? order_dialect_of(session_).order_conflict() : std::string_view());
}

void OrderWriter::write_payments(std::span<const OrderUnit> units, Rows which) {
  SqlRows rows("payments", payment_columns);
  static const Payment not_named;
  for (const OrderUnit& unit : units) {
    if (!unit.payment) continue;
    const Event& event = *unit.payment->event;
    const Payment& paid = unit.payment->payment == nullptr ? not_named : *unit.payment->payment->payment;
    rows.text(event.reservation).text(event.sale).text(event.customer).text(paid.id);
    rows.text_or_null(paid.account_number).number(event.amount).text(event.currency);
    rows.text(word(unit.payment->state)).number(event.sequence).instant(event.at);
  }
  if (rows.rows() == 0) return;
  const bool may_be_there = which == Rows::may_be_there;
  session_.insert(rows, may_be_there ? order_dialect_of(session_).payment_conflict() : std::string_view());
}

std::vector<Blamed> OrderWriter::write_all_but(std::span<const OrderUnit> units) {
  if (const auto said = order_dialect_of(session_).say_at_once(); !said.empty()) session_.run(said);
  known_ = read_known(units);
  std::vector<Blamed> blamed;
  for (auto rest = units; !rest.empty();) {
    // Units stay where they are: the blamed point to them.
    const auto some = rest.first(std::min(rest.size(), rows_));
    rest = rest.subspan(some.size());
    write_without_contradictions(some, blamed);
  }
  return blamed;
}

void OrderWriter::write_without_contradictions(std::span<const OrderUnit> units, std::vector<Blamed>& blamed) {
  for (auto rest = units; !rest.empty();) {
    std::optional<Contradiction> wrong;
    const auto at = std::ranges::find_if(rest, [&](const OrderUnit& unit) {
      wrong = find_contradiction(unit);
      return wrong.has_value();
    });
    const auto count = static_cast<std::size_t>(at - rest.begin());
    if (count > 0) halve(rest.first(count), blamed);
    if (!wrong) return;
    const OrderUnit& unit = rest[count];
    blame_contradiction(unit, *wrong, blamed);
    rest = rest.subspan(count + 1);
  }
}

/// What stands before it in its unit is written by itself.
void OrderWriter::blame_contradiction(const OrderUnit& unit, const Contradiction& wrong, std::vector<Blamed>& blamed) {
  const auto first = unit.events.begin();
  const OrderUnit before = unit_of({first, first + static_cast<std::ptrdiff_t>(wrong.index)});
  std::vector<Blamed> earlier;
  if (!before.events.empty()) {
    if (const auto failure = try_to_write({&before, 1})) blame(before, *failure, earlier);
  }
  if (earlier.empty()) return blamed.push_back({&unit, wrong.index, wrong.sentence});
  blamed.push_back({&unit, earlier.front().index, earlier.front().error});
}

std::optional<SqlFailure> OrderWriter::try_to_write(std::span<const OrderUnit> units) {
  session_.run("SAVEPOINT firstcome");
  try {
    write(units);
    session_.run("RELEASE SAVEPOINT firstcome");
    for (const OrderUnit& unit : units) {
      if (unit.order) known_.try_emplace(std::string(unit.reservation));
    }
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
