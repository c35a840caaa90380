// One sale: its counters, its reservations, its line, and every decision about them.
//
// Mechanism. `run_due` does what time brings, in order of time; then a decision is made. Each decision is a transition
// of one reservation (`grant`, `take_back`, `sell` ...) which moves units between available, held and sold, keeps the
// customer's counts, writes an event and marks what changed; then `settle` gives what became available to those who
// wait and refuses those who cannot be served any more.
//
// The split in files: sale_ledger.cpp (views, transitions), sale_reserve.cpp (Reserve), sale_due.cpp (time, the line),
// sale_holds.cpp (ends of holds), sale_payment.cpp (payment, cancel), sale_after.cpp (return, extend, transfer,
// fulfil), sale_terms.cpp (create, patch, close), customer_chain.cpp (what one customer has), sale_restore.cpp,
// sale_rest.cpp (leaving memory).
#pragma once

#include "sale/context.hpp"
#include "sale/customers.hpp"
#include "sale/grant_rate.hpp"
#include "sale/reservations.hpp"
#include "sale/waiting_line.hpp"

#include <firstcome/command.hpp>

#include <cassert>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <queue>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace firstcome::sale {

inline constexpr Instant never = Instant::max();

/// What was decided about one reservation; see ReservationAnswer::left.
struct Decided {
  // NOLINTNEXTLINE(google-explicit-constructor): mostly the outcome says all
  Decided(Outcome decided, Units units_left = 0) : outcome(decided), left(units_left) {}
  Outcome outcome;
  Units left;
};

/// Not thread-safe. REQUIRES for every decision and view: `run_due(now)` was done with the same now, and all holds that
/// were due are ended (decisions ensure it; see Ledger).
class SaleLedger {
 public:
  /// A new sale; writes `sale_created`.
  SaleLedger(SaleTerms terms, SaleHandle handle, Instant now, Context& context);
  /// One built again. Or a sentence that says why the record cannot be right.
  static std::expected<std::unique_ptr<SaleLedger>, std::string> rebuild(const SaleRecord& record, Context& context);

  SaleLedger(const SaleLedger&) = delete;
  SaleLedger& operator=(const SaleLedger&) = delete;

  SaleHandle handle() const { return handle_; }
  const SaleTerms& terms() const { return terms_; }
  /// REQUIRES: it is not at rest, or never gave the number.
  bool knows(Number number) const {
    assert(!at_rest_ || value(number) > line_.last() || value(number) == 0);
    return value(number) >= 1 && value(number) <= reservations_.count();
  }
  ShortNumber last_number() const { return line_.last(); }

  // --- time (sale_due.cpp) ---
  /// Does what is due, at most `steps` steps (the end of a hold, a grant, a refusal), which it lowers. Returns whether
  /// more is due.
  enum class Due : std::uint8_t { none, more };
  Due run_due(Instant now, std::size_t& steps);
  /// Does all that is due.
  void run_due(Instant now);
  /// The wall clock was moved: opening hours, and ticks that are counted from the opening, follow it.
  void follow_wall(Instant now);
  /// When something happens next that somebody may notice; or `never`.
  Instant deadline() const { return deadline_; }

  // --- see Ledger::prefetch ---
  void prefetch_indexes(const Reserve& command) const;
  void prefetch_customer(const Reserve& command) const;

  // --- decisions; `number` is known ---
  /// Fills an answer that is as new.
  void reserve(const Reserve& command, ReserveAnswer& answer, Instant now);
  Outcome begin_payment(ShortNumber number, BeginPayment::By by, Instant now);
  Outcome finish_payment(ShortNumber number, const FinishPayment& command, Instant now);
  Outcome confirm(ShortNumber number, const std::string& payment_id, Instant now);
  Outcome cancel(ShortNumber number, Instant now);
  Decided give_back(ShortNumber number, const Return& command, Instant now);
  Outcome extend(ShortNumber number, Milliseconds by, Instant now);
  Decided transfer(ShortNumber number, std::string_view customer, Instant now);
  Decided fulfil(ShortNumber number, Instant now);
  Outcome finish_refund(ShortNumber number, Instant now);
  Outcome patch(const PatchSale& command, Instant now);
  /// Whether it is closed, nothing is held, no charge runs and nothing is to be paid back: for good, and nothing
  /// stands against deleting it.
  bool settled() const;
  /// Whether these are the terms that it was created with.
  bool created_as(const SaleTerms& terms) const;
  /// Whether a task that was found earlier is still to be done.
  bool is_due(const PaymentTask& task) const;
  /// Moves holds that nobody has claimed to `tasks`, until it holds `limit`. Returns whether none is left.
  bool take_charges(std::vector<PaymentTask>& tasks, std::size_t limit, Instant now);

