// Writes units into `orders` and `payments`, inside a transaction of the caller's.
#pragma once

#include "events/orders/order_dialect.hpp"
#include "events/orders/order_rows.hpp"

#include <functional>
#include <map>
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
  /// `rows`: in one statement.
  OrderWriter(SqlSession& session, Instant now, std::size_t rows) : session_(session), now_(now), rows_(rows) {}

  /// Writes all or nothing. Supposes that whoever is confirmed has no order
  /// yet, which is nearly always so and costs the database least. Changes the order of
  /// the units. Throws SqlFailure; where the fault is not the database's, `write_all_but` finds out whose it is.
  void write_new(std::span<OrderUnit> units);
  /// Writes all but those that the database refuses, for their content or with an error that is not known, which it
  /// finds by halving; and those that contradict what is stored. Returns the ones that were left out. Throws SqlFailure
  /// of the database only.
  std::vector<Blamed> write_all_but(std::span<const OrderUnit> units);

 private:
  enum class Rows : std::uint8_t {
    are_new,       ///< plain INSERTs; one that is there is a failure
    may_be_there,  ///< what is there is changed, where the event is later
  };
  using Known = std::map<std::string, Order, std::less<>>;
  struct Contradiction {
    std::size_t index = 0;  ///< of the event in its unit
    std::string sentence;
  };

  template <typename Write>
  void in_statements(std::span<const OrderUnit> units, Write write);
  Known read_known(std::span<const OrderUnit> units);
  void write(std::span<const OrderUnit> units);
  void write_orders(std::span<const OrderUnit> units, Rows rows);
  void write_payments(std::span<const OrderUnit> units, Rows rows);
  std::optional<Contradiction> find_contradiction(const OrderUnit& unit) const;
  std::string_view customer_of(const OrderUnit& unit) const;
  void write_without_contradictions(std::span<const OrderUnit> units, std::vector<Blamed>& blamed);
  void blame_contradiction(const OrderUnit& unit, const Contradiction& wrong, std::vector<Blamed>& blamed);
  void halve(std::span<const OrderUnit> units, std::vector<Blamed>& blamed);
  std::optional<SqlFailure> try_to_write(std::span<const OrderUnit> units);
  void blame(const OrderUnit& unit, const SqlFailure& failure, std::vector<Blamed>& blamed);

  SqlSession& session_;
  const Instant now_;
  const std::size_t rows_;
  Known known_;  ///< orders that are there, of the units that are being written
};

}  // namespace firstcome::events
