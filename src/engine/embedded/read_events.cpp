#include "engine/embedded/read_events.hpp"

#include "engine/embedded/rows.hpp"

#include <utility>

namespace firstcome::engine {
namespace {

// The columns of `outbox` first, in their order, as read_event wants them.
constexpr std::string_view joined_sql = R"sql(
SELECT o.*, s.id, s.currency, s.unit_price, r.customer, r.reference, CASE WHEN r.id IS NOT NULL THEN ifnull(r.quantity, 1) END
FROM outbox o JOIN sale s ON s.handle = o.sale LEFT JOIN reservation r ON r.id = (o.sale << 40) + o.number
WHERE o.seq > ?1 ORDER BY o.seq LIMIT ?2
)sql";

EventView view_of(const sqlite::Statement& row, std::uint64_t sequence, const sale::EventRecord& event) {
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
  view.quantity = row.integer(13);
  view.amount = view.quantity * row.integer(10);
  return view;
}

}  // namespace

sqlite::Result<EventsAnswer> read_events(sqlite::Connection& connection, const ReadEvents& command) {
  auto statement = connection.prepare(joined_sql);
  if (!statement) return std::unexpected(std::move(statement.error()));
  statement->bind(1, command.after);
  statement->bind(2, std::uint64_t{command.limit} + 1);  // one more tells whether there are more
  EventsAnswer answer;
  std::uint64_t sequence = 0;
  sale::EventRecord event;
  int code = SQLITE_DONE;
  while ((code = statement->step()) == SQLITE_ROW) {
    if (read_event(*statement, sequence, event) == RowCheck::damaged)
      return std::unexpected(sqlite::Error{SQLITE_CORRUPT, "an outbox row has a wrong checksum"});
    if (answer.items.size() == command.limit) {
      answer.next = answer.items.empty() ? command.after : answer.items.back().sequence;
      break;
    }
    answer.items.push_back(view_of(*statement, sequence, event));
  }
  if (code != SQLITE_DONE && code != SQLITE_ROW) return std::unexpected(statement->error());
  return answer;
}

}  // namespace firstcome::engine