  // --- rest (sale_rest.cpp) ---
  /// At rest its reservations are not in memory: decisions about one, and lists, must not be asked for.
  bool at_rest() const { return at_rest_; }
  Instant rests_at() const;  ///< `never`: not as it is
  /// Whether it may rest now, though it was used a short while ago.
  bool may_make_way(Instant now) const;
  /// One of its reservations was named, or they were listed.
  void use(Instant now) { used_ = now; }
  bool touched() const { return batch_ == context_.batch; }
  bool needs_to_be_marked() const { return needs_mark_; }  ///< its row does not say yet that it is settled
  void mark_as_settled(Instant now);
  /// Its reservations leave memory, or what was restored of them. Returns whether it was not at rest before.
  /// REQUIRES: settled, and no reservation stands in the changes.
  bool rest();
  /// Built again at rest. Returns what is wrong with that.
  std::optional<std::string> restore_at_rest();
  /// Its reservations are to be restored next, then `finish_restore`.
  void begin_to_bring_back();

  // --- views ---
  SaleView view(Instant now) const;
  SaleState state(Instant now) const;
  ReservationView view(ShortNumber number, Instant now) const;
  /// The reservations after `after`, at most `limit`.
  ReservationsAnswer list(const ListReservations& command, Instant now) const;

  // --- storing and building again ---
  SaleRecord record() const;
  void read_record(ShortNumber number, ReservationRecord& record) const;
  std::optional<std::string> restore(const ReservationRecord& record, Instant now);
  std::optional<std::string> finish_restore();
  /// The batch is over: the reservation's next change is a change again.
  void forget_update(ShortNumber number) { reservations_[number].updated = false; }
  std::size_t bytes() const { return sizeof(*this) + reservations_.bytes() + customers_.bytes(); }

 private:
  /// While it is built again: what its record says must come out, and what was counted so far.
  struct Recount {
    std::uint64_t last_number = 0;
    std::uint64_t serving = 0;
    Units held = 0;
    Units sold = 0;
    Instant last_expiry{};
    ShortNumber first_held = 0;
  };
  SaleLedger(const SaleRecord& record, Context& context);

  // --- what changed ---
  void touch();
  void changed(ShortNumber number);
  void emit(EventType type, Instant now, ShortNumber number = 0, std::optional<Units> value = std::nullopt);

  // --- facts ---
  ShortNumber refused_upto() const { return sold_out_upto_ > closed_upto_ ? sold_out_upto_ : closed_upto_; }
  ReservationState state_of(ShortNumber number) const;
  Reason reason_of(ShortNumber number) const;
  Money amount_of(const PackedReservation& record) const;
  ReservationRef ref(ShortNumber number) const { return {handle_, Number{number}}; }
  void assert_equation() const;
  ReservationView view_without_position(ShortNumber number, Instant now) const;

  // --- a customer's reservations (customer_chain.cpp) ---
  void append_to_chain(Customer& customer, ShortNumber number);
  void set_first_mark(ShortNumber number);
  std::vector<ShortNumber> first_of_chain(CustomerId id, ShortNumber after, std::size_t count) const;
  std::optional<ShortNumber> next_later(const Customer& customer, ShortNumber number) const;
  ShortNumber next_mark(const Customer& customer, ShortNumber number) const;
  void link(Customer& customer, ShortNumber later, ShortNumber number);
  void take_from_chain(Customer& customer, ShortNumber number, ShortNumber later);
  void put_into_chain(Customer& customer, ShortNumber number, ShortNumber later);
  ShortNumber latest_open(const Customer& customer) const;

  // --- transitions ---
  void grant(ShortNumber number, Instant now);
  void leave_hold(ShortNumber number, ReservationState state, Reason reason);
  void sell_hold(ShortNumber number, Instant now);
  bool take_again(ShortNumber number, Instant now);
  void sell_late(ShortNumber number, Instant now);
  void leave_unfulfilled(ShortNumber number, Instant now);
  Units left_of_limit(const Customer& customer) const;
  void leave_line(ShortNumber number, ReservationState state, Reason reason);
  void refuse_all_waiting(Instant now);
  void refuse_head(Instant now);
  bool head_moves() const;
  Due settle(Instant now, std::size_t& steps);
  void settle_after_command(Instant now);
  void close(Instant now);
  void correct(Customer& customer);

