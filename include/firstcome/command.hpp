// What can be asked of an engine, and what each command answers.
//
// A command is a plain value; `C::Answer` is its answer. String views in `Reserve`, the hot command, must stay valid
// until its answer is given; all other commands own their text. Every answer carries an `Outcome`; fields of an answer
// other than `outcome` have a meaning only where their comment says so.
#pragma once

#include <firstcome/event_command.hpp>
#include <firstcome/lock_command.hpp>
#include <firstcome/outcome.hpp>
#include <firstcome/past_command.hpp>
#include <firstcome/sale.hpp>
#include <firstcome/types.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace firstcome {

// --- reservations -----------------------------------------------------------------------------------------------

/// done (201), waiting (202), unchanged (the first answer to this key again), or a refusal.
struct ReserveAnswer {
  Outcome outcome = Outcome::sale_not_found;
  /// done, waiting, unchanged: the reservation. limit_exceeded, already_open: the customer's latest (number 0: none).
  ReservationRef ref;
  /// done, waiting, unchanged: as decided (held, confirmed or queued), whatever became of it since.
  ReservationState state = ReservationState::queued;
  Instant created_at;
  std::uint64_t position = 0;  ///< as at joining; 0 where it did not wait
  Milliseconds hold{};         ///< of the sale; expires_at is created_at + hold where state is held
  Money amount = 0;
  /// limit_exceeded: units left of the limit. not_enough: units available. sold_out_holds_pending: units held.
  Units left = 0;
  /// sold_out_holds_pending: until the next hold ends. sale_not_open: until it opens. waiting: how often to ask.
  Milliseconds retry_after{};
  /// A final refusal that this key was given before.
  bool replayed_refusal = false;
  std::string_view currency;            ///< of the sale; valid until the completion returns
  std::optional<Payment> payment = {};  ///< of `amount`, where the decision itself charged (guarded engines)
};

struct Reserve {
  using Answer = ReserveAnswer;
  std::string_view sale;
  std::string_view customer;   ///< 1-128 bytes, no control characters (checked by the caller)
  Units quantity = 1;          ///< 1-1 000 000 (checked by the caller)
  std::string_view reference;  ///< at most 128 bytes; empty: none
  KeyHash key;
};

struct ReservationAnswer {
  Outcome outcome = Outcome::reservation_not_found;
  ReservationView reservation;  ///< of every outcome but reservation_not_found
  /// not_enough: units that it has (Return), or that are available. reservation_changed: units that it has.
  /// limit_exceeded: units left of the limit.
  Units left = 0;
};

struct GetReservation {
  using Answer = ReservationAnswer;
  ReservationRef ref;
};

struct ReservationsAnswer {
  Outcome outcome = Outcome::sale_not_found;
  std::vector<ReservationView> items;  ///< in number order
  Number next{};                       ///< ask again after this one; 0: that was all
};

struct ListReservations {
  using Answer = ReservationsAnswer;
  std::string sale;
  std::optional<std::string> customer;
  Number after{};
  std::uint32_t limit = 100;
};

/// Claims the hold for one charge, before the gateway is called. Outcomes: done (charge it now; the charge's key is the
/// reservation's id), unchanged (confirmed before), request_in_progress, not_held, hold_expired, payment_failed,
/// paid_unfulfilled, not_client_payment.
struct BeginPayment {
  using Answer = ReservationAnswer;
  enum class By : std::uint8_t { client, worker };
  ReservationRef ref;
  By by = By::client;
};

/// What a gateway said of a charge.
enum class Charge : std::uint8_t {
  charged,
  declined,
  unreachable,  ///< surely not charged: the claim is given up, the hold stays
  refused,      ///< declined before a charge was tried
};

/// Ends a claim. Outcomes: done (confirmed), payment_failed, gateway_unavailable, hold_expired (not charged, and the
/// hold has gone), paid_unfulfilled (a refund is due), unchanged (the claim was ended before). A hold with a claim
/// outlives its end by at most `limits::payment_grace`.
struct FinishPayment {
  using Answer = ReservationAnswer;
  ReservationRef ref;
  Charge charge = Charge::unreachable;
  Payment payment;  ///< where charged
};

/// The shop charged elsewhere. One that expired or was cancelled gets its units again where they are available, nobody
/// waits for them and the limit allows it; else it is paid_unfulfilled.
/// Outcomes: done, unchanged (the same payment id), already_confirmed, not_held, paid_unfulfilled, request_in_progress,
/// not_client_payment.
struct Confirm {
  using Answer = ReservationAnswer;
  ReservationRef ref;
  std::string payment_id;
};

/// Outcomes: done, unchanged, payment_in_progress, already_confirmed, hold_expired, not_held, paid_unfulfilled.
struct Cancel {
  using Answer = ReservationAnswer;
  ReservationRef ref;
};

/// Gives units of a confirmed reservation back. Outcomes: done, unchanged (all were given back before), not_confirmed,
/// reservation_changed, not_enough (more than it has).
struct Return {
  using Answer = ReservationAnswer;
  ReservationRef ref;
  std::optional<Units> quantity = {};     ///< from 1 (checked by the caller); nothing: all it has
  std::optional<Units> if_quantity = {};  ///< only where it has so many: so that a repetition gives nothing more back
};

/// Prolongs a hold, once. Outcomes: done, not_extendable (not held, at its end, extended before, or by more than the
/// sale's `extend`).
struct Extend {
  using Answer = ReservationAnswer;
  ReservationRef ref;
  Milliseconds by{};  ///< above 0 (checked by the caller)
};

