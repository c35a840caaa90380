// What one worker of a guarded engine does with an operation: the commands that there are, over its session.
#pragma once

#include "engine/guarded/guarded_options.hpp"
#include "engine/guarded/inventory.hpp"
#include "engine/guarded/known_sales.hpp"

#include <firstcome/command.hpp>

#include <expected>
#include <memory>
#include <optional>
#include <string>

namespace firstcome::engine {

/// Why a guarded engine cannot sell by these terms, naming the member; nothing: it can.
std::optional<std::string> unsupported_member(const SaleTerms& terms);

/// Not thread-safe: one for each worker.
class GuardedClerk {
 public:
  using Result = std::expected<Answer, Failure>;

  /// `session` may not be open yet. `sales` is shared by the workers, and outlives it.
  GuardedClerk(std::unique_ptr<InventorySession> session, KnownSales& sales)
      : session_(std::move(session)), sales_(&sales) {}

  /// Opens the session. Throws InventoryFailure.
  StoreSecret open();
  /// The same, where the first command will do it if this cannot.
  void try_to_open();

  /// Blocks. Text in the answer is of the command, of `sales`, or its own.
  Result answer(const Command& command);

 private:
  Result decide(const Reserve& command);
  Result decide(const GetReservation& command);
  Result decide(const ListReservations& command);
  Result decide(const CreateSale& command);
  Result decide(const GetSale& command);
  Result decide(const ListSales& command);
  Result decide(const AuditSale& command);
  Result decide(const TakePaymentTasks& command);
  Result decide(const FindUndelivered& command);
  template <class Other>
  Result decide(const Other& command);

  const GuardedSale* known(std::string_view id);
  const GuardedSale* known(SaleHandle handle);
  std::vector<OrderRow> all_orders(SaleHandle sale);

  std::unique_ptr<InventorySession> session_;
  KnownSales* sales_;
  bool open_ = false;
};

}  // namespace firstcome::engine
