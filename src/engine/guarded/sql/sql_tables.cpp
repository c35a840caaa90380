#include "engine/guarded/sql/sql_tables.hpp"

#include <fmt/args.h>
#include <fmt/format.h>
#include <openssl/rand.h>

#include <charconv>
#include <optional>

namespace firstcome::engine {
namespace {

constexpr std::string_view version = "3";
/// It had neither guarded_orders.payment_id and account_number nor an index of the orders that wait for payment.
constexpr std::string_view version_before = "2";
/// It had neither guarded_commits nor guarded_sales.max_open.
constexpr std::string_view first_version = "1";

struct Types {
  std::string_view identity;    ///< a number that the database gives, never twice
  std::string_view text;        ///< of 128 bytes, compared byte for byte
  std::string_view name;        ///< of 200 characters
  std::string_view end;         ///< of a table
  std::string_view stock_end;   ///< of the table whose rows are written again and again
  std::string_view with_a_key;  ///< of the index of orders that have a key
  std::string_view unpaid;      ///< of the index of orders that wait for payment: of them alone, or among all
};

const Types& types_of(DatabaseUrl::Kind kind) {
  static constexpr Types postgresql{.identity = "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
                                    .text = "text COLLATE \"C\"",
                                    .name = "text",
                                    .end = "",
                                    // So that a new version of a row fits beside the old one, and no index is touched.
                                    .stock_end = " WITH (fillfactor = 50)",
                                    .with_a_key = " WHERE key_hash IS NOT NULL",
                                    .unpaid = "(sale, number) WHERE paid = 0"};
  static constexpr Types mariadb{
      .identity = "BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY",
      .text = "VARCHAR(128)",
      .name = "VARCHAR(200)",
      .end = " ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin",
      .stock_end = " ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin",
      .with_a_key = "",
      .unpaid = "(sale, paid, number)"};
  static constexpr Types sqlite{.identity = "INTEGER PRIMARY KEY AUTOINCREMENT",
                                .text = "TEXT",
                                .name = "TEXT",
                                .end = "",
                                .stock_end = "",
                                .with_a_key = " WHERE key_hash IS NOT NULL",
                                .unpaid = "(sale, number) WHERE paid = 0"};
  switch (kind) {
    case DatabaseUrl::Kind::postgresql:
      return postgresql;
    case DatabaseUrl::Kind::mariadb:
      return mariadb;
    case DatabaseUrl::Kind::sqlite:
      break;
  }
  return sqlite;
}

// Instants are since 1970 UTC, in the unit that the name ends with.
constexpr std::string_view statements[] = {
    "CREATE TABLE IF NOT EXISTS guarded_meta (name VARCHAR(32) NOT NULL PRIMARY KEY, value VARCHAR(64) NOT NULL){end}",
    "CREATE TABLE IF NOT EXISTS guarded_sales (handle {identity}, id VARCHAR(64) NOT NULL UNIQUE, name {name} NOT NULL,"
    " kind SMALLINT NOT NULL, stock BIGINT NOT NULL, unit_price BIGINT NOT NULL, currency VARCHAR(3) NOT NULL,"
    " limit_per_customer BIGINT, hold_ms BIGINT NOT NULL, payment SMALLINT NOT NULL, max_open BIGINT){end}",
    "CREATE TABLE IF NOT EXISTS guarded_stock (sale BIGINT NOT NULL PRIMARY KEY, available BIGINT NOT NULL,"
    " version BIGINT NOT NULL, fence BIGINT NOT NULL){stock_end}",
    "CREATE TABLE IF NOT EXISTS guarded_orders (number {identity}, sale BIGINT NOT NULL, customer {text} NOT NULL,"
    " quantity BIGINT NOT NULL, reference {text} NOT NULL, key_hash CHAR(32), paid SMALLINT NOT NULL,"
    " sold_at_ms BIGINT NOT NULL, node {text} NOT NULL, seen_available BIGINT NOT NULL, read_at_us BIGINT NOT NULL,"
    " written_at_us BIGINT NOT NULL, payment_id {text}, account_number {text}){end}",
    "CREATE INDEX IF NOT EXISTS guarded_orders_by_customer ON guarded_orders (sale, customer)",
    "CREATE UNIQUE INDEX IF NOT EXISTS guarded_orders_by_key ON guarded_orders (sale, key_hash){with_a_key}",
    "CREATE INDEX IF NOT EXISTS guarded_orders_unpaid ON guarded_orders {unpaid}",
    "CREATE TABLE IF NOT EXISTS guarded_units (sale BIGINT NOT NULL, unit BIGINT NOT NULL, PRIMARY KEY (sale, unit))"
    "{end}",
    "CREATE TABLE IF NOT EXISTS guarded_free_units (sale BIGINT NOT NULL, unit BIGINT NOT NULL, freed_at_us BIGINT NOT "
    "NULL, PRIMARY KEY (sale, unit)){end}",
    "CREATE TABLE IF NOT EXISTS guarded_commits (sale BIGINT NOT NULL, number BIGINT NOT NULL, committed_at_us BIGINT"
    " NOT NULL, PRIMARY KEY (sale, number)){end}",
    "CREATE TABLE IF NOT EXISTS guarded_buyers (sale BIGINT NOT NULL, customer {text} NOT NULL, nth BIGINT NOT NULL,"
    " PRIMARY KEY (sale, customer, nth)){end}",
};

/// What one-statement calls on MariaDB. It answers the columns of SqlBook's query, the order's number and its time.
/// Its name ends with the number of what it is: another one is another procedure.
constexpr std::string_view procedure = R"(CREATE PROCEDURE IF NOT EXISTS guarded_buy_2(
  p_sale BIGINT, p_customer {text}, p_quantity BIGINT, p_reference {text}, p_key CHAR(32) CHARACTER SET utf8mb4
  COLLATE utf8mb4_nopad_bin, p_paid SMALLINT, p_node {text}, p_read_at_us BIGINT, p_limit BIGINT)
BEGIN
  DECLARE v_number, v_at_us BIGINT DEFAULT NULL;
  DECLARE EXIT HANDLER FOR SQLEXCEPTION BEGIN ROLLBACK; RESIGNAL; END;
  IF p_key IS NULL OR NOT EXISTS (SELECT 1 FROM guarded_orders WHERE sale = p_sale AND key_hash = p_key) THEN
    START TRANSACTION;
    UPDATE guarded_stock SET available = available - p_quantity, version = version + 1
      WHERE sale = p_sale AND available >= p_quantity;
    IF ROW_COUNT() = 1 THEN
      SET v_at_us = CAST(UNIX_TIMESTAMP(SYSDATE(6)) * 1000000 AS SIGNED);
      INSERT INTO guarded_orders (sale, customer, quantity, reference, key_hash, paid, sold_at_ms, node,
          seen_available, read_at_us, written_at_us)
        SELECT p_sale, p_customer, p_quantity, p_reference, p_key, p_paid, v_at_us DIV 1000, p_node,
          (SELECT available FROM guarded_stock WHERE sale = p_sale) + p_quantity, p_read_at_us, v_at_us
        FROM DUAL WHERE p_limit IS NULL OR (SELECT COALESCE(SUM(quantity), 0) FROM guarded_orders
          WHERE sale = p_sale AND customer = p_customer AND paid < 2) <= p_limit - p_quantity;
      IF ROW_COUNT() = 1 THEN SET v_number = LAST_INSERT_ID(); END IF;
    END IF;
    IF v_number IS NULL THEN ROLLBACK; ELSE COMMIT; END IF;
  END IF;
  IF v_number IS NOT NULL THEN
    SELECT 0, 0, 0, NULL, NULL, NULL, NULL, NULL, 0, NULL, NULL, v_number, v_at_us DIV 1000;
  ELSE
    SELECT s.available, s.version, IF(p_limit IS NULL, 0, (SELECT COALESCE(SUM(o.quantity), 0) FROM guarded_orders o
        WHERE o.sale = p_sale AND o.customer = p_customer AND o.paid < 2)), k.number, k.quantity, k.sold_at_ms, k.reference, k.paid,
        0, k.payment_id, k.account_number, NULL, NULL
      FROM guarded_stock s LEFT JOIN guarded_orders k ON k.sale = s.sale AND k.key_hash = p_key WHERE s.sale = p_sale;
  END IF;
END)";

