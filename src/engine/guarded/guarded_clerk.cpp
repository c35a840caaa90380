#include "engine/guarded/guarded_clerk.hpp"

#include "engine/guarded/guarded_audit.hpp"

#include <fmt/format.h>

#include <exception>
#include <utility>
#include <variant>

namespace firstcome::engine {
namespace {

constexpr std::uint32_t page = 10'000;
constexpr std::uint32_t sales_page = 100;
/// Of an audit, while orders come in.
constexpr int most_looks = 5;

Failure failure_of(const InventoryFailure& failure) {
  const bool unknown = failure.kind == InventoryFailure::Kind::unknown;
  return {unknown ? FailureCode::outcome_unknown : FailureCode::store_unavailable, failure.sentence};
}

ReservationView view_of(const OrderRow& order, const GuardedSale& sale) {
  ReservationView view;
  view.ref = {sale.handle, order.number};
  view.sale_id = sale.terms.id;
  view.customer = order.customer;
  view.quantity = order.quantity;
  view.reference = order.reference;
  view.state = order.paid ? ReservationState::confirmed : ReservationState::held;
  view.amount = order.quantity * sale.terms.unit_price;
  view.charged = view.amount;
  view.currency = sale.terms.currency;
  view.created_at = order.at;
  return view;
}

bool is_yes(Outcome outcome) { return outcome == Outcome::done || outcome == Outcome::unchanged; }

}  // namespace

std::optional<std::string> unsupported_member(const SaleTerms& terms) {
  const auto no = [](std::string_view member, std::string_view why) {
    return fmt::format("{}: a guarded engine {}", member, why);
  };
  if (terms.queue) return no("queue", "has no waiting queue.");
  if (terms.standby == Standby::yes) return no("standby", "has no standby: nothing waits for a unit.");
  if (terms.max_open) return no("max_open", "has no open reservations: it sells at once or not at all.");
  if (terms.opens_at) return no("opens_at", "sells from the sale's creation on.");
  if (terms.closes_at) return no("closes_at", "sells as long as there is stock.");
  if (terms.extend.count() > 0) return no("extend_ms", "extends no holds.");
  if (terms.hold.count() > 0 && terms.payment == PaymentMode::client) {
    return no("payment",
              "holds nothing for clients: it charges within the request (payment 'auto') or not at all "
              "(hold_ms 0).");
  }
  return std::nullopt;
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
  if (!is_yes(sold.outcome)) return answer;
  answer.ref = {sale->handle, sold.number};
  answer.state = ReservationState::confirmed;
  answer.created_at = sold.at;
  answer.hold = sale->terms.hold;
  answer.amount = command.quantity * sale->terms.unit_price;
  answer.currency = sale->terms.currency;
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
  if (auto member = unsupported_member(command.terms)) {
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
  AuditAnswer answer;
  for (int looks = 0; looks < most_looks; ++looks) {
    const std::optional<SaleView> sale = session_->sale(command.sale);
    if (!sale) return AuditAnswer{};
    answer = audit_of(*sale, all_orders(sale->handle));
    if (answer.ok) break;
  }
  return answer;
}

GuardedClerk::Result GuardedClerk::decide(const TakePaymentTasks& /*command*/) { return PaymentTasksAnswer{}; }

GuardedClerk::Result GuardedClerk::decide(const FindUndelivered& /*command*/) { return UndeliveredAnswer{}; }

template <class Other>
GuardedClerk::Result GuardedClerk::decide(const Other& /*command*/) {
  return std::unexpected(Failure{FailureCode::not_supported,
                                 "A guarded engine creates sales, sells, lists and audits; this it cannot do."});
}

}  // namespace firstcome::engine
