// The tables of the order database, by version. docs/orders.md says what they hold.
#pragma once

#include "events/orders/order_dialect.hpp"

#include <span>

namespace firstcome::events {

/// What brings the tables from one version to the next: statements with the placeholders of `OrderDialect::Types`.
using SchemaStep = std::vector<std::string_view>;

/// From version 0, no tables, on. Never changed once it was released: a change is one more step.
std::span<const SchemaStep> order_schema();

/// Makes the tables, or brings them up to date. Two at once wait for each other. Throws SqlFailure: of kind schema
/// where they are of a later version than `steps` lead to, or other tables have their names; then nothing was touched.
void make_tables(SqlSession& session, std::span<const SchemaStep> steps);
/// Throws SqlFailure of kind schema where the tables are not of the version that `steps` lead to.
void expect_tables(SqlSession& session, std::span<const SchemaStep> steps);

}  // namespace firstcome::events
