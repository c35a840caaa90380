// Writes units into `orders` and `payments`, inside a transaction of the caller's.
#pragma once

#include "events/orders/order_dialect.hpp"
#include "events/orders/order_rows.hpp"

#include <string>
#include <vector>

namespace firstcome::events {

/// An event that the database refuses. Those of its unit before it are stored, those behind it are not.
struct Blamed {
  const OrderUnit* unit = nullptr;
  std::size_t index = 0;  ///< of the event in the unit
  std::string error;
};

/// Not thread-safe.
class OrderWriter {
 public:
  OrderWriter(SqlSession& session, Instant now) : session_(session), now_(now) {}

  /// All or nothing; statements of `order_batch_rows` rows. Throws SqlFailure.
  void write(std::span<const OrderUnit> units);
  /// All but those that the database refuses, which it finds by halving and returns: for their content, or with an
  /// error that is not known. Throws SqlFailure of the database only.
  std::vector<Blamed> write_all_but(std::span<const OrderUnit> units);

 private:
  void write_orders(std::span<const OrderUnit> units);
  void write_payments(std::span<const OrderUnit> units);
  void halve(std::span<const OrderUnit> units, std::vector<Blamed>& blamed);
  std::optional<SqlFailure> try_to_write(std::span<const OrderUnit> units);
  void blame(const OrderUnit& unit, const SqlFailure& failure, std::vector<Blamed>& blamed);

  SqlSession& session_;
  const Instant now_;
};

}  // namespace firstcome::events
