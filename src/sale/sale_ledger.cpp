#include "sale/sale_ledger.hpp"

#include <algorithm>
#include <cassert>
#include <limits>
#include <numeric>

namespace firstcome::sale {

SaleLedger::SaleLedger(SaleTerms terms, SaleHandle handle, Instant now, Context& context)
    : handle_(handle),
      terms_(std::move(terms)),
      context_(context),
      created_at_(now),
      available_(terms_.stock),
      reservations_(context.seed),
      customers_(context.seed) {
  emit(EventType::sale_created, now);
  plan();
}

// --- what changed ---

void SaleLedger::touch() {
  if (batch_ == context_.batch) return;
  batch_ = context_.batch;
  batch_begin_ = line_.last();
  context_.changes.sales.push_back(handle_);
}

void SaleLedger::changed(ShortNumber number) {
  touch();
  PackedReservation& record = reservations_[number];
  if (number > batch_begin_ || record.updated) return;  // it stands among the changes already
  record.updated = true;
  context_.changes.updated.push_back(ref(number));
}

void SaleLedger::emit(EventType type, Instant now, ShortNumber number, std::optional<Units> value) {
  touch();
  EventRecord& event = context_.changes.events.emplace_back();  // filled in place: this is hot
  event.sale = handle_;
  event.sale_sequence = ++events_;
  event.type = type;
  event.number = Number{number};
  event.at = now;
  event.value = value;
}

// --- facts ---

ReservationState SaleLedger::state_of(ShortNumber number) const {
  const ReservationState stored = reservations_[number].state;
  return stored == ReservationState::queued && number <= refused_upto() ? ReservationState::refused : stored;
}

Reason SaleLedger::reason_of(ShortNumber number) const {
  const PackedReservation& record = reservations_[number];
  if (record.state != ReservationState::queued) return record.reason;
  if (number <= sold_out_upto_) return Reason::sold_out;
  return number <= closed_upto_ ? Reason::sale_closed : Reason::none;
}

Money SaleLedger::amount_of(const PackedReservation& record) const {
  // At most 10^12 times 10^6: it cannot overflow.
  const Money amount = terms_.unit_price * static_cast<Money>(record.quantity);
  assert(amount <= limits::amount);
  return amount;
}

void SaleLedger::assert_equation() const {
  assert(available_ >= 0 && held_ >= 0 && sold_ >= 0);
  assert(available_ + held_ + sold_ == terms_.stock);
}

// --- transitions ---

/// Available units go to one that waited, or never had to.
void SaleLedger::grant(ShortNumber number, Instant now) {
  PackedReservation& record = reservations_[number];
  assert(record.quantity <= available_ && !closed_);
  available_ -= record.quantity;
  if (terms_.hold == Milliseconds{0}) {
    sold_ += record.quantity;
    record.state = ReservationState::confirmed;
    --customers_[record.customer].open;
    emit(EventType::reservation_confirmed, now, number);
  } else {
    held_ += record.quantity;
    record.state = ReservationState::held;
    record.expires_at = now + terms_.hold;
    emit(EventType::reservation_held, now, number);
    if (terms_.payment == PaymentMode::automatic) want_charging();
  }
  changed(number);
  assert_equation();
}

/// A hold ends without a sale: its units are available again. The caller writes the event.
void SaleLedger::leave_hold(ShortNumber number, ReservationState state, Reason reason) {
  PackedReservation& record = reservations_[number];
  assert(record.state == ReservationState::held);
  leave_exceptions(number);
  held_ -= record.quantity;
  available_ += record.quantity;
  Customer& customer = customers_[record.customer];
  customer.units -= record.quantity;
  --customer.open;
  record.state = state;
  record.reason = reason;
  changed(number);
  assert_equation();
}

/// A hold becomes a sale.
void SaleLedger::sell_hold(ShortNumber number, Instant now) {
  PackedReservation& record = reservations_[number];
  assert(record.state == ReservationState::held);
  leave_exceptions(number);
  held_ -= record.quantity;
  sold_ += record.quantity;
  --customers_[record.customer].open;
  record.state = ReservationState::confirmed;
  changed(number);
  emit(EventType::reservation_confirmed, now, number);
  assert_equation();
}

Units SaleLedger::left_of_limit(const Customer& customer) const {
  if (!terms_.limit_per_customer) return std::numeric_limits<Units>::max();
  return std::max<Units>(*terms_.limit_per_customer - customer.units, 0);
}

/// A reservation that holds no units and was paid after all: sold, if its units are there, nobody is in line for them
/// and the limit allows it.
bool SaleLedger::take_again(ShortNumber number, Instant now) {
  const PackedReservation& record = reservations_[number];
  assert(record.state == ReservationState::expired || record.state == ReservationState::cancelled);
  Customer& customer = customers_[record.customer];
  correct(customer);
  if (closed_ || !line_.empty() || available_ < record.quantity) return false;
  if (record.quantity > left_of_limit(customer)) return false;
  sell_late(number, now);
  return true;
}

/// Available units are sold to one that holds none.
void SaleLedger::sell_late(ShortNumber number, Instant now) {
  PackedReservation& record = reservations_[number];
  customers_[record.customer].units += record.quantity;
  available_ -= record.quantity;
  sold_ += record.quantity;
  record.state = ReservationState::confirmed;
  record.reason = Reason::none;
  changed(number);
  emit(EventType::reservation_confirmed, now, number);
  assert_equation();
}

/// It was paid, and there is nothing to give.
void SaleLedger::leave_unfulfilled(ShortNumber number, Instant now) {
  reservations_[number].state = ReservationState::paid_unfulfilled;
  reservations_[number].reason = Reason::none;
  changed(number);
  emit(EventType::reservation_paid_unfulfilled, now, number);
  emit(EventType::refund_due, now, number);
}

/// One who waits goes without units. The caller writes the event.
void SaleLedger::leave_line(ShortNumber number, ReservationState state, Reason reason) {
  assert(state_of(number) == ReservationState::queued);
  PackedReservation& record = reservations_[number];
  Customer& customer = customers_[record.customer];
  customer.units -= record.quantity;
  --customer.open;
  record.state = state;
  record.reason = reason;
  line_.leave(number);
  changed(number);
}

/// One fact on the sale instead of a million rows; `correct` and `state_of` do the rest.
void SaleLedger::refuse_all_waiting(Instant now) {
  sold_out_upto_ = line_.last();
  line_.leave_all();
  emit(EventType::waiting_refused, now, sold_out_upto_);
}

/// Takes from a customer's counts what waited when all who waited were refused.
void SaleLedger::correct(Customer& customer) {
  const ShortNumber upto = refused_upto();
  if (customer.corrected >= upto) return;
  for (ShortNumber number = customer.latest; number > customer.corrected;) {
    const PackedReservation& record = reservations_[number];
    if (number <= upto && record.state == ReservationState::queued) {
      customer.units -= record.quantity;
      --customer.open;
    }
    number = record.previous;
  }
  customer.corrected = upto;
}

// --- views ---

SaleState SaleLedger::state(Instant now) const {
  if (closed_) return SaleState::closed;
  if (terms_.opens_at && now < when(*terms_.opens_at)) return SaleState::scheduled;
  if (paused_) return SaleState::paused;
  return available_ + held_ == 0 ? SaleState::sold_out : SaleState::open;
}

SaleView SaleLedger::view(Instant now) const {
  return {.handle = handle_,
          .terms = terms_,
          .state = state(now),
          .available = available_,
          .held = held_,
          .sold = sold_,
          .queued = line_.waiting(),
          .serving = Number{line_.serving()},
          .revision = revision_};
}

ReservationView SaleLedger::view(ShortNumber number, Instant now) const {
  ReservationView view = view_without_position(number, now);
  if (view.state == ReservationState::queued) {
    view.position = line_.position(number);
    view.eta = rate_.time_for(*view.position, now);
  }
  return view;
}

ReservationView SaleLedger::view_without_position(ShortNumber number, Instant now) const {
  const PackedReservation& record = reservations_[number];
  ReservationView view;
  view.ref = ref(number);
  view.sale_id = terms_.id;
  view.customer = customers_.text(record.customer);
  view.quantity = record.quantity;
  view.reference = reservations_.reference(number);
  view.state = state_of(number);
  view.reason = reason_of(number);
  view.amount = amount_of(record);
  view.charged = view.amount + terms_.unit_price * reservations_.returned(number);
  view.currency = terms_.currency;
  view.created_at = record.created_at;
  if (record.expires_at != Instant{}) view.expires_at = record.expires_at;
  if (view.state == ReservationState::held) {
    view.expires_in = std::max(record.expires_at - now, Milliseconds{0});
  }
  if (const auto payment = reservations_.payment(number)) {
    view.payment = Payment{.id = std::string{payment.id}, .account_number = std::string{payment.account_number}};
  }
  return view;
}

ReservationsAnswer SaleLedger::list(const ListReservations& command, Instant now) const {
  ReservationsAnswer answer{.outcome = Outcome::done, .items = {}, .next = {}};
  const std::size_t limit = std::max<std::uint32_t>(command.limit, 1);
  if (value(command.after) >= line_.last()) return answer;  // a cursor may be the greatest number there is
  const auto after = static_cast<ShortNumber>(value(command.after));
  std::vector<ShortNumber> numbers;  // one more than asked for, to see whether there are more
  if (command.customer) {
    const CustomerId id = customers_.find(*command.customer, customers_.hash(*command.customer));
    if (id == CustomerId{}) return answer;
    numbers = first_of_chain(id, after, limit + 1);
  } else {
    numbers.resize(std::min<std::size_t>(line_.last() - after, limit + 1));
    std::iota(numbers.begin(), numbers.end(), after + 1);
  }
  if (numbers.size() > limit) {
    numbers.resize(limit);
    answer.next = Number{numbers.back()};
  }
  answer.items.reserve(numbers.size());
  ShortNumber known = 0;  // who waits, and where: the next one's place is found from it
  std::uint64_t position = 0;
  for (const ShortNumber number : numbers) {
    ReservationView& item = answer.items.emplace_back(view_without_position(number, now));
    if (item.state != ReservationState::queued) continue;
    position = known == 0 ? line_.position(number) : position + line_.waiting_between(known, number);
    known = number;
    item.position = position;
    item.eta = rate_.time_for(position, now);
  }
  return answer;
}

}  // namespace firstcome::sale