std::string hex_of(const StoreSecret& secret) {
  std::string text;
  for (const std::uint8_t byte : secret) text += fmt::format("{:02x}", byte);
  return text;
}

std::optional<StoreSecret> secret_in(std::string_view text) {
  StoreSecret secret{};
  if (text.size() != 2 * secret.size()) return std::nullopt;
  for (std::size_t i = 0; i < secret.size(); ++i) {
    const char* const end = text.data() + 2 * i + 2;
    if (std::from_chars(end - 2, end, secret[i], 16).ptr != end) return std::nullopt;
  }
  return secret;
}

std::string random_secret() {
  StoreSecret secret;
  if (RAND_bytes(secret.data(), static_cast<int>(secret.size())) != 1) {
    throw InventoryFailure{.sentence = "no random numbers"};
  }
  return hex_of(secret);
}

bool has_meta(SqlSession& session) {
  return session.ask_number(fmt::format(fmt::runtime(session.dialect().count_tables()), "'guarded_meta'")) != 0;
}

/// What the tables hold by a name; empty: nothing.
std::string meta(SqlSession& session, std::string_view name) {
  const auto rows = session.ask(fmt::format("SELECT value FROM guarded_meta WHERE name = '{}'", name), 1);
  return rows.empty() ? "" : rows[0][0].value_or("");
}

