// Sales and orders as they stand in the tables: making and reading them, without selling.
#pragma once

#include "engine/guarded/sql/sql_link.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace firstcome::engine {

/// All functions block and throw InventoryFailure. Not thread-safe.
class SqlShelf {
 public:
  /// Both must outlive it.
  SqlShelf(const GuardedOptions& options, SqlLink& link);

  SaleAnswer create(const SaleTerms& terms);
  std::optional<SaleView> sale(const std::string& id);
  std::vector<SaleView> sales(const std::string& after, std::uint32_t limit);
  std::vector<OrderRow> orders(SaleHandle sale, const std::optional<std::string>& customer, Number after,
                               std::uint32_t limit);
  std::optional<OrderRow> order(ReservationRef ref);
  std::vector<OrderRow> unpaid(SaleHandle sale, Instant before);
  /// Returns the condition by which `unpaid` selects from guarded_orders, without the word WHERE.
  static std::string where_unpaid(SaleHandle sale, Instant before);
  /// REQUIRES: no transaction is open.
  void keep_commit_times(std::span<const CommitTime> times);

 private:
  /// Returns the conflict with somebody who was quicker, who may have made one of this id.
  std::optional<InventoryFailure> insert(const SaleTerms& terms);
  std::vector<SaleView> select_sales(const std::string& where);
  std::vector<OrderRow> select_orders(const std::string& where);
  std::string literal(std::string_view text) const;

  SqlLink& link_;
  const GuardedOptions& options_;
};

}  // namespace firstcome::engine
