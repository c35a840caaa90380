#include "engine/embedded/schema.hpp"

#include "engine/embedded/rows.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>

namespace firstcome::engine {
namespace {

constexpr const char* tables = R"sql(
CREATE TABLE meta(
  id INTEGER PRIMARY KEY CHECK (id = 1),
  store_id BLOB NOT NULL, secret BLOB NOT NULL, created_at INTEGER NOT NULL, now INTEGER NOT NULL, crc INTEGER NOT NULL
);
CREATE TABLE sale(
  handle INTEGER PRIMARY KEY,
  id TEXT NOT NULL, name TEXT NOT NULL, kind INTEGER NOT NULL, stock INTEGER NOT NULL, unit_price INTEGER NOT NULL,
  currency TEXT NOT NULL, limit_per_customer INTEGER, max_open INTEGER, hold_ms INTEGER NOT NULL, opens_at INTEGER,
  closes_at INTEGER, admit_per_tick INTEGER, tick_ms INTEGER, standby INTEGER NOT NULL, payment INTEGER NOT NULL,
  created_at INTEGER NOT NULL, closed_at INTEGER, available INTEGER NOT NULL, held INTEGER NOT NULL,
  sold INTEGER NOT NULL, last_number INTEGER NOT NULL, serving INTEGER NOT NULL, sold_out_upto INTEGER NOT NULL,
  closed_upto INTEGER NOT NULL, last_tick INTEGER NOT NULL, events INTEGER NOT NULL,
  stock_as_created INTEGER, closes_at_changed INTEGER, closes_at_as_created INTEGER,
  now INTEGER NOT NULL,
  deleted INTEGER,
  crc INTEGER NOT NULL,
  paused INTEGER, revision INTEGER, opening_changed INTEGER, opens_at_as_created INTEGER, limit_as_created INTEGER,
  max_open_as_created INTEGER, extend_ms INTEGER,
  settled INTEGER
);
CREATE TABLE reservation(
  id INTEGER PRIMARY KEY,
  customer TEXT NOT NULL, quantity INTEGER, state INTEGER NOT NULL, reason INTEGER, refund INTEGER,
  created_at INTEGER NOT NULL, expires_at INTEGER, claimed_at INTEGER, position INTEGER, previous INTEGER, key BLOB,
  reference TEXT, payment_id TEXT, account_number TEXT, crc INTEGER NOT NULL,
  extended INTEGER, returned INTEGER
);
CREATE TABLE outbox(
  seq INTEGER PRIMARY KEY,
  sale INTEGER NOT NULL, sale_seq INTEGER NOT NULL, type INTEGER NOT NULL, number INTEGER, at INTEGER NOT NULL,
  value INTEGER, crc INTEGER NOT NULL
);
)sql";

// {0} is a column of milliseconds since 1970.
constexpr const char* instant_sql =
    "strftime('%Y-%m-%dT%H:%M:%S', {0} / 1000, 'unixepoch') || printf('.%03dZ', {0} % 1000)";

std::string instant(const char* column) { return fmt::format(fmt::runtime(instant_sql), column); }

std::string sales_view() {
  return fmt::format(R"sql(
CREATE VIEW sales AS SELECT id, name,
  CASE kind WHEN 0 THEN 'product' WHEN 1 THEN 'ticket' ELSE 'coupon' END AS kind,
  stock, available, held, sold, last_number, serving, unit_price, currency, limit_per_customer, max_open, hold_ms,
  ifnull(extend_ms, 0) AS extend_ms, {} AS opens_at, {} AS closes_at, ifnull(paused, 0) AS paused, {} AS closed_at,
  admit_per_tick, tick_ms, standby,
  CASE payment WHEN 0 THEN 'client' ELSE 'auto' END AS payment, {} AS created_at, handle
  FROM sale WHERE deleted IS NULL;
)sql",
                     instant("opens_at"), instant("closes_at"), instant("closed_at"), instant("created_at"));
}

