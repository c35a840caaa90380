#include "engine/embedded/read_events.hpp"

#include "engine/embedded/rows.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

namespace firstcome::engine {
namespace {

using sqlite::Connection;
using sqlite::Result;
using sqlite::Statement;

// The columns of `outbox` first, in their order, as read_event wants them.
constexpr std::string_view joined_sql = R"sql(
SELECT o.*, s.id, s.currency, s.unit_price, r.customer, r.reference,
  CASE WHEN r.id IS NOT NULL THEN ifnull(r.quantity, 1) END, r.payment_id, r.account_number, r.returned
FROM outbox o JOIN sale s ON s.handle = o.sale LEFT JOIN reservation r ON r.id = (o.sale << 40) + o.number
WHERE )sql";
constexpr std::string_view page_sql = "o.seq > ?1 ORDER BY o.seq LIMIT ?2";
constexpr std::string_view page_of_sale_sql = "o.seq > ?1 AND o.seq <= ?4 AND o.sale = ?3 ORDER BY o.seq LIMIT ?2";
// Those that leave the house; the others are many, and are not joined. A sale that was deleted before its events were
// delivered was deleted while nobody delivered: of its reservations nothing is left to tell.
constexpr std::string_view delivery_sql =
    "o.seq > ?1 AND o.seq <= ?2 AND o.type NOT IN (16, 17, 26, 27, 32, 34) AND s.deleted IS NULL ORDER BY o.seq";

/// Rows of the outbox that are looked at for one page of a sale, which may have none of them.
constexpr std::uint64_t looked_at = 50'000;

EventView view_of(const Statement& row, std::uint64_t sequence, const sale::EventRecord& event) {
  EventView view;
  view.sequence = sequence;
  view.sale_sequence = event.sale_sequence;
  view.type = event.type;
  view.ref = {event.sale, event.number};
  view.at = event.at;
  view.value = event.value;
  view.sale_id = row.text(8);
  view.currency = row.text(9);
  view.customer = row.text(11);
  view.reference = row.text(12);
  view.quantity = row.is_null(13) ? 0 : quantity_at(event.type, event.value, row.integer(13), row.integer(16));
  view.amount = view.quantity * row.integer(10);
  if (!row.is_null(13)) view.charged = (row.integer(13) + row.integer(16)) * row.integer(10);
  if (!row.is_null(14)) view.payment = Payment{std::string(row.text(14)), std::string(row.text(15))};
  return view;
}

static_assert(!leaves_the_house(EventType{16}) && !leaves_the_house(EventType{17}) &&
              !leaves_the_house(EventType{26}) && !leaves_the_house(EventType{27}) &&
              !leaves_the_house(EventType{32}) && !leaves_the_house(EventType{34}));

/// ?1 and ?2; ?3 and ?4 where there is a sale.
struct Bounds {
  std::uint64_t after = 0;
  std::uint64_t upto_or_limit = 0;
  std::optional<SaleHandle> sale = {};
  std::uint64_t upto = 0;
};

Result<std::vector<EventView>> read_joined(Connection& connection, std::string_view where, const Bounds& bounds) {
  auto statement = connection.prepare(std::string(joined_sql).append(where));
  if (!statement) return std::unexpected(std::move(statement.error()));
  statement->bind(1, bounds.after);
  statement->bind(2, bounds.upto_or_limit);
  if (bounds.sale) {
    statement->bind(3, value(*bounds.sale));
    statement->bind(4, bounds.upto);
  }
  std::vector<EventView> events;
  std::uint64_t sequence = 0;
  sale::EventRecord event;
  int code = SQLITE_DONE;
  while ((code = statement->step()) == SQLITE_ROW) {
    if (read_event(*statement, sequence, event) == RowCheck::damaged) {
      // What it says is not to be trusted, but it must not hold back all the others. The next start refuses the file.
      spdlog::error("the outbox row {} has a wrong checksum; it is passed over", sequence);
      continue;
    }
    events.push_back(view_of(*statement, sequence, event));
  }
  if (code != SQLITE_DONE) return std::unexpected(statement->error());
  return events;
}

/// Of one that is there; a deleted one has left its name to others.
Result<std::optional<SaleHandle>> handle_of(Connection& connection, const std::string& sale) {
  auto statement = connection.prepare("SELECT handle FROM sale WHERE id = ? AND deleted IS NULL");
  if (!statement) return std::unexpected(std::move(statement.error()));
  statement->bind(1, std::string_view(sale));
  const int code = statement->step();
  if (code == SQLITE_DONE) return std::nullopt;
  if (code != SQLITE_ROW) return std::unexpected(statement->error());
  return SaleHandle{statement->natural(0)};
}

Result<std::uint64_t> delivered_upto(Connection& connection) {
  auto statement = connection.prepare(select_delivery_sql);
  if (!statement) return std::unexpected(std::move(statement.error()));
  const int code = statement->step();
  if (code == SQLITE_DONE) return 0;
  std::uint64_t upto = 0;
  if (code != SQLITE_ROW) return std::unexpected(statement->error());
  if (read_delivery(*statement, upto) == RowCheck::damaged)
    return std::unexpected(sqlite::Error{SQLITE_CORRUPT, "the row of the table delivery has a wrong checksum"});
  return upto;
}

/// Of the sales that the events in (after, upto] are about.
Result<std::vector<StockLevel>> read_levels(Connection& connection, std::uint64_t after, std::uint64_t upto) {
  auto statement = connection.prepare(
      "SELECT * FROM sale WHERE deleted IS NULL AND "
      "handle IN (SELECT DISTINCT sale FROM outbox WHERE seq > ?1 AND seq <= ?2)");
  if (!statement) return std::unexpected(std::move(statement.error()));
  statement->bind(1, after);
  statement->bind(2, upto);
  std::vector<StockLevel> levels;
  SaleRow row;
  int code = SQLITE_DONE;
  while ((code = statement->step()) == SQLITE_ROW) {
    const sale::SaleRecord& record = row.record;
    if (read_sale(*statement, row) == RowCheck::damaged) {
      spdlog::error("the row of sale {} has a wrong checksum; its stock is not told", value(record.handle));
      continue;
    }
    levels.push_back({record.terms.id, record.events, record.terms.stock, record.available, record.held, record.sold});
  }
  if (code != SQLITE_DONE) return std::unexpected(statement->error());
  return levels;
}

}  // namespace

