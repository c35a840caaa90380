#include "events/orders/order_schema.hpp"

#include "events/orders/order_store.hpp"

#include <fmt/args.h>
#include <fmt/format.h>

#include <array>

namespace firstcome::events {
namespace {

constexpr int no_tables = -1;

// Instants are milliseconds since 1970 UTC. `number` and `sequence` are unique in a sale, but an id of a sale may be
// used again once it was deleted: so there is no unique key on them.
const SchemaStep& version_1() {
  static const SchemaStep step{
      "CREATE TABLE{if_not_exists} orders ("
      " reservation {id} NOT NULL PRIMARY KEY, sale {id} NOT NULL, number BIGINT NOT NULL, customer {text} NOT NULL,"
      " quantity BIGINT NOT NULL, amount BIGINT NOT NULL, currency VARCHAR(3) NOT NULL, reference {text},"
      " state VARCHAR(16) NOT NULL CHECK (state IN ('confirmed', 'returned')), sequence BIGINT NOT NULL,"
      " confirmed_at BIGINT, updated_at BIGINT NOT NULL, stored_at BIGINT NOT NULL){table_end}",
      "CREATE INDEX{if_not_exists} orders_by_customer ON orders (customer, reservation)",
      "CREATE INDEX{if_not_exists} orders_by_number ON orders (sale, number)",
      "CREATE TABLE{if_not_exists} payments ("
      " reservation {id} NOT NULL PRIMARY KEY, sale {id} NOT NULL, customer {text} NOT NULL, payment_id {text} NOT "
      "NULL,"
      " account_number {text}, amount BIGINT NOT NULL, currency VARCHAR(3) NOT NULL,"
      " state VARCHAR(16) NOT NULL CHECK (state IN ('charged', 'refund_due', 'refunded')), sequence BIGINT NOT NULL,"
      " updated_at BIGINT NOT NULL){table_end}",
      "CREATE TABLE{if_not_exists} failed_events ("
      " event_id {event_id} NOT NULL, reservation {id} NOT NULL, sale {id} NOT NULL, sequence BIGINT NOT NULL,"
      " type VARCHAR(64) NOT NULL, body {long_text} NOT NULL, body_form VARCHAR(8) NOT NULL, error {long_text} NOT "
      "NULL,"
      " attempts BIGINT NOT NULL, first_failed_at BIGINT NOT NULL, last_failed_at BIGINT NOT NULL,"
      " next_try_at BIGINT NOT NULL, source {event_id} NOT NULL, PRIMARY KEY (event_id, reservation)){table_end}",
      "CREATE INDEX{if_not_exists} failed_events_by_reservation ON failed_events (reservation, sequence)",
      "CREATE INDEX{if_not_exists} failed_events_by_next_try ON failed_events (next_try_at)",
      "CREATE TABLE{if_not_exists} discarded_events ("
      " event_id {event_id} NOT NULL, reservation {id} NOT NULL, sale {id} NOT NULL, sequence BIGINT NOT NULL,"
      " type VARCHAR(64) NOT NULL, body {long_text} NOT NULL, body_form VARCHAR(8) NOT NULL, error {long_text} NOT "
      "NULL,"
      " attempts BIGINT NOT NULL, first_failed_at BIGINT NOT NULL, source {event_id} NOT NULL,"
      " reason {long_text} NOT NULL, discarded_by {event_id} NOT NULL, discarded_at BIGINT NOT NULL,"
      " PRIMARY KEY (event_id, reservation)){table_end}",
  };
  return step;
}

// What the database was told of each sale, and orders of which an operator has said that they are dealt with.
const SchemaStep& version_2() {
  static const SchemaStep step{
      "CREATE TABLE{if_not_exists} firstcome_told ("
      " sale {id} NOT NULL, handle BIGINT NOT NULL, incarnation BIGINT NOT NULL, reservation {id} NOT NULL,"
      " number BIGINT NOT NULL, sequence BIGINT NOT NULL, PRIMARY KEY (sale, handle, incarnation)){table_end}",
      "CREATE TABLE{if_not_exists} firstcome_settled ("
      " reservation {id} NOT NULL PRIMARY KEY, settled_by {text} NOT NULL, reason {long_text} NOT NULL,"
      " settled_at BIGINT NOT NULL){table_end}",
  };
  return step;
}

constexpr std::string_view other_tables = "'orders', 'payments', 'failed_events', 'discarded_events'";

std::uint64_t tables_named(SqlSession& session, std::string_view names) {
  return session.ask_number(fmt::format(fmt::runtime(session.dialect().count_tables()), names));
}

int version_of(SqlSession& session) {
  if (tables_named(session, "'firstcome_schema'") == 0) return no_tables;
  // Without a row it is in the making, by somebody who died.
  return static_cast<int>(session.ask_number("SELECT version FROM firstcome_schema"));
}

std::string filled_in(std::string_view statement, const OrderDialect::Types& types) {
  return fmt::format(fmt::runtime(statement), fmt::arg("id", types.id), fmt::arg("text", types.text),
                     fmt::arg("event_id", types.event_id), fmt::arg("long_text", types.long_text),
                     fmt::arg("table_end", types.table_end), fmt::arg("if_not_exists", types.if_not_exists));
}

void refuse_if_newer(int version, int latest) {
  if (version <= latest) return;
  throw SqlFailure::database(
      Trouble::Kind::schema,
      fmt::format("its tables are of version {}, made by a later firstcome; this one knows up to {}", version, latest));
}

void make_version_table(SqlSession& session) {
  if (tables_named(session, other_tables) != 0) {
    throw SqlFailure::database(Trouble::Kind::schema,
                               "it has tables named orders, payments, failed_events or discarded_events that firstcome "
                               "did not make; give it a database or a schema of its own");
  }
  session.run("CREATE TABLE firstcome_schema (version INTEGER NOT NULL)");
}

void bring_up_to_date(SqlSession& session, std::span<const SchemaStep> steps) {
  int version = version_of(session);  // again: another one may have done it meanwhile
  refuse_if_newer(version, static_cast<int>(steps.size()));
  if (version == no_tables) {
    make_version_table(session);
    version = 0;
  }
  for (; version < static_cast<int>(steps.size()); ++version) {
    for (const std::string_view statement : steps[static_cast<std::size_t>(version)]) {
      session.run(filled_in(statement, order_dialect_of(session).types()));
    }
    session.run("DELETE FROM firstcome_schema");
    session.run(fmt::format("INSERT INTO firstcome_schema (version) VALUES ({})", version + 1));
  }
}

}  // namespace

std::span<const SchemaStep> order_schema() {
  static const std::array steps{version_1(), version_2()};
  return steps;
}

void make_tables(SqlSession& session, std::span<const SchemaStep> steps) {
  const int latest = static_cast<int>(steps.size());
  const int version = version_of(session);
  refuse_if_newer(version, latest);
  if (version == latest) return;
  SqlTransaction transaction(session);
  const engine::SqlDialect& dialect = session.dialect();
  if (!dialect.lock_schema().empty() && session.ask_number(std::string(dialect.lock_schema())) != 1) {
    throw SqlFailure::database(Trouble::Kind::busy, "somebody else is changing its tables");
  }
  bring_up_to_date(session, steps);
  transaction.commit();
  if (!dialect.unlock_schema().empty()) session.ask_number(std::string(dialect.unlock_schema()));
}

void expect_tables(SqlSession& session, std::span<const SchemaStep> steps) {
  const int latest = static_cast<int>(steps.size());
  const int version = version_of(session);
  refuse_if_newer(version, latest);
  if (version == latest) return;
  throw SqlFailure::database(Trouble::Kind::schema,
                             version == no_tables ? "it has no tables of firstcome"
                                                  : "its tables are of an earlier version; start the order service");
}

}  // namespace firstcome::events