/// MariaDB commits each change of a table by itself, so it may be there already: of somebody who died, and wrote no
/// version down. SQLite cannot be told that, and need not be. `found`: empty, where that was so.
void bring_up(SqlSession& session, std::string_view found) {
  const std::string_view text = types_of(session.dialect().kind()).text;
  const std::string_view unless_there = session.dialect().kind() == DatabaseUrl::Kind::sqlite ? "" : " IF NOT EXISTS";
  const auto add = [&](std::string_view table, std::string_view column, std::string_view type) {
    session.run(fmt::format("ALTER TABLE {} ADD COLUMN{} {} {}", table, unless_there, column, type));
  };
  if (found != version_before) add("guarded_sales", "max_open", "BIGINT");
  add("guarded_orders", "payment_id", text);
  add("guarded_orders", "account_number", text);
}

void make(SqlSession& session, std::string_view found) {
  const Types& types = types_of(session.dialect().kind());
  for (const std::string_view statement : statements) {
    session.run(fmt::format(fmt::runtime(statement), fmt::arg("identity", types.identity), fmt::arg("text", types.text),
                            fmt::arg("name", types.name), fmt::arg("end", types.end),
                            fmt::arg("stock_end", types.stock_end), fmt::arg("with_a_key", types.with_a_key),
                            fmt::arg("unpaid", types.unpaid)));
  }
  const bool may_be_half_made = session.dialect().kind() == DatabaseUrl::Kind::mariadb;
  if (!found.empty() || may_be_half_made) bring_up(session, found);
  // The version last: without it the tables are in the making, by somebody who died.
  if (meta(session, "secret").empty()) {
    session.run(fmt::format("INSERT INTO guarded_meta (name, value) VALUES ('secret', '{}')", random_secret()));
  }
  session.run("DELETE FROM guarded_meta WHERE name = 'version'");
  session.run(fmt::format("INSERT INTO guarded_meta (name, value) VALUES ('version', '{}')", version));
}

/// The version that the tables are of; empty: they are not there, or in the making.
std::string version_of(SqlSession& session) { return has_meta(session) ? meta(session, "version") : ""; }

bool is_to_be_made(std::string_view found) {
  return found.empty() || found == version_before || found == first_version;
}

void make_where_missing(SqlSession& session) {
  if (!is_to_be_made(version_of(session))) return;
  SqlTransaction transaction(session);
  const SqlDialect& dialect = session.dialect();
  if (!dialect.lock_schema().empty() && session.ask_number(std::string(dialect.lock_schema())) != 1) {
    throw SqlFailure::database(SqlTrouble::overloaded, "somebody else is changing its tables");
  }
  // Again: another one may have made them meanwhile.
  if (const std::string found = version_of(session); is_to_be_made(found)) make(session, found);
  transaction.commit();
  if (!dialect.unlock_schema().empty()) session.ask_number(std::string(dialect.unlock_schema()));
}

}  // namespace

StoreSecret open_tables(SqlLink& link, Procedures procedures) {
  try {
    SqlSession& session = link.session();
    make_where_missing(session);
    if (procedures == Procedures::needed && session.dialect().kind() == DatabaseUrl::Kind::mariadb) {
      session.run(fmt::format(fmt::runtime(procedure),
                              fmt::arg("text", "VARCHAR(128) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin")));
    }
    if (const std::string found = meta(session, "version"); found != version) {
      throw SqlFailure::database(SqlTrouble::schema, "its guarded tables are of version " + found +
                                                         ", made by another firstcome; give it a database of its own");
    }
    if (const auto secret = secret_in(meta(session, "secret"))) return *secret;
    throw SqlFailure::database(SqlTrouble::schema, "its guarded_meta has lost the secret");
  } catch (const SqlFailure& failure) {
    InventoryFailure told = link.told(failure);
    told.kind = InventoryFailure::Kind::unavailable;
    link.drop();
    throw told;
  } catch (...) {
    link.drop();  // and what keeps others away from the schema
    throw;
  }
}

}  // namespace firstcome::engine
