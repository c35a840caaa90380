// What one worker of a guarded engine does with an operation: the commands that there are, over its session.
#pragma once

#include "engine/guarded/guard.hpp"
#include "engine/guarded/guarded_options.hpp"
#include "engine/guarded/inventory.hpp"
#include "engine/guarded/known_sales.hpp"

#include <firstcome/command.hpp>

#include <expected>
#include <memory>
#include <optional>
#include <string>

namespace firstcome::engine {

/// Why an engine with this guard cannot sell by these terms, naming the member; nothing: it can.
std::optional<std::string> unsupported_member(const SaleTerms& terms, const GuardedOptions& options);

/// Not thread-safe: one for each worker.
class GuardedClerk {
 public:
  using Result = std::expected<Answer, Failure>;

  /// `session` may not be open yet. `parts` and `sales` are shared by the workers, and what they name outlives it.
  GuardedClerk(std::unique_ptr<InventorySession> session, const NodeParts& parts, KnownSales& sales)
      : session_(std::move(session)), options_(&parts.options), commits_(parts.commits), sales_(&sales) {}

  /// Opens the session. Throws InventoryFailure.
  StoreSecret open();
  /// The same, where the first command will do it if this cannot.
  void try_to_open();

  /// Blocks. Text in the answer is of the command, of `sales`, or its own.
  Result answer(const Command& command);
  /// What nobody asks for: ends holds whose time is over, and writes down when orders were committed. Blocks for a few
  /// of each. What fails is tried again the next time.
  void take_care();

 private:
  Result decide(const Reserve& command);
  Result decide(const GetReservation& command);
  Result decide(const ListReservations& command);
  Result decide(const CreateSale& command);
  Result decide(const GetSale& command);
  Result decide(const ListSales& command);
  Result decide(const AuditSale& command);
  Result decide(const BeginPayment& command);
  Result decide(const FinishPayment& command);
  Result decide(const FinishRefund& command);
  Result decide(const TakePaymentTasks& command);
  Result decide(const FindUndelivered& command);
  template <class Other>
  Result decide(const Other& command);

  void write_down_commits();
  void learn_sales();
  void end_holds();
  void end_holds_of(const GuardedSale& sale);
  ReserveAnswer with_holds(ReserveAnswer answer, const GuardedSale& sale);
  ReservationAnswer told(Outcome outcome, ReservationRef ref, const GuardedSale& sale);
  ReservationView view_of(const OrderRow& order, const GuardedSale& sale) const;
  const GuardedSale* known(std::string_view id);
  const GuardedSale* known(SaleHandle handle);
  std::vector<OrderRow> all_orders(SaleHandle sale);

  std::unique_ptr<InventorySession> session_;
  const GuardedOptions* options_;
  CommitTimes* commits_;
  KnownSales* sales_;
  bool open_ = false;
  bool learned_ = false;  ///< the sales that there were at the start
};

}  // namespace firstcome::engine
