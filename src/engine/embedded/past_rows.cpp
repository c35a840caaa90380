#include "engine/embedded/past_rows.hpp"

#include "engine/embedded/row_crc.hpp"
#include "engine/embedded/rows.hpp"

#include <algorithm>
#include <functional>
#include <string_view>

namespace firstcome::engine {
namespace {

using sqlite::Connection;
using sqlite::Result;
using sqlite::Statement;

std::int64_t ms(Instant instant) { return instant.time_since_epoch().count(); }
Instant instant_of(std::int64_t milliseconds) { return Instant{Milliseconds{milliseconds}}; }
std::uint64_t wide(Incarnation incarnation) { return value(incarnation); }
Incarnation incarnation_of(std::int64_t number) { return Incarnation{static_cast<std::uint32_t>(number)}; }

std::int32_t sum_of(Incarnation incarnation, SaleHandle first_sale, Instant now) {
  return (RowSum() << value(first_sale) << wide(incarnation) << ms(now)).stored();
}

std::int32_t sum_of(const Era& era) {
  return (RowSum() << value(era.sale) << era.after_number << era.after_sequence << wide(era.incarnation)
                   << era.added_to_number << era.added_to_sequence)
      .stored();
}

std::int32_t sum_of(const Loss& loss) {
  RowSum sum;
  sum << value(loss.sale) << std::string_view(loss.sale_id) << wide(loss.incarnation) << loss.number_from
      << loss.number_upto << loss.sequence_from << loss.sequence_upto << std::string_view(loss.witness)
      << ms(loss.found_at);
  if (loss.settled) {
    sum << ms(loss.settled->at) << std::string_view(loss.settled->by) << std::string_view(loss.settled->reason);
  }
  return sum.stored();
}

std::unexpected<sqlite::Error> damaged(const char* table) {
  return std::unexpected(
      sqlite::Error{SQLITE_CORRUPT, std::string("a row of the table ") + table + " has a wrong checksum"});
}

/// Calls `take` with every row; it returns whether the row's sum is right.
Result<void> read_rows(Connection& connection, const char* table, const char* order,
                       const std::function<bool(const Statement&)>& take) {
  const std::string there =
      std::string("SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = '") + table + "'";
  const auto count = connection.integer(there.c_str());
  if (!count) return std::unexpected(count.error());
  if (*count == 0) return {};
  auto statement = connection.prepare(std::string("SELECT * FROM ") + table + " ORDER BY " + order);
  if (!statement) return std::unexpected(std::move(statement.error()));
  int code = SQLITE_DONE;
  while ((code = statement->step()) == SQLITE_ROW) {
    if (!take(*statement)) return damaged(table);
  }
  if (code != SQLITE_DONE) return std::unexpected(statement->error());
  return {};
}

bool read_incarnation(const Statement& row, Incarnations& incarnations) {
  const SaleHandle first{row.natural(0)};
  const Incarnation incarnation = incarnation_of(row.integer(1));
  incarnations.begin(incarnation, first);
  return row.integer(3) == sum_of(incarnation, first, instant_of(row.integer(2)));
}

bool read_era(const Statement& row, Incarnations& incarnations) {
  const Era era{.sale = SaleHandle{row.natural(0)},
                .after_number = row.natural(1),
                .after_sequence = row.natural(2),
                .incarnation = incarnation_of(row.integer(3)),
                .added_to_number = row.natural(4),
                .added_to_sequence = row.natural(5)};
  incarnations.begin(era);
  return row.integer(6) == sum_of(era);
}

bool read_loss(const Statement& row, std::vector<Loss>& losses) {
  Loss loss;
  loss.sale = SaleHandle{row.natural(1)};
  loss.sale_id = row.text(2);
  loss.incarnation = incarnation_of(row.integer(3));
  loss.number_from = row.natural(4);
  loss.number_upto = row.natural(5);
  loss.sequence_from = row.natural(6);
  loss.sequence_upto = row.natural(7);
  loss.witness = row.text(8);
  loss.found_at = instant_of(row.integer(9));
  if (!row.is_null(10)) {
    loss.settled = {instant_of(row.integer(10)), std::string(row.text(11)), std::string(row.text(12))};
  }
  losses.push_back(std::move(loss));
  return row.integer(13) == sum_of(losses.back());
}

}  // namespace

Result<Past> read_past(Connection& connection) {
  Past past;
  auto read = read_rows(connection, "incarnation", "first_sale",
                        [&](const Statement& row) { return read_incarnation(row, past.incarnations); });
  if (!read) return std::unexpected(std::move(read.error()));
  read = read_rows(connection, "era", "sale, after_number, after_sequence",
                   [&](const Statement& row) { return read_era(row, past.incarnations); });
  if (!read) return std::unexpected(std::move(read.error()));
  auto losses = read_losses(connection);
  if (!losses) return std::unexpected(std::move(losses.error()));
  past.losses = std::move(*losses);
  for (const Loss& loss : past.losses) past.losses_by_sale.add(loss);
  return past;
}

Result<std::vector<Loss>> read_losses(Connection& connection) {
  std::vector<Loss> losses;
  auto read = read_rows(connection, "loss", "id", [&](const Statement& row) { return read_loss(row, losses); });
  if (!read) return std::unexpected(std::move(read.error()));
  return losses;
}

Result<void> write_incarnation(Connection& connection, Incarnation incarnation, SaleHandle first_sale, Instant now) {
  auto statement = connection.prepare("REPLACE INTO incarnation VALUES(?,?,?,?)");
  if (!statement) return std::unexpected(std::move(statement.error()));
  statement->bind(1, value(first_sale));
  statement->bind(2, wide(incarnation));
  statement->bind(3, ms(now));
  statement->bind(4, std::int64_t{sum_of(incarnation, first_sale, now)});
  return statement->run();
}

Result<void> write_era(Connection& connection, const Era& era) {
  auto statement = connection.prepare("REPLACE INTO era VALUES(?,?,?,?,?,?,?)");
  if (!statement) return std::unexpected(std::move(statement.error()));
  statement->bind(1, value(era.sale));
  statement->bind(2, era.after_number);
  statement->bind(3, era.after_sequence);
  statement->bind(4, wide(era.incarnation));
  statement->bind(5, era.added_to_number);
  statement->bind(6, era.added_to_sequence);
  statement->bind(7, std::int64_t{sum_of(era)});
  return statement->run();
}

Result<void> remove_eras_of_deleted(Connection& connection) {
  auto statement = connection.prepare(
      "DELETE FROM era WHERE (sale, after_number, after_sequence) IN ("
      "SELECT sale, after_number, after_sequence FROM era WHERE sale IN (SELECT handle FROM sale WHERE deleted = ?) "
      "AND sale NOT IN (SELECT sale FROM outbox) LIMIT 10000)");
  if (!statement) return std::unexpected(std::move(statement.error()));
  statement->bind(1, static_cast<std::int64_t>(SaleRow::Life::gone));
  return statement->run();
}

Result<void> write_loss(Connection& connection, std::size_t place, const Loss& loss) {
  auto statement = connection.prepare("REPLACE INTO loss VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?)");
  if (!statement) return std::unexpected(std::move(statement.error()));
  statement->bind(1, std::uint64_t{place});
  statement->bind(2, value(loss.sale));
  statement->bind(3, std::string_view(loss.sale_id));
  statement->bind(4, wide(loss.incarnation));
  int at = 4;
  for (const std::uint64_t mark : {loss.number_from, loss.number_upto, loss.sequence_from, loss.sequence_upto}) {
    statement->bind(++at, mark);
  }
  statement->bind(9, std::string_view(loss.witness));
  statement->bind(10, ms(loss.found_at));
  if (loss.settled) {
    statement->bind(11, ms(loss.settled->at));
    statement->bind(12, std::string_view(loss.settled->by));
    statement->bind(13, std::string_view(loss.settled->reason));
  } else {
    for (const int empty : {11, 12, 13}) statement->bind_null(empty);
  }
  statement->bind(14, std::int64_t{sum_of(loss)});
  return statement->run();
}

}  // namespace firstcome::engine
