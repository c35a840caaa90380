// The tables of a guarded inventory, and the store's secret in them.
//
//     guarded_sales       the terms, one row for each sale
//     guarded_stock       available, version (counts what was written), fence (the highest token that has written)
//     guarded_orders      one row for each order, with what its seller had read and when
//     guarded_units       of unique-key: a row for each unit that was ever sold, and one of number 0
//     guarded_free_units  of unique-key: those of them that came back
//     guarded_buyers      of unique-key: a row for each order that a customer with a limit has ever made
//     guarded_commits     when sellers heard of their commits, for telling how a sale was oversold
//     guarded_meta        the secret
//
// Nothing is shared by sales but the next number of an order, which no transaction holds; and no foreign key leads from
// an order to the stock, which would lock the stock's row.
#pragma once

#include "engine/guarded/sql/sql_link.hpp"

#include <cstdint>

namespace firstcome::engine {

/// Whether one-statement is to be sold by, for which MariaDB keeps a procedure (guarded_buy_2).
enum class Procedures : std::uint8_t { none, needed };

/// Makes what is missing; nodes that come at once wait for each other. Throws InventoryFailure.
StoreSecret open_tables(SqlLink& link, Procedures procedures);

}  // namespace firstcome::engine
