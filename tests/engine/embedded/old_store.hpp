// A store that an earlier release has written: the dump of its file, sums and all.
#pragma once

#include "engine/embedded/schema.hpp"
#include "engine/embedded/sqlite.hpp"

#include <filesystem>
#include <string>

namespace firstcome::test {

/// Schema 3. One sale `s`, created with a stock of 4, which is 5 now, and with no end, which it has now. Number 1,
/// three units of ann, is paid; number 2, two units of bob, is held for a week; cid has left the line, and dan waits.
inline constexpr const char* store_of_schema_3 = R"sql(
CREATE TABLE delivery(id INTEGER PRIMARY KEY CHECK (id = 1), upto INTEGER NOT NULL, crc INTEGER NOT NULL);
CREATE TABLE lock(
  name TEXT PRIMARY KEY,
  lease TEXT NOT NULL, token INTEGER NOT NULL, until INTEGER NOT NULL, length INTEGER NOT NULL, crc INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE meta(
  id INTEGER PRIMARY KEY CHECK (id = 1),
  store_id BLOB NOT NULL, secret BLOB NOT NULL, created_at INTEGER NOT NULL, now INTEGER NOT NULL,
     crc INTEGER NOT NULL
);
INSERT INTO meta
  VALUES(1,X'0102030405060708090A0B0C0D0E0F10',
    X'030A11181F262D343B424950575E656C737A81888F969DA4ABB2B9C0C7CED5DC',1789999940000,1789999940000,-2035368195);
CREATE TABLE outbox(
  seq INTEGER PRIMARY KEY,
  sale INTEGER NOT NULL, sale_seq INTEGER NOT NULL, type INTEGER NOT NULL, number INTEGER, at INTEGER NOT NULL,
  value INTEGER, crc INTEGER NOT NULL
);
INSERT INTO outbox
  VALUES(1,1,1,1,NULL,1789999941000,NULL,294388683);
INSERT INTO outbox
  VALUES(2,1,2,17,1,1789999942000,NULL,1809508078);
INSERT INTO outbox
  VALUES(3,1,3,18,1,1789999943000,NULL,2087398455);
INSERT INTO outbox
  VALUES(4,1,4,2,NULL,1789999944000,5,1425980429);
INSERT INTO outbox
  VALUES(5,1,5,17,2,1789999945000,NULL,1583649269);
INSERT INTO outbox
  VALUES(6,1,6,16,3,1789999946000,NULL,1062219236);
INSERT INTO outbox
  VALUES(7,1,7,16,4,1789999947000,NULL,-1452054294);
INSERT INTO outbox
  VALUES(8,1,8,19,3,1789999948000,NULL,-755931950);
CREATE TABLE reservation(
  id INTEGER PRIMARY KEY,
  customer TEXT NOT NULL, quantity INTEGER, state INTEGER NOT NULL, reason INTEGER, refund INTEGER,
  created_at INTEGER NOT NULL, expires_at INTEGER, claimed_at INTEGER, position INTEGER, previous INTEGER, key BLOB,
  reference TEXT, payment_id TEXT, account_number TEXT, crc INTEGER NOT NULL
);
INSERT INTO reservation
  VALUES(1099511627777,'ann',3,3,NULL,NULL,1789999941000,1790604741000,NULL,NULL,NULL,
    X'05000000000000000600000000000000','order-7','p-1',NULL,616057700);
INSERT INTO reservation
  VALUES(1099511627778,'bob',2,2,NULL,NULL,1789999942000,1790604742000,NULL,NULL,NULL,NULL,NULL,NULL,NULL,
    -1088177399);
INSERT INTO reservation
  VALUES(1099511627779,'cid',NULL,4,NULL,NULL,1789999943000,NULL,NULL,1,NULL,NULL,NULL,NULL,NULL,29078519);
INSERT INTO reservation
  VALUES(1099511627780,'dan',NULL,1,NULL,NULL,1789999944000,NULL,NULL,2,NULL,NULL,NULL,NULL,NULL,-669822185);
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
  crc INTEGER NOT NULL
);
INSERT INTO sale
  VALUES(1,'s','Old sale',0,5,100,'KRW',4,3,604800000,NULL,8101390340000,NULL,NULL,1,0,1789999940000,NULL,0,2,3,
    4,3,0,0,0,8,4,1,NULL,1789999949000,NULL,-394681451);
CREATE VIEW sales AS SELECT id, name,
  CASE kind WHEN 0 THEN 'product' WHEN 1 THEN 'ticket' ELSE 'coupon' END AS kind,
  stock, available, held, sold, last_number, serving, unit_price, currency, limit_per_customer, max_open, hold_ms,
  strftime('%Y-%m-%dT%H:%M:%S', opens_at / 1000, 'unixepoch') ||
    printf('.%03dZ', opens_at % 1000) AS opens_at,
  strftime('%Y-%m-%dT%H:%M:%S', closes_at / 1000, 'unixepoch') ||
    printf('.%03dZ', closes_at % 1000) AS closes_at,
  strftime('%Y-%m-%dT%H:%M:%S', closed_at / 1000, 'unixepoch') ||
    printf('.%03dZ', closed_at % 1000) AS closed_at, admit_per_tick, tick_ms, standby,
  CASE payment WHEN 0 THEN 'client' ELSE 'auto' END AS payment,
  strftime('%Y-%m-%dT%H:%M:%S', created_at / 1000, 'unixepoch') ||
    printf('.%03dZ', created_at % 1000) AS created_at, handle
  FROM sale WHERE deleted IS NULL;
CREATE VIEW reservations AS SELECT s.id AS sale, r.id & 1099511627775 AS number, r.customer,
  ifnull(r.quantity, 1) AS quantity,
  CASE WHEN r.state = 1 AND (r.id & 1099511627775) <= max(s.sold_out_upto, s.closed_upto) THEN 'refused'
    ELSE CASE r.state WHEN 1 THEN 'queued' WHEN 2 THEN 'held' WHEN 3 THEN 'confirmed' WHEN 4 THEN 'cancelled'
      WHEN 5 THEN 'expired' WHEN 6 THEN 'refused' WHEN 7 THEN 'paid_unfulfilled' WHEN 8 THEN 'returned' END
  END AS state,
  CASE WHEN r.state = 1 AND (r.id & 1099511627775) <= s.sold_out_upto THEN 'sold-out'
    WHEN r.state = 1 AND (r.id & 1099511627775) <= s.closed_upto THEN 'sale-closed'
    ELSE CASE r.reason WHEN 1 THEN 'payment-failed' WHEN 2 THEN 'by-customer' WHEN 3 THEN 'sold-out'
      WHEN 4 THEN 'sale-closed' END
  END AS reason,
  CASE r.refund WHEN 1 THEN 'due' WHEN 2 THEN 'done' END AS refund,
  ifnull(r.quantity, 1) * s.unit_price AS amount, s.currency,
  strftime('%Y-%m-%dT%H:%M:%S', r.created_at / 1000, 'unixepoch') ||
    printf('.%03dZ', r.created_at % 1000) AS created_at,
  strftime('%Y-%m-%dT%H:%M:%S', r.expires_at / 1000, 'unixepoch') ||
    printf('.%03dZ', r.expires_at % 1000) AS expires_at, r.reference, r.payment_id, r.account_number
  FROM reservation r JOIN sale s ON s.handle = r.id >> 40;
CREATE VIEW events AS SELECT o.seq, s.id AS sale, o.sale_seq,
  CASE o.type WHEN 1 THEN 'sale_created' WHEN 2 THEN 'stock_changed' WHEN 3 THEN 'sale_changed'
    WHEN 4 THEN 'sale_closed' WHEN 5 THEN 'waiting_refused' WHEN 16 THEN 'reservation_queued'
    WHEN 17 THEN 'reservation_held' WHEN 18 THEN 'reservation_confirmed' WHEN 19 THEN 'reservation_cancelled'
    WHEN 20 THEN 'reservation_expired' WHEN 21 THEN 'reservation_refused' WHEN 22 THEN 'reservation_returned'
    WHEN 23 THEN 'reservation_paid_unfulfilled' WHEN 32 THEN 'payment_begun' WHEN 33 THEN 'payment_failed'
    WHEN 34 THEN 'payment_unreachable' WHEN 35 THEN 'refund_due' WHEN 36 THEN 'refund_done' ELSE o.type END AS type,
  o.number, o.value,
  strftime('%Y-%m-%dT%H:%M:%S', o.at / 1000, 'unixepoch') ||
    printf('.%03dZ', o.at % 1000) AS at
  FROM outbox o JOIN sale s ON s.handle = o.sale;
CREATE VIEW locks AS SELECT name, lease, token,
  strftime('%Y-%m-%dT%H:%M:%S', until / 1000, 'unixepoch') ||
    printf('.%03dZ', until % 1000) AS until FROM lock WHERE name <> '';
)sql";

/// Writes it as a release with that schema has left it.
inline void write_old_store(const std::filesystem::path& file, int version) {
  std::filesystem::remove(file);
  auto connection = engine::sqlite::Connection::open(file, engine::sqlite::Access::create, "").value();
  std::string sql = store_of_schema_3;
  if (version < 3) sql += "DROP TABLE delivery;";
  if (version < 2) sql += "DROP VIEW locks; DROP TABLE lock;";
  sql += "PRAGMA application_id = " + std::to_string(engine::application_id) + ";";
  sql += "PRAGMA user_version = " + std::to_string(version) + "; PRAGMA journal_mode = WAL;";
  connection.execute(sql.c_str()).value();
}

}  // namespace firstcome::test