Result<EventsAnswer> read_events(Connection& connection, const ReadEvents& command) {
  EventsAnswer answer;
  std::optional<SaleHandle> sale;
  if (!command.sale.empty()) {
    const auto handle = handle_of(connection, command.sale);
    if (!handle) return std::unexpected(handle.error());
    if (!*handle) {
      answer.outcome = Outcome::sale_not_found;
      return answer;
    }
    sale = *handle;
  }
  const auto oldest = connection.integer("SELECT ifnull(min(seq), 0) FROM outbox");
  if (!oldest) return std::unexpected(oldest.error());
  const auto last = connection.integer("SELECT ifnull(max(seq), 0) FROM outbox");
  if (!last) return std::unexpected(last.error());
  answer.oldest = static_cast<std::uint64_t>(*oldest);
  const auto end = static_cast<std::uint64_t>(*last);
  if (command.after >= end) return answer;  // a cursor may also be greater than any number that SQLite knows
  const std::uint64_t after = std::max(command.after, answer.oldest - 1);
  const std::uint64_t upto = sale ? std::min(end, after + looked_at) : end;
  // One more tells whether there are more.
  auto events = read_joined(connection, sale ? page_of_sale_sql : page_sql,
                            {after, std::uint64_t{command.limit} + 1, sale, upto});
  if (!events) return std::unexpected(std::move(events.error()));
  answer.items = std::move(*events);
  if (answer.items.size() > command.limit) {
    answer.items.pop_back();
    answer.next = answer.items.empty() ? after : answer.items.back().sequence;
  } else if (upto < end) {
    answer.next = upto;
  }
  return answer;
}

Result<OutboxAnswer> read_outbox(Connection& connection, const ReadOutbox& command) {
  OutboxAnswer answer;
  if (command.stream != whole_store) {
    answer.outcome = Outcome::sale_not_found;
    return answer;
  }
  const auto delivered = delivered_upto(connection);
  if (!delivered) return std::unexpected(delivered.error());
  const auto last = connection.integer("SELECT ifnull(max(seq), 0) FROM outbox");
  if (!last) return std::unexpected(last.error());
  const std::uint64_t upto = std::min(static_cast<std::uint64_t>(*last), *delivered + command.limit);
  if (upto <= *delivered) return answer;
  answer.upto = upto;
  auto events = read_joined(connection, delivery_sql, {*delivered, upto});
  if (!events) return std::unexpected(std::move(events.error()));
  answer.items = std::move(*events);
  auto levels = read_levels(connection, *delivered, upto);
  if (!levels) return std::unexpected(std::move(levels.error()));
  answer.levels = std::move(*levels);
  return answer;
}

}  // namespace firstcome::engine