  // --- PatchSale ---
  Outcome judge(const PatchSale& command, Instant now) const;
  Units stock_after(const PatchSale& command) const;
  void set_stock(Units stock, Instant now);
  void change_terms(const PatchSale& command, Instant now);
  void pause_or_resume(PatchSale::State state, Instant now);

  // --- Reserve ---
  struct Asking;
  bool replay(const Asking& asking, ReserveAnswer& answer, Instant now) const;
  Outcome judge(const Asking& asking, ReserveAnswer& answer, Instant now);
  Outcome judge_limits(const Asking& asking, ReserveAnswer& answer) const;
  Outcome judge_stock(Units quantity, ReserveAnswer& answer, Instant now) const;
  void accept(const Asking& asking, ReserveAnswer& answer, Instant now);
  void fill_as_decided(ReserveAnswer& answer, ShortNumber number) const;
  Milliseconds ask_again_after() const;

  // --- time ---
  /// The instant of a command at which the wall clock will say, or has said, `wall`.
  Instant when(Instant wall) const { return wall - context_.wall_ahead; }
  Instant first_tick() const { return terms_.opens_at ? when(*terms_.opens_at) : created_at_; }
  enum class DueKind : std::uint8_t;
  struct NextDue;
  NextDue next_due(Instant now) const;
  struct NextHold;
  NextHold next_hold() const;
  ShortNumber next_in_order() const;
  ShortNumber next_in_grace() const;
  void end_hold(const NextHold& hold, Instant now);
  void begin_grace(ShortNumber number);
  void leave_exceptions(ShortNumber number);
  void expire(ShortNumber number, Instant now);
  void begin_due(DueKind kind, Instant now);
  Due finish_what_was_begun(Instant now, std::size_t& steps);
  void serve_head(Instant now);
  bool unfinished() const { return unsettled_ || tick_grants_left_ > 0; }
  std::int64_t tick_index(Instant now) const;
  Instant tick_start(std::int64_t index) const;
  void plan();

  // --- restore ---
  std::optional<std::string> check(const ReservationRecord& record) const;
  std::optional<std::string> check_order(const ReservationRecord& record, CustomerId customer) const;
  static bool fits_rest(const ReservationRecord& record);
  static bool may_have_left_the_line(const ReservationRecord& record);
  void count_restored(ShortNumber number);
  void find_payment_work(ShortNumber number);
  void want_charging();

  SaleHandle handle_;
  SaleTerms terms_;
  Context& context_;
  Instant created_at_;

  // available_ + held_ + sold_ == terms_.stock
  Units available_ = 0;
  Units held_ = 0;
  Units sold_ = 0;

  bool paused_ = false;
  bool closed_ = false;
  Instant closed_at_{};
  ShortNumber sold_out_upto_ = 0;
  ShortNumber closed_upto_ = 0;
  std::int64_t last_tick_ = 0;
  std::uint64_t events_ = 0;
  std::uint64_t revision_ = 0;
  std::optional<Units> stock_as_created_;
  std::optional<std::optional<Instant>> closes_at_as_created_;
  std::optional<OpeningTerms> opening_as_created_;

  Reservations reservations_;
  Customers customers_;
  WaitingLine line_;
  GrantRate rate_;

  std::size_t refunds_due_ = 0;
  // Holds. Before expiring_ only exceptions are held: those that were extended, and those in their grace.
  mutable ShortNumber expiring_ = 1;
  mutable ShortNumber in_grace_from_ = 1;  // none before it is in its grace
  std::size_t in_grace_ = 0;
  Units exceptions_ = 0;  // units of held_ that are in exceptions
  // Ends of extended holds, the first on top. One that is no longer held is taken out when it comes to the top.
  mutable std::priority_queue<std::pair<Instant, ShortNumber>, std::vector<std::pair<Instant, ShortNumber>>,
                              std::greater<>>
      extended_ends_;
  ShortNumber charging_ = 1;     // all before it were handed out to be charged
  bool wants_charging_ = false;  // stands in the context's list
  bool opened_ = false;          // the opening was noticed
  // What a turn had no steps left for; the next goes on with it before anything else.
  bool unsettled_ = false;              // some of the line can be served or must be refused
  std::uint32_t tick_grants_left_ = 0;  // of the last tick
  Instant wake_{};                      // nothing is due before it, a tick included
  Instant deadline_ = never;

  bool at_rest_ = false;
  bool needs_mark_ = false;        // its row was written before it could say that it is settled
  Instant used_ = Instant::min();  // when a reservation was last named

  std::unique_ptr<Recount> recount_;

  std::uint64_t batch_ = 0;      // the batch in which it was last touched
  ShortNumber batch_begin_ = 0;  // the last number given before that batch
};

}  // namespace firstcome::sale
