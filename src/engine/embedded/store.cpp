#include "engine/embedded/store.hpp"

#include "engine/embedded/checkpointer.hpp"
#include "engine/embedded/log_vfs.hpp"

#include <algorithm>
#include <optional>
#include <string>
#include <tuple>
#include <utility>

namespace firstcome::engine {
namespace {

using sqlite::Connection;
using sqlite::Error;
using sqlite::Result;

// The log's size is ours to keep small (checkpointer.hpp); the limit only trims what one long reader has let it grow
// to. Below it the file keeps its length, which makes commits quicker (log_vfs.hpp).
constexpr const char* writer_settings =
    "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA locking_mode = NORMAL; "
    "PRAGMA wal_autocheckpoint = 0; PRAGMA journal_size_limit = 62914560; PRAGMA cache_size = -16384; "
    "PRAGMA temp_store = MEMORY; PRAGMA foreign_keys = OFF; PRAGMA trusted_schema = OFF; PRAGMA secure_delete = FAST;";

int count_frames(void* frames, sqlite3*, const char*, int count) {
  *static_cast<std::uint64_t*>(frames) = static_cast<std::uint64_t>(count);
  return SQLITE_OK;
}

/// Whether an error of COMMIT itself came from appending to the log, before the sync.
bool surely_before_sync(const Error& error) {
  switch (error.code) {
    case SQLITE_FULL:
    case SQLITE_IOERR_WRITE:
    case SQLITE_BUSY:
    case SQLITE_BUSY_SNAPSHOT:
      return true;
    default:
      return error.primary() == SQLITE_READONLY;
  }
}

constexpr int patience_ms = 5;  // with a program that has the write lock

/// Rows that are removed from the outbox in one transaction, and how many there are before it is worth one.
constexpr std::uint64_t trimmed_at_once = 8'192;
constexpr std::uint64_t worth_trimming = 1'024;

bool leaves(const sale::Changes& changes, SaleHandle sale) {
  return std::ranges::find(changes.deleted, sale) != changes.deleted.end();
}

}  // namespace

Store::Store(std::filesystem::path path, std::string vfs, OutboxMarks outbox, std::uint64_t keep)
    : path_(std::move(path)),
      vfs_(std::move(vfs)),
      outbox_(std::move(outbox)),
      keep_(std::max<std::uint64_t>(keep, 1)),
      log_frames_(std::make_unique<std::uint64_t>(0)) {}

Result<Store> Store::open(std::filesystem::path path, std::string vfs, OutboxMarks outbox, std::uint64_t keep) {
  Store store(std::move(path), std::move(vfs), std::move(outbox), keep);
  if (auto opened = store.reopen(); !opened) return std::unexpected(std::move(opened.error()));
  return store;
}

Result<void> Store::reopen() {
  statements_ = {};
  connection_ = {};
  auto connection = Connection::open(path_, sqlite::Access::read_write, log_vfs_over(vfs_));
  if (!connection) return std::unexpected(std::move(connection.error()));
  if (auto set = connection->execute(writer_settings); !set) return set;
  if (auto upgraded = upgrade_store(*connection); !upgraded) return upgraded;
  const auto page_bytes = connection->integer("PRAGMA page_size");
  if (!page_bytes) return std::unexpected(page_bytes.error());
  page_bytes_ = *page_bytes;

  Statements statements;
  const std::pair<sqlite::Statement*, std::string_view> wanted[] = {
      {&statements.begin, "BEGIN IMMEDIATE"},
      {&statements.commit, "COMMIT"},
      {&statements.rollback, "ROLLBACK"},
      {&statements.insert_reservation, insert_reservation_sql},
      {&statements.replace_reservation, replace_reservation_sql},
      {&statements.replace_sale, replace_sale_sql},
      {&statements.select_sale, select_sale_sql},
      {&statements.select_reservations, select_reservations_sql},
      {&statements.insert_event, insert_event_sql},
      {&statements.replace_lock, replace_lock_sql},
      {&statements.delete_lock, delete_lock_sql},
      {&statements.replace_delivery, replace_delivery_sql},
      {&statements.trim_outbox, "DELETE FROM outbox WHERE seq < ?"},
  };
  for (const auto& [statement, sql] : wanted) {
    auto prepared = connection->prepare(sql);
    if (!prepared) return std::unexpected(std::move(prepared.error()));
    *statement = std::move(*prepared);
  }
  sqlite3_wal_hook(connection->get(), count_frames, log_frames_.get());
  sqlite3_busy_timeout(connection->get(), patience_ms);  // the owner of the sales does not sleep for others
  connection_ = std::move(*connection);
  statements_ = std::move(statements);
  return {};
}

template <class Body>
Written Store::transaction(Body body) {
  if (!connection_) return {Fate::not_committed, {SQLITE_CANTOPEN, "the file is not open"}};
  if (auto begun = statements_.begin.run(); !begun) {
    const Fate fate = begun.error().primary() == SQLITE_BUSY ? Fate::locked_out : Fate::not_committed;
    return roll_back(fate, std::move(begun.error()));
  }
  if (Result<void> ran = body(); !ran) return roll_back(Fate::not_committed, std::move(ran.error()));
  auto committed = statements_.commit.run();
  if (committed) return {};
  const Fate fate = surely_before_sync(committed.error()) ? Fate::not_committed : Fate::unknown;
  return roll_back(fate, std::move(committed.error()));
}

Written Store::roll_back(Fate fate, Error error) {
  // SQLite may have rolled back by itself; if a roll-back fails, `reopen` gives the transaction up for good.
  if (connection_.in_transaction()) static_cast<void>(statements_.rollback.run());
  return {fate, std::move(error)};
}

Written Store::write(const sale::Ledger& ledger, const sale::Changes& changes, const lock::LockBook& locks,
                     std::uint64_t delivered, Instant now) {
  const auto [oldest, last, delivered_before] = std::tuple(outbox_.oldest, outbox_.last, outbox_.delivered);
  Written written = transaction([&]() -> Result<void> {
    if (auto done = write_reservations(ledger, changes); !done) return done;
    if (auto done = write_sales(ledger, changes, now); !done) return done;
    if (auto done = write_events(changes); !done) return done;
    if (delivered > delivered_before) {
      if (auto done = write_delivered(delivered); !done) return done;
    }
    if (!locks.changed().empty()) {
      if (auto done = write_locks(locks); !done) return done;
    }
    return changes.sales.empty() ? touch_meta(now) : Result<void>{};  // the instant of each commit is known later
  });
  if (written.fate == Fate::committed) {
    note_events(changes, last);
    outbox_.forget_delivered();
  } else {
    std::tie(outbox_.oldest, outbox_.last, outbox_.delivered) = std::tie(oldest, last, delivered_before);
  }
  return written;
}

/// Events of one sale mostly come in runs.
void Store::note_events(const sale::Changes& changes, std::uint64_t last_before) {
  std::uint64_t sequence = last_before;
  std::uint64_t* last_of_sale = nullptr;
  SaleHandle sale{};
  for (const sale::EventRecord& event : changes.events) {
    if (last_of_sale == nullptr || event.sale != sale) last_of_sale = &outbox_.last_of_sale[value(event.sale)];
    sale = event.sale;
    *last_of_sale = ++sequence;
  }
}

Result<void> Store::write_delivered(std::uint64_t upto) {
  outbox_.delivered = upto;
  bind_delivery(statements_.replace_delivery, upto);
  if (auto done = statements_.replace_delivery.run(); !done) return done;
  if (upto < outbox_.oldest + keep_ + worth_trimming) return {};
  outbox_.oldest = std::min(upto + 1 - keep_, outbox_.oldest + trimmed_at_once);
  statements_.trim_outbox.bind(1, outbox_.oldest);
  return statements_.trim_outbox.run();
}

Result<void> Store::write_reservations(const sale::Ledger& ledger, const sale::Changes& changes) {
  const auto write = [&](sqlite::Statement& statement, ReservationRef ref) -> Result<void> {
    if (!changes.deleted.empty() && leaves(changes, ref.sale)) return {};
    ledger.read_record(ref, scratch_);
    bind_reservation(statement, scratch_);
    return statement.run();
  };
  for (const ReservationRef ref : changes.inserted)
    if (auto done = write(statements_.insert_reservation, ref); !done) return done;
  for (const ReservationRef ref : changes.updated)
    if (auto done = write(statements_.replace_reservation, ref); !done) return done;
  return {};
}

Result<void> Store::write_sales(const sale::Ledger& ledger, const sale::Changes& changes, Instant now) {
  for (const SaleHandle sale : changes.sales) {
    if (leaves(changes, sale)) continue;
    const SaleRow row{ledger.record_of(sale), now, SaleRow::Life::kept};
    bind_sale(statements_.replace_sale, row);
    if (auto done = statements_.replace_sale.run(); !done) return done;
  }
  for (const SaleHandle sale : changes.deleted)
    if (auto done = mark(sale, SaleRow::Life::leaving, now); !done) return done;
  return {};
}

Result<void> Store::write_events(const sale::Changes& changes) {
  for (const sale::EventRecord& event : changes.events) {
    bind_event(statements_.insert_event, ++outbox_.last, event);
    if (auto done = statements_.insert_event.run(); !done) return done;
  }
  if (outbox_.oldest == 0 && outbox_.last != 0) outbox_.oldest = 1;
  return {};
}

Result<void> Store::write_locks(const lock::LockBook& locks) {
  for (const std::string& name : locks.changed()) {
    const lock::BookedGrant* const grant = locks.stored(name);
    sqlite::Statement& statement = grant != nullptr ? statements_.replace_lock : statements_.delete_lock;
    if (grant != nullptr) {
      bind_lock(statement, *grant);
    } else {
      statement.bind(1, std::string_view(name));
    }
    if (auto done = statement.run(); !done) return done;
  }
  const lock::BookedGrant last{.name = {}, .lease = {}, .token = locks.last_token(), .until = {}};
  bind_lock(statements_.replace_lock, last);
  return statements_.replace_lock.run();
}

Result<SaleRow> Store::sale_row(SaleHandle sale) {
  sqlite::Statement& select = statements_.select_sale;
  select.bind(1, value(sale));
  SaleRow row;
  const int code = select.step();
  const RowCheck check = code == SQLITE_ROW ? read_sale(select, row) : RowCheck::damaged;
  Error failed = code == SQLITE_ROW || code == SQLITE_DONE ? Error{SQLITE_CORRUPT, "a sale's row is damaged or missing"}
                                                           : select.error();
  select.reset();
  if (check == RowCheck::damaged) return std::unexpected(std::move(failed));
  return row;
}

Result<void> Store::mark(SaleHandle sale, SaleRow::Life life, Instant now) {
  auto row = sale_row(sale);
  if (!row) return std::unexpected(std::move(row.error()));
  row->life = life;
  row->now = std::max(row->now, now);
  bind_sale(statements_.replace_sale, *row);
  return statements_.replace_sale.run();
}

Result<void> Store::read_reservations(ReservationRef from, std::uint64_t count,
                                      std::vector<sale::ReservationRecord>& rows) {
  if (!connection_) return std::unexpected(Error{SQLITE_CANTOPEN, "the file is not open"});
  const auto wrong = [](std::uint64_t number, const char* what) {
    return Error{SQLITE_CORRUPT, "the row of reservation " + std::to_string(number) + what};
  };
  sqlite::Statement& select = statements_.select_reservations;
  select.bind(1, row_id(from));
  select.bind(2, row_id({from.sale, Number{value(from.number) + count - 1}}));
  rows.resize(count);
  std::optional<Error> failed;
  for (std::uint64_t at = 0; at < count && !failed; ++at) {
    const std::uint64_t number = value(from.number) + at;
    const int code = select.step();
    if (code != SQLITE_ROW && code != SQLITE_DONE) {
      failed = select.error();
    } else if (code == SQLITE_DONE) {
      failed = wrong(number, " is missing");
    } else if (read_reservation(select, rows[at]) == RowCheck::damaged) {
      failed = wrong(number, " has a wrong checksum");
    } else if (rows[at].ref != ReservationRef{from.sale, Number{number}}) {
      failed = wrong(number, " is missing");
    }
  }
  select.reset();  // it would keep the log from starting over
  if (failed) return std::unexpected(std::move(*failed));
  return {};
}

Result<std::uint64_t> Store::last_number(SaleHandle sale) {
  auto row = sale_row(sale);
  if (!row) return std::unexpected(std::move(row.error()));
  return row->record.last_number;
}

Result<void> Store::touch_meta(Instant now) {
  auto meta = read_meta(connection_);
  if (!meta) return std::unexpected(std::move(meta.error()));
  meta->now = std::max(meta->now, now);
  return write_meta(connection_, *meta);
}

Written Store::write_past(const PastChanges& changes) {
  return transaction([&]() -> Result<void> {
    if (changes.incarnation != no_incarnation) {
      auto done = write_incarnation(connection_, changes.incarnation, changes.first_sale, changes.now);
      if (!done) return done;
    }
    for (const Era& era : changes.eras)
      if (auto done = write_era(connection_, era); !done) return done;
    for (const auto& [place, loss] : changes.losses)
      if (auto done = write_loss(connection_, place, loss); !done) return done;
    return {};
  });
}

Written Store::forget_deleted() {
  return transaction([&] { return remove_eras_of_deleted(connection_); });
}

Written Store::probe(Instant now) {
  return transaction([&] { return touch_meta(now); });
}

Written Store::remove_reservations(SaleHandle sale, std::uint64_t from, std::uint64_t count) {
  return transaction([&]() -> Result<void> {
    auto statement = connection_.prepare("DELETE FROM reservation WHERE id BETWEEN ? AND ?");
    if (!statement) return std::unexpected(std::move(statement.error()));
    statement->bind(1, row_id({sale, Number{from}}));
    statement->bind(2, row_id({sale, Number{from + count - 1}}));
    return statement->run();
  });
}

Written Store::finish_removal(SaleHandle sale) {
  return transaction([&] { return mark(sale, SaleRow::Life::gone, Instant{}); });
}

Result<std::uint64_t> Store::checkpoint() { return fold_log(connection_); }

std::uint64_t Store::log_bytes() const { return *log_frames_ * static_cast<std::uint64_t>(page_bytes_ + 24); }

void Store::leave_as_it_is() {
  if (connection_) sqlite3_db_config(connection_.get(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
}

}  // namespace firstcome::engine