std::string reservations_view() {
  return fmt::format(R"sql(
CREATE VIEW reservations AS SELECT s.id AS sale, r.id & 1099511627775 AS number, r.customer,
  ifnull(r.quantity, 1) AS quantity, ifnull(r.returned, 0) AS returned,
  CASE WHEN r.state = 1 AND (r.id & 1099511627775) <= max(s.sold_out_upto, s.closed_upto) THEN 'refused'
    ELSE CASE r.state WHEN 1 THEN 'queued' WHEN 2 THEN 'held' WHEN 3 THEN 'confirmed' WHEN 4 THEN 'cancelled'
      WHEN 5 THEN 'expired' WHEN 6 THEN 'refused' WHEN 7 THEN 'paid_unfulfilled' WHEN 8 THEN 'returned' END
  END AS state,
  CASE WHEN r.state = 1 AND (r.id & 1099511627775) <= s.sold_out_upto THEN 'sold-out'
    WHEN r.state = 1 AND (r.id & 1099511627775) <= s.closed_upto THEN 'sale-closed'
    ELSE CASE r.reason WHEN 1 THEN 'payment-failed' WHEN 2 THEN 'by-customer' WHEN 3 THEN 'sold-out'
      WHEN 4 THEN 'sale-closed' WHEN 5 THEN 'payment-refused' END
  END AS reason,
  CASE r.refund WHEN 1 THEN 'due' WHEN 2 THEN 'done' END AS refund,
  ifnull(r.quantity, 1) * s.unit_price AS amount, s.currency,
  {} AS created_at, {} AS expires_at, r.reference, r.payment_id, r.account_number
  FROM reservation r JOIN sale s ON s.handle = r.id >> 40;
)sql",
                     instant("r.created_at"), instant("r.expires_at"));
}

std::string events_view() {
  return fmt::format(R"sql(
CREATE VIEW events AS SELECT o.seq, s.id AS sale, o.sale_seq,
  CASE o.type WHEN 1 THEN 'sale_created' WHEN 2 THEN 'stock_changed' WHEN 3 THEN 'sale_changed'
    WHEN 4 THEN 'sale_closed' WHEN 5 THEN 'waiting_refused' WHEN 6 THEN 'sale_paused' WHEN 7 THEN 'sale_resumed'
    WHEN 16 THEN 'reservation_queued' WHEN 17 THEN 'reservation_held' WHEN 18 THEN 'reservation_confirmed'
    WHEN 19 THEN 'reservation_cancelled' WHEN 20 THEN 'reservation_expired' WHEN 21 THEN 'reservation_refused'
    WHEN 22 THEN 'reservation_returned'
    WHEN 23 THEN 'reservation_paid_unfulfilled' WHEN 24 THEN 'reservation_amended'
    WHEN 25 THEN 'reservation_transferred' WHEN 26 THEN 'reservation_extended'
    WHEN 27 THEN 'hold_transferred' WHEN 32 THEN 'payment_begun' WHEN 33 THEN 'payment_failed'
    WHEN 34 THEN 'payment_unreachable' WHEN 35 THEN 'refund_due' WHEN 36 THEN 'refund_done'
    WHEN 37 THEN 'payment_refused' ELSE o.type END AS type,
  o.number, o.value, {} AS at
  FROM outbox o JOIN sale s ON s.handle = o.sale;
)sql",
                     instant("o.at"));
}

std::string locks_table_and_view() {
  return fmt::format(R"sql(
CREATE TABLE lock(
  name TEXT PRIMARY KEY,
  lease TEXT NOT NULL, token INTEGER NOT NULL, until INTEGER NOT NULL, length INTEGER NOT NULL, crc INTEGER NOT NULL
) WITHOUT ROWID;
CREATE VIEW locks AS SELECT name, lease, token, {} AS until FROM lock WHERE name <> '';
)sql",
                     instant("until"));
}

sqlite::Error from_errno(const char* what, const std::filesystem::path& path) {
  return {SQLITE_IOERR, fmt::format("{} {}: {}", what, path.string(), std::strerror(errno))};
}

constexpr const char* delivery_table =
    "CREATE TABLE delivery(id INTEGER PRIMARY KEY CHECK (id = 1), upto INTEGER NOT NULL, crc INTEGER NOT NULL);";