/// Gives a held or confirmed reservation to another customer, whose limits count. Outcomes: done, unchanged (it is
/// theirs), not_transferable, payment_in_progress, limit_exceeded, already_open.
/// not_transferable is also the answer where one of the two customers has more than `limits::chain_steps` later ones.
struct Transfer {
  using Answer = ReservationAnswer;
  ReservationRef ref;
  std::string customer;  ///< as in Reserve (checked by the caller)
};

/// Gives units to a paid_unfulfilled reservation, whoever waits for them, on a closed sale too. Outcomes: done,
/// unchanged (confirmed), not_enough, limit_exceeded, payment_in_progress (it is being paid back), not_fulfillable (it
/// was paid back, or nobody paid).
struct Fulfil {
  using Answer = ReservationAnswer;
  ReservationRef ref;
};

/// What we had charged for a reservation without units has been paid back. Outcomes: done, unchanged.
struct FinishRefund {
  using Answer = ReservationAnswer;
  ReservationRef ref;
};

/// One thing the payment worker has to do.
struct PaymentTask {
  enum class Action : std::uint8_t {
    charge,  ///< a hold of a `payment: auto` sale that nobody has claimed
    settle,  ///< a claim that a crash left behind: ask the gateway again with the same key
    refund,  ///< what we charged must be paid back
  };
  ReservationRef ref;
  Action action = Action::charge;
  Money amount = 0;
};

struct PaymentTasksAnswer {
  Outcome outcome = Outcome::done;
  std::vector<PaymentTask> tasks;
};

/// Hands out payment work, each task once per start of the engine, holds in number order.
struct TakePaymentTasks {
  using Answer = PaymentTasksAnswer;
  std::uint32_t limit = 256;
};

// --- sales ------------------------------------------------------------------------------------------------------

struct SaleAnswer {
  Outcome outcome = Outcome::sale_not_found;
  SaleView sale;  ///< of every outcome but sale_not_found
};

/// Outcomes: done, unchanged (the same terms again), sale_exists. The terms are checked by the caller.
struct CreateSale {
  using Answer = SaleAnswer;
  SaleTerms terms;
};

struct GetSale {
  using Answer = SaleAnswer;
  std::string sale;
};

struct SalesAnswer {
  Outcome outcome = Outcome::done;
  std::vector<SaleView> items;  ///< by id
  std::string next;             ///< ask again after this id; empty: that was all
};

struct ListSales {
  using Answer = SalesAnswer;
  std::string after;
  std::uint32_t limit = 100;
};

/// Changes what is set; nothing is changed unless all of it can be. The inner null of an optional removes a term.
/// Outcomes: done, unchanged, sale_changed, stock_in_use, stock_too_large, sale_closed (closes_at, open or paused of a
/// closed sale), not_scheduled (a term that may change only until the sale opens), contradicting_terms.
struct PatchSale {
  using Answer = SaleAnswer;
  enum class State : std::uint8_t {
    as_it_is,
    open,    ///< no longer paused
    paused,  ///< no new reservations and no grants; places are kept, holds live and may be paid
    closed,  ///< for good
  };
  std::string sale;
  std::optional<std::uint64_t> if_revision = {};  ///< only where SaleView::revision is this
  std::optional<Units> stock = {};
  std::optional<Units> stock_by = {};  ///< added to the stock; not together with `stock` (checked by the caller)
  std::optional<std::optional<Instant>> closes_at = {};
  std::optional<std::optional<Instant>> opens_at = {};  ///< like the next two only until the sale opens
  std::optional<std::optional<Units>> limit_per_customer = {};
  std::optional<std::optional<std::uint32_t>> max_open = {};
  State state = State::as_it_is;
};

/// Outcomes: done, sale_active (not closed, something held, a payment or a refund running, events not delivered).
struct DeleteSale {
  using Answer = SaleAnswer;
  std::string sale;
};

struct AuditAnswer {
  Outcome outcome = Outcome::sale_not_found;
  Units stock = 0, available = 0, held = 0, sold = 0;
  std::optional<std::uint64_t> customers_over_limit;  ///< nothing where the sale is too large and `depth` not deep
  std::uint64_t number_inversions = 0;
  std::uint64_t orders_wanted = 0;      ///< reservations that are or were confirmed
  std::optional<std::uint64_t> orders;  ///< that there are; nothing where no order service is attached
  std::uint64_t orders_pending = 0;     ///< of those that are wanted, not there yet
  std::vector<std::string> mismatches;  ///< at most 100, each a sentence
  bool ok = false;
};

/// Recounts from the stored reservations, in a snapshot of its own. Outcomes: done, sale_not_found, audit_running.
struct AuditSale {
  using Answer = AuditAnswer;
  enum class Depth : std::uint8_t { standard, deep };
  std::string sale;
  Depth depth = Depth::standard;
};

// --- together ---------------------------------------------------------------------------------------------------

using Command =
    std::variant<Reserve, GetReservation, ListReservations, BeginPayment, FinishPayment, Confirm, Cancel, Return,
                 Extend, Transfer, Fulfil, FinishRefund, TakePaymentTasks, CreateSale, GetSale, ListSales, PatchSale,
                 DeleteSale, AuditSale, ReadEvents, FindUndelivered, ReadOutbox, DeliverEvents, AcquireLock, RenewLock,
                 ReleaseLock, LeaveLock, InspectLock, FreeLock, ComparePast, ListLosses, SettleLosses>;

using Answer =
    std::variant<ReserveAnswer, ReservationAnswer, ReservationsAnswer, PaymentTasksAnswer, SaleAnswer, SalesAnswer,
                 AuditAnswer, EventsAnswer, UndeliveredAnswer, OutboxAnswer, DeliveredAnswer, LockAnswer, LossesAnswer>;

}  // namespace firstcome
