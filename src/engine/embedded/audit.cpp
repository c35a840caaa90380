#include "engine/embedded/audit.hpp"

#include "engine/auditor.hpp"
#include "engine/embedded/past_rows.hpp"
#include "engine/embedded/rows.hpp"
#include "engine/past.hpp"

#include <fmt/format.h>

#include <string>
#include <utility>

namespace firstcome::engine {

sqlite::Result<AuditAnswer> audit(sqlite::Connection& connection, const AuditSale& command) {
  auto sales = connection.prepare("SELECT * FROM sale WHERE id = ? AND deleted IS NULL");
  if (!sales) return std::unexpected(std::move(sales.error()));
  sales->bind(1, command.sale);
  const int found = sales->step();
  if (found == SQLITE_DONE) return AuditAnswer{};
  if (found != SQLITE_ROW) return std::unexpected(sales->error());
  SaleRow sale;
  const RowCheck sum = read_sale(*sales, sale);

  auto rows = connection.prepare(select_reservations_sql);
  if (!rows) return std::unexpected(std::move(rows.error()));
  rows->bind(1, row_id({sale.record.handle, Number{0}}));
  rows->bind(2, row_id({SaleHandle{value(sale.record.handle) + 1}, Number{0}}) - 1);
  Auditor auditor(sale.record, command.depth);
  sale::ReservationRecord record;
  int code = SQLITE_DONE;
  while ((code = rows->step()) == SQLITE_ROW) {
    if (read_reservation(*rows, record) == RowCheck::damaged) {
      auditor.mismatch(fmt::format("the row of reservation {} has a wrong checksum", value(record.ref.number)));
    }
    auditor.take(record);
  }
  if (code != SQLITE_DONE) return std::unexpected(rows->error());
  const auto losses = read_losses(connection);
  if (!losses) return std::unexpected(losses.error());
  for (const Loss& loss : *losses)
    if (loss.sale == sale.record.handle && !loss.settled) auditor.mismatch(text_of(loss));
  AuditAnswer answer = auditor.finish();
  if (sum == RowCheck::damaged) {
    answer.mismatches.insert(answer.mismatches.begin(), "the sale's own row has a wrong checksum");
    answer.ok = false;
  }
  return answer;
}

}  // namespace firstcome::engine