constexpr const char* past_tables = R"sql(
CREATE TABLE incarnation(
  first_sale INTEGER PRIMARY KEY, incarnation INTEGER NOT NULL, begun_at INTEGER NOT NULL, crc INTEGER NOT NULL
);
CREATE TABLE era(
  sale INTEGER NOT NULL, after_number INTEGER NOT NULL, after_sequence INTEGER NOT NULL, incarnation INTEGER NOT NULL,
  added_to_number INTEGER NOT NULL, added_to_sequence INTEGER NOT NULL, crc INTEGER NOT NULL,
  PRIMARY KEY(sale, after_number, after_sequence)
) WITHOUT ROWID;
CREATE TABLE loss(
  id INTEGER PRIMARY KEY,
  sale INTEGER NOT NULL, sale_id TEXT NOT NULL, incarnation INTEGER NOT NULL,
  number_from INTEGER NOT NULL, number_upto INTEGER NOT NULL,
  sequence_from INTEGER NOT NULL, sequence_upto INTEGER NOT NULL,
  witness TEXT NOT NULL, found_at INTEGER NOT NULL, settled_at INTEGER, settled_by TEXT, reason TEXT,
  crc INTEGER NOT NULL
);
)sql";

/// What version 5 adds to tables that are there. `DROP VIEW` because a view may show new columns.
std::string version_5() {
  std::string sql;
  for (const char* column : {"paused", "revision", "opening_changed", "opens_at_as_created", "limit_as_created",
                             "max_open_as_created", "extend_ms"}) {
    sql += fmt::format("ALTER TABLE sale ADD COLUMN {} INTEGER; ", column);
  }
  for (const char* column : {"extended", "returned"}) {
    sql += fmt::format("ALTER TABLE reservation ADD COLUMN {} INTEGER; ", column);
  }
  return sql + "DROP VIEW sales; DROP VIEW reservations; DROP VIEW events; " + sales_view() + reservations_view() +
         events_view();
}

void remove_leftovers(const std::filesystem::path& path) {
  for (const char* suffix : {"", "-journal", "-wal", "-shm"}) {
    std::error_code ignored;  // whatever it was, the opening that follows tells
    std::filesystem::remove(path.string() + suffix, ignored);
  }
}

sqlite::Result<void> fill(sqlite::Connection& connection, const StoreMeta& meta) {
  const std::string sql = fmt::format(
      "PRAGMA journal_mode = DELETE; PRAGMA synchronous = FULL; BEGIN; PRAGMA application_id = {}; "
      "PRAGMA user_version = {}; {} {} {} {} {} {} {}",
      application_id, schema_version, tables, sales_view(), reservations_view(), events_view(), locks_table_and_view(),
      delivery_table, past_tables);
  if (auto made = connection.execute(sql.c_str()); !made) return made;
  if (auto written = write_meta(connection, meta); !written) return written;
  if (auto committed = connection.execute("COMMIT"); !committed) return committed;
  const auto mode = connection.text("PRAGMA journal_mode = WAL");
  if (!mode) return std::unexpected(mode.error());
  if (*mode != "wal") return std::unexpected(sqlite::Error{SQLITE_ERROR, "the file system cannot hold a shared log"});
  return {};
}

}  // namespace

sqlite::Result<void> sync_path(const std::filesystem::path& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return std::unexpected(from_errno("cannot open", path));
  const int failed = ::fsync(fd);
  sqlite::Result<void> result;
  if (failed != 0) result = std::unexpected(from_errno("cannot sync", path));
  ::close(fd);
  return result;
}

sqlite::Result<void> upgrade_store(sqlite::Connection& connection) {
  const auto version = connection.integer("PRAGMA user_version");
  if (!version) return std::unexpected(version.error());
  if (*version == schema_version) return {};
  std::string sql = "BEGIN IMMEDIATE; ";
  if (*version < 2) sql += locks_table_and_view();
  if (*version < 3) sql += delivery_table;
  if (*version < 4) sql += past_tables;
  if (*version < 5) sql += version_5();
  if (*version < 6) sql += "ALTER TABLE sale ADD COLUMN settled INTEGER; ";
  sql += fmt::format(" PRAGMA user_version = {}; COMMIT", schema_version);
  return connection.execute(sql.c_str());
}

sqlite::Result<void> create_store(const std::filesystem::path& path, const StoreMeta& meta, const std::string& vfs) {
  const std::filesystem::path unfinished = path.string() + ".new";
  remove_leftovers(unfinished);
  {
    auto connection = sqlite::Connection::open(unfinished, sqlite::Access::create, vfs);
    if (!connection) return std::unexpected(std::move(connection.error()));
    if (auto filled = fill(*connection, meta); !filled) return filled;
  }
  if (auto synced = sync_path(unfinished); !synced) return synced;
  if (std::rename(unfinished.c_str(), path.c_str()) != 0) return std::unexpected(from_errno("cannot make", path));
  return sync_path(path.parent_path());
}

}  // namespace firstcome::engine
