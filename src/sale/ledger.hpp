// The ledger: the single definition of who gets which unit.
//
// A synchronous, deterministic state machine. It never reads a clock, draws a random number or does I/O: the same
// commands with the same instants give the same answers and the same changes, always.
//
// Every `apply` first does what is due in that sale, in order of time: ends of holds, then opening and closing, then
// ticks, each followed by the grants it allows; then the command. What it changed is in `changes()` until
// `clear_changes`.
//
// Invariants, asserted in release too:
//   available + held + sold == stock, none negative
//   numbers rise by one; grants are made in number order; while someone waits, a newcomer waits behind
//   a customer's queued + held + confirmed units never exceed limit_per_customer
//   holds end in the order in which they began, so the next to expire is found by a cursor over the numbers, and so is
//   the head of the queue (both rest on: `hold` never changes, time does not run back). The exceptions are kept apart:
//   holds that were prolonged in a heap; those that outlive their end while they are being charged behind the cursor,
//   where a second one finds them, for they too end in the order of numbers
//
// Cost: O(1) amortised a command, a position O(queue / 4096). Memory per reservation stays under 130 bytes with
// 16-byte customers. Not thread-safe.
#pragma once

#include "sale/changes.hpp"
#include "sale/record.hpp"

#include <firstcome/command.hpp>
#include <firstcome/limits.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace firstcome::sale {

struct LedgerOptions {
  std::uint64_t hash_seed = 0;  ///< of the customers' table, so that nobody can make customers collide
  std::uint64_t brought_back = limits::brought_back;
};

class Ledger {
 public:
  explicit Ledger(LedgerOptions options = {});
  ~Ledger();
  Ledger(Ledger&&) noexcept;
  Ledger& operator=(Ledger&&) noexcept;

  /// Has the processor fetch what `apply` of this command will look at: cache misses are most of its cost. For commands
  /// that are known some time ahead: `far` about 16 commands before `apply`, `near` about 8 before. Changes nothing.
  enum class Ahead : std::uint8_t { far, near };
  void prefetch(const Reserve& command, Ahead ahead) const;

  // REQUIRES for every apply: now is not before the `now` of any earlier call.
  ReserveAnswer apply(const Reserve& command, Instant now);
  ReservationAnswer apply(const GetReservation& command, Instant now);
  ReservationsAnswer apply(const ListReservations& command, Instant now);
  ReservationAnswer apply(const BeginPayment& command, Instant now);
  ReservationAnswer apply(const FinishPayment& command, Instant now);
  ReservationAnswer apply(const Confirm& command, Instant now);
  ReservationAnswer apply(const Cancel& command, Instant now);
  ReservationAnswer apply(const Return& command, Instant now);
  ReservationAnswer apply(const Extend& command, Instant now);
  ReservationAnswer apply(const Transfer& command, Instant now);
  ReservationAnswer apply(const Fulfil& command, Instant now);
  ReservationAnswer apply(const FinishRefund& command, Instant now);
  PaymentTasksAnswer apply(const TakePaymentTasks& command, Instant now);
  SaleAnswer apply(const CreateSale& command, Instant now);
  SaleAnswer apply(const GetSale& command, Instant now);
  SalesAnswer apply(const ListSales& command, Instant now);
  SaleAnswer apply(const PatchSale& command, Instant now);
  SaleAnswer apply(const DeleteSale& command, Instant now);

  /// Does what is due in all sales, at most `limit` steps (an end of a hold, a grant, a refusal, a look at a sale), in
  /// turns where several sales are due, so that none waits for another's million. Returns whether more is due. The
  /// commands up to the next call bring about at most as many steps again; the rest is due then.
  ///
  /// To be called once before the commands of each turn. Text that their answers view stays valid until then.
  enum class Due : std::uint8_t { none, more };
  Due advance(Instant now, std::size_t limit);

  /// Whether something is due, at the last instant given, that no call has done yet: in any sale, or in that one. A
  /// command about such a sale does it all first, however much that is.
  bool behind() const;
  bool behind(std::string_view sale) const;
  bool behind(SaleHandle sale) const;
  /// Whether the changes name the sale.
  bool has_changed(std::string_view sale) const;

  // --- closed sales at rest (sale_rest.cpp) ---

  /// Lets the reservations of sales leave memory that were settled and closed long ago, of at most `limit` sales. To be
  /// called after `advance`, before the commands of the turn.
  void rest(Instant now, std::size_t limit);
  /// When the next may leave; nothing: none as it is.
  std::optional<Instant> next_rest() const;
  /// The sale, where it is at rest and its reservations are needed for the one named, or for their list: it must be
  /// brought back before that is asked for. Everything else is answered as it is.
  std::optional<SaleHandle> at_rest(ReservationRef ref) const;
  std::optional<SaleHandle> at_rest(std::string_view sale) const;
  struct Memory {
    std::size_t sales = 0;           ///< whose reservations are in memory
    std::size_t at_rest = 0;         ///< the others
    std::uint64_t brought_back = 0;  ///< reservations, and a few more for each sale
  };
  Memory memory() const;

  // To bring a sale back: begin, `restore` each of its reservations, finish; as many turns as that takes. Meanwhile it
  // is still at rest. REQUIRES for each: it is.
  /// Lets others leave for it. Returns whether there is room for it now.
  bool begin_to_bring_back(SaleHandle sale, Instant now);
  /// Returns what is wrong with what was restored; it is to be given up then.
  std::optional<std::string> finish_bringing_back(SaleHandle sale, Instant now);
  void give_up_bringing_back(SaleHandle sale);

  /// From now on the wall clock is ahead of the instants that commands are given by so much. Opening hours follow the
  /// wall clock; everything else (holds, keys) follows those instants, which never run back. Cost: the number of sales.
  void set_wall_ahead(Milliseconds ahead, Instant now);

  /// When something is due next (the end of a hold, opening, closing, a tick that somebody waits for); nothing: never.
  std::optional<Instant> next_deadline() const;

  /// Memory of all reservations, customers and keys. Cost: the number of sales.
  std::size_t bytes() const;

  const Changes& changes() const;
  void clear_changes();

  // --- storing and building again ---

  /// REQUIRES: the sale or the reservation is known. The record's text is copied.
  SaleRecord record_of(SaleHandle sale) const;
  ReservationRecord record_of(ReservationRef ref) const;
  /// The same into a record that is used again and again, so that its strings keep their capacity.
  void read_record(ReservationRef ref, ReservationRecord& record) const;

  /// Whether it is in memory.
  bool knows(SaleHandle sale) const;
  /// Those in memory, by handle. Cost: their number.
  std::vector<SaleHandle> sales() const;

  /// Building again: sales first, then each sale's reservations by rising number without gaps, then `finish_restore`.
  /// `now` decides which keys are still young enough. Returns what is wrong with it, if anything.
  std::optional<std::string> restore(const SaleRecord& record);
  std::optional<std::string> restore(const ReservationRecord& record, Instant now);
  /// A settled sale without its reservations.
  std::optional<std::string> restore_at_rest(const SaleRecord& record);
  /// Handles up to this one are never given again, though their sales may be gone (deleted, or left out because they
  /// were closed long ago). To be stored and restored by whoever deletes rows.
  void restore_last_handle(SaleHandle last);
  SaleHandle last_handle() const;
  /// Recounts and compares with the sales' counters. Returns what does not add up.
  std::optional<std::string> finish_restore();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace firstcome::sale
