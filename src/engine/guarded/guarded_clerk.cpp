#include "engine/guarded/guarded_clerk.hpp"

#include "engine/guarded/guarded_audit.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <utility>
#include <variant>

namespace firstcome::engine {
namespace {

constexpr std::uint32_t page = 10'000;
constexpr std::uint32_t sales_page = 100;
/// Of an audit, while orders come in.
constexpr int most_looks = 5;
/// Of who finds that all is held.
constexpr Milliseconds look_again{1'000};

Failure failure_of(const InventoryFailure& failure) {
  const bool unknown = failure.kind == InventoryFailure::Kind::unknown;
  return {unknown ? FailureCode::outcome_unknown : FailureCode::store_unavailable, failure.sentence};
}

ReservationState state_of(const OrderRow& order) {
  if (order.ended) return *order.ended == After::declined ? ReservationState::cancelled : ReservationState::expired;
  return order.paid ? ReservationState::confirmed : ReservationState::held;
}

/// Who pays for an order, or gives it back.
Purchase holder_of(const OrderRow& order, const GuardedSale& sale) {
  Purchase held;
  held.sale = sale.handle;
  held.terms = sale.terms;
  held.customer = order.customer;
  held.quantity = order.quantity;
  return held;
}

/// Whether an order of this guard can be given back later, by whoever looks after it.
bool can_hold(GuardKind guard) {
  using enum GuardKind;
  return guard != unique_key && guard != incr && guard != sadd_incr && guard != limiter;
}

bool is_yes(Outcome outcome) { return outcome == Outcome::done || outcome == Outcome::unchanged; }

}  // namespace

std::optional<std::string> unsupported_member(const SaleTerms& terms, const GuardedOptions& options) {
  const auto no = [](std::string_view member, std::string_view why) {
    return fmt::format("{}: a guarded engine {}", member, why);
  };
  if (terms.queue) return no("queue", "has no waiting queue.");
  if (terms.standby == Standby::yes) return no("standby", "has no standby: nothing waits for a unit.");
  if (terms.opens_at) return no("opens_at", "sells from the sale's creation on.");
  if (terms.closes_at) return no("closes_at", "sells as long as there is stock.");
  if (terms.extend.count() > 0) return no("extend_ms", "extends no holds.");
  const std::string_view guard = text_of(options.guard);
  if (terms.max_open && (!can_hold(options.guard) || options.guard == GuardKind::one_statement)) {
    return no("max_open", fmt::format("with --guard {} does not count a customer's open orders.", guard));
  }
  if (holds_for_customers(terms) && !can_hold(options.guard)) {
    return no("payment", fmt::format("with --guard {} cannot give a unit back later: it charges within the request "
                                     "(payment 'auto') or not at all (hold_ms 0).",
                                     guard));
  }
  return std::nullopt;
}

ReservationView GuardedClerk::view_of(const OrderRow& order, const GuardedSale& sale) const {
  ReservationView view;
  view.ref = {sale.handle, order.number};
  view.sale_id = sale.terms.id;
  view.customer = order.customer;
  view.quantity = order.quantity;
  view.reference = order.reference;
  view.state = state_of(order);
  view.amount = order.quantity * sale.terms.unit_price;
  view.charged = view.amount;
  view.currency = sale.terms.currency;
  view.created_at = order.at;
  view.payment = order.payment;
  if (order.ended == After::declined) view.reason = Reason::payment_failed;
  if (!holds_for_customers(sale.terms)) return view;
  view.expires_at = order.at + sale.terms.hold;
  if (view.state == ReservationState::held) {
    view.expires_in = std::max(*view.expires_at - instant_of(options_->now()), Milliseconds{0});
  }
  return view;
}

void GuardedClerk::try_to_open() {
  try {
    open();
  } catch (const InventoryFailure&) {
    // The first command tries again, and tells.
  }
}

StoreSecret GuardedClerk::open() {
  const StoreSecret secret = session_->open();
  open_ = true;
  return secret;
}

GuardedClerk::Result GuardedClerk::answer(const Command& command) {
  try {
    if (!open_) open();
    return std::visit([this](const auto& one) { return decide(one); }, command);
  } catch (const InventoryFailure& failure) {
    open_ = open_ && failure.kind == InventoryFailure::Kind::conflict;
    return std::unexpected(failure_of(failure));
  } catch (const std::exception& mistake) {  // the border for what libraries throw: nobody knows how far it came
    open_ = false;
    return std::unexpected(Failure{FailureCode::outcome_unknown, mistake.what()});
  }
}

const GuardedSale* GuardedClerk::known(std::string_view id) {
  if (const GuardedSale* sale = sales_->find(id)) return sale;
  const std::optional<SaleView> sale = session_->sale(std::string(id));
  return sale ? &sales_->add(*sale) : nullptr;
}

/// One that another node has created is looked for among all.
const GuardedSale* GuardedClerk::known(SaleHandle handle) {
  std::string after;
  for (;;) {
    if (const GuardedSale* sale = sales_->find(handle)) return sale;
    const std::vector<SaleView> views = session_->sales(after, sales_page);
    if (views.empty()) return nullptr;
    for (const SaleView& view : views) sales_->add(view);
    after = views.back().terms.id;
  }
}

GuardedClerk::Result GuardedClerk::decide(const Reserve& command) {
  ReserveAnswer answer;
  const GuardedSale* const sale = known(command.sale);
  if (sale == nullptr) return answer;
  Purchase purchase;
  purchase.sale = sale->handle;
  purchase.terms = sale->terms;
  purchase.customer = command.customer;
  purchase.quantity = command.quantity;
  purchase.reference = command.reference;
  purchase.key = command.key;
  const Sold sold = session_->sell(purchase);
  answer.outcome = sold.outcome;
  answer.left = sold.left;
  if (sold.outcome == Outcome::sold_out && holds_for_customers(sale->terms)) return with_holds(answer, *sale);
  if (!is_yes(sold.outcome)) return answer;
  answer.ref = {sale->handle, sold.number};
  answer.state = holds_for_customers(sale->terms) ? ReservationState::held : ReservationState::confirmed;
  answer.created_at = sold.at;
  answer.hold = sale->terms.hold;
  answer.amount = command.quantity * sale->terms.unit_price;
  answer.currency = sale->terms.currency;
  // What a customer has paid since is not of the decision.
  if (!holds_for_customers(sale->terms)) answer.payment = sold.payment;
  return answer;
}

/// Nothing is left, but it may come back.
ReserveAnswer GuardedClerk::with_holds(ReserveAnswer answer, const GuardedSale& sale) {
  const std::optional<SaleView> view = session_->sale(sale.terms.id);
  if (!view || view->held == 0) return answer;
  answer.outcome = Outcome::sold_out_holds_pending;
  answer.left = view->held;
  answer.retry_after = std::min<Milliseconds>(sale.terms.hold, look_again);
  return answer;
}

GuardedClerk::Result GuardedClerk::decide(const GetReservation& command) {
  const GuardedSale* const sale = known(command.ref.sale);
  if (sale == nullptr) return ReservationAnswer{};
  const std::optional<OrderRow> order = session_->order(command.ref);
  if (!order) return ReservationAnswer{};
  return ReservationAnswer{Outcome::done, view_of(*order, *sale)};
}

GuardedClerk::Result GuardedClerk::decide(const ListReservations& command) {
  const GuardedSale* const sale = known(command.sale);
  if (sale == nullptr) return ReservationsAnswer{};
  ReservationsAnswer answer{.outcome = Outcome::done, .items = {}, .next = {}};
  const auto orders = session_->orders(sale->handle, command.customer, command.after, command.limit);
  for (const OrderRow& order : orders) answer.items.push_back(view_of(order, *sale));
  if (orders.size() == command.limit && !orders.empty()) answer.next = orders.back().number;
  return answer;
}

GuardedClerk::Result GuardedClerk::decide(const CreateSale& command) {
  if (auto member = unsupported_member(command.terms, *options_)) {
    return std::unexpected(Failure{FailureCode::not_supported, std::move(*member)});
  }
  SaleAnswer answer = session_->create(command.terms);
  if (answer.outcome != Outcome::sale_not_found) sales_->add(answer.sale);
  return answer;
}

GuardedClerk::Result GuardedClerk::decide(const GetSale& command) {
  std::optional<SaleView> sale = session_->sale(command.sale);
  if (!sale) return SaleAnswer{};
  return SaleAnswer{Outcome::done, std::move(*sale)};
}

GuardedClerk::Result GuardedClerk::decide(const ListSales& command) {
  SalesAnswer answer{.outcome = Outcome::done, .items = session_->sales(command.after, command.limit), .next = {}};
  if (answer.items.size() == command.limit && !answer.items.empty()) answer.next = answer.items.back().terms.id;
  return answer;
}

std::vector<OrderRow> GuardedClerk::all_orders(SaleHandle sale) {
  std::vector<OrderRow> all;
  for (Number after{};;) {
    auto orders = session_->orders(sale, std::nullopt, after, page);
    const bool more = orders.size() == page;
    if (more) after = orders.back().number;
    all.insert(all.end(), std::make_move_iterator(orders.begin()), std::make_move_iterator(orders.end()));
    if (!more) return all;
  }
}

/// The stock and the orders are read one after the other. Orders that come between the two would look like a mistake,
/// so a look that finds one is taken again.
GuardedClerk::Result GuardedClerk::decide(const AuditSale& command) {
  write_down_commits();
  AuditAnswer answer;
  for (int looks = 0; looks < most_looks; ++looks) {
    const std::optional<SaleView> sale = session_->sale(command.sale);
    if (!sale) return AuditAnswer{};
    answer = audit_of(*sale, all_orders(sale->handle));
    if (answer.ok) break;
  }
  return answer;
}

/// An order as it stands.
ReservationAnswer GuardedClerk::told(Outcome outcome, ReservationRef ref, const GuardedSale& sale) {
  const std::optional<OrderRow> order = session_->order(ref);
  if (!order) return {};
  return {outcome, view_of(*order, sale)};
}

/// A plain service makes no claim before it charges: the provider knows the reservation's id, and charges it once.
GuardedClerk::Result GuardedClerk::decide(const BeginPayment& command) {
  const GuardedSale* const sale = known(command.ref.sale);
  if (sale == nullptr) return ReservationAnswer{};
  const std::optional<OrderRow> order = session_->order(command.ref);
  if (!order) return ReservationAnswer{};
  ReservationAnswer answer{Outcome::done, view_of(*order, *sale)};
  if (sale->terms.payment == PaymentMode::automatic) {
    answer.outcome = Outcome::not_client_payment;
  } else if (order->ended) {
    answer.outcome = *order->ended == After::declined ? Outcome::payment_failed : Outcome::hold_expired;
  } else if (order->paid) {
    answer.outcome = Outcome::unchanged;
  } else if (answer.reservation.expires_in == Milliseconds{0}) {
    answer.outcome = Outcome::hold_expired;
  }
  return answer;
}

GuardedClerk::Result GuardedClerk::decide(const FinishPayment& command) {
  const GuardedSale* const sale = known(command.ref.sale);
  if (sale == nullptr) return ReservationAnswer{};
  const std::optional<OrderRow> order = session_->order(command.ref);
  if (!order) return ReservationAnswer{};
  const Purchase held = holder_of(*order, *sale);
  switch (command.charge) {
    case Charge::charged: {
      if (session_->mark_paid(held, order->number, command.payment)) return told(Outcome::done, command.ref, *sale);
      const ReservationAnswer now = told(Outcome::unchanged, command.ref, *sale);
      const bool has_it = now.reservation.state == ReservationState::confirmed;
      return ReservationAnswer{has_it ? Outcome::unchanged : Outcome::paid_unfulfilled, now.reservation};
    }
    case Charge::declined:
    case Charge::refused: {
      const bool given_back = session_->end_hold(held, order->number, After::declined);
      return told(given_back ? Outcome::payment_failed : Outcome::hold_expired, command.ref, *sale);
    }
    case Charge::unreachable:
      break;
  }
  return told(Outcome::gateway_unavailable, command.ref, *sale);
}

/// Nothing is kept of a refund.
GuardedClerk::Result GuardedClerk::decide(const FinishRefund& command) {
  const GuardedSale* const sale = known(command.ref.sale);
  if (sale == nullptr) return ReservationAnswer{};
  return told(Outcome::done, command.ref, *sale);
}

void GuardedClerk::take_care() {
  try {
    if (!open_) open();
    if (!learned_) learn_sales();
    write_down_commits();
    end_holds();
  } catch (const InventoryFailure& failure) {
    open_ = open_ && failure.kind == InventoryFailure::Kind::conflict;
  } catch (const std::exception&) {  // as in `answer`
    open_ = false;
  }
}

/// After a restart nobody may ask for a sale whose holds must end.
void GuardedClerk::learn_sales() {
  std::string after;
  for (;;) {
    const std::vector<SaleView> views = session_->sales(after, sales_page);
    for (const SaleView& view : views) sales_->add(view);
    if (views.size() < sales_page) break;
    after = views.back().terms.id;
  }
  learned_ = true;
}

void GuardedClerk::write_down_commits() {
  if (commits_ == nullptr) return;
  const std::vector<CommitTime> times = commits_->take();
  if (!times.empty()) session_->keep_commit_times(times);
}

/// Of sales that this node has met. What several nodes find at once, one of them ends. One sale whose guard cannot be
/// had keeps no other's holds from ending.
void GuardedClerk::end_holds() {
  for (const GuardedSale* const sale : sales_->that_hold()) {
    try {
      end_holds_of(*sale);
    } catch (const InventoryFailure& failure) {
      if (failure.kind == InventoryFailure::Kind::unavailable) throw;
    }
  }
}

void GuardedClerk::end_holds_of(const GuardedSale& sale) {
  const Instant before = instant_of(options_->now()) - sale.terms.hold;
  for (const OrderRow& order : session_->unpaid(sale.handle, before))
    session_->end_hold(holder_of(order, sale), order.number, After::expired);
}

GuardedClerk::Result GuardedClerk::decide(const TakePaymentTasks& /*command*/) { return PaymentTasksAnswer{}; }

GuardedClerk::Result GuardedClerk::decide(const FindUndelivered& /*command*/) { return UndeliveredAnswer{}; }

template <class Other>
GuardedClerk::Result GuardedClerk::decide(const Other& /*command*/) {
  return std::unexpected(Failure{FailureCode::not_supported,
                                 "A guarded engine creates sales, sells, lists and audits; this it cannot do."});
}

}  // namespace firstcome::engine
