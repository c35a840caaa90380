// Building a sale again from its records, and finding what is wrong with them: they come from outside, so nothing here
// is asserted.
#include "sale/sale_ledger.hpp"

#include <cassert>

namespace firstcome::sale {

namespace {

// The years that an instant of a sale may lie in, 0000 to 9999.
constexpr Instant first_instant{std::chrono::sys_days{std::chrono::year{0} / 1 / 1}};
constexpr Instant last_instant{std::chrono::sys_days{std::chrono::year{10'000} / 1 / 1} - Milliseconds{1}};

bool in_range(Instant instant) { return first_instant <= instant && instant <= last_instant; }

/// Returns the number of the last tick that a sale can ever make. REQUIRES: its instants are in range.
std::uint64_t last_tick_of(const SaleRecord& record) {
  if (!record.terms.queue) return 0;
  const Instant begin = record.terms.opens_at.value_or(record.created_at);
  return static_cast<std::uint64_t>((last_instant - begin) / record.terms.queue->tick);
}

}  // namespace

SaleLedger::SaleLedger(const SaleRecord& record, Context& context)
    : handle_(record.handle),
      terms_(record.terms),
      context_(context),
      created_at_(record.created_at),
      available_(record.available),
      held_(record.held),
      sold_(record.sold),
      paused_(record.paused),
      closed_(record.closed),
      closed_at_(record.closed_at),
      sold_out_upto_(static_cast<ShortNumber>(record.sold_out_upto)),
      closed_upto_(static_cast<ShortNumber>(record.closed_upto)),
      last_tick_(static_cast<std::int64_t>(record.last_tick)),
      events_(record.events),
      revision_(record.revision),
      stock_as_created_(record.stock_as_created),
      closes_at_as_created_(record.closes_at_as_created),
      opening_as_created_(record.opening_as_created),
      reservations_(context.seed),
      customers_(context.seed),
      needs_mark_(!record.settled),
      recount_(std::make_unique<Recount>(Recount{.last_number = record.last_number, .serving = record.serving})) {}

std::expected<std::unique_ptr<SaleLedger>, std::string> SaleLedger::rebuild(const SaleRecord& record,
                                                                            Context& context) {
  const auto wrong = [&](const char* what) { return std::unexpected("sale " + record.terms.id + ": " + what); };
  const SaleTerms& terms = record.terms;
  if (record.handle == SaleHandle{}) return wrong("its handle is 0");
  if (terms.id.empty()) return wrong("it has no id");
  if (terms.stock < 0 || terms.stock > limits::stock) return wrong("its stock is out of range");
  if (terms.unit_price < 0 || terms.unit_price > limits::unit_price) return wrong("its unit price is out of range");
  if (terms.hold < Milliseconds{0} || terms.hold > limits::hold) return wrong("its hold is out of range");
  if (terms.extend < Milliseconds{0} || terms.extend > limits::extend) return wrong("its extend is out of range");
  if (terms.queue && (terms.queue->admit_per_tick == 0 || terms.queue->tick < limits::tick_min ||
                      terms.queue->tick > limits::tick_max)) {
    return wrong("its queue terms are out of range");
  }
  if (!in_range(record.created_at) || !in_range(terms.opens_at.value_or(Instant{})) ||
      !in_range(terms.closes_at.value_or(Instant{}))) {
    return wrong("an instant is out of range");
  }
  if (record.available < 0 || record.held < 0 || record.sold < 0 || record.available > terms.stock ||
      record.held > terms.stock || record.sold > terms.stock) {
    return wrong("a counter is out of range");
  }
  if (record.available + record.held + record.sold != terms.stock) {
    return wrong("available + held + sold is not its stock");
  }
  if (record.last_number > UINT32_MAX) return wrong("its last number is out of range");
  if (record.serving > record.last_number) return wrong("serving is above its last number");
  if (record.sold_out_upto > record.serving || record.closed_upto > record.serving) {
    return wrong("a refusal of all who waited is above serving");
  }
  if (record.last_tick > last_tick_of(record)) return wrong("its tick is out of range");
  if (record.settled && (!record.closed || record.held != 0)) return wrong("it is settled, but open or held");
  return std::unique_ptr<SaleLedger>(new SaleLedger(record, context));
}

std::optional<std::string> SaleLedger::restore(const ReservationRecord& record, Instant now) {
  const auto wrong = [&](const std::string& what) {
    return "sale " + terms_.id + ", number " + std::to_string(value(record.ref.number)) + ": " + what;
  };
  if (auto problem = check(record)) return wrong(*problem);
  if (at_rest_ && !fits_rest(record)) return wrong("its sale is settled, and it is not");
  const std::uint64_t hash = customers_.hash(record.customer);
  CustomerId id = customers_.find(record.customer, hash);
  if (auto problem = check_order(record, id)) return wrong(*problem);
  if (id == CustomerId{}) {
    id = customers_.insert(record.customer, hash);
    customers_[id].corrected = refused_upto();
  }
  PackedReservation& packed = reservations_.add(record.quantity);
  const ShortNumber number = reservations_.count();
  packed.key = record.key;
  packed.created_at = record.created_at;
  packed.expires_at = record.expires_at;
  packed.customer = id;
  packed.position = static_cast<std::uint32_t>(record.position);
  packed.state = record.state;
  packed.reason = record.reason;
  packed.refund = record.refund;
  packed.extended = record.extended;
  if (record.returned != 0) reservations_.set_returned(number, record.returned);
  reservations_.set_reference(number, record.reference);
  append_to_chain(customers_[id], number);  // `previous` is what `check_order` has found there
  if (!record.payment_id.empty() || !record.account_number.empty()) {
    reservations_.set_payment(number, record.payment_id, record.account_number);
  }
  if (record.key && now - record.created_at < limits::key_lifetime) {
    reservations_.remember(number, reservations_.hash(record.key), now);
  }
  if (record.claimed_at != Instant{}) reservations_.claim(number, record.claimed_at);
  find_payment_work(number);
  count_restored(number);
  if (terms_.limit_per_customer && customers_[id].units > *terms_.limit_per_customer) {
    return wrong("its customer has more than the limit");
  }
  return std::nullopt;
}

void SaleLedger::count_restored(ShortNumber number) {
  const PackedReservation& record = reservations_[number];
  Customer& customer = customers_[record.customer];
  const ReservationState state = state_of(number);
  if (state == ReservationState::held) {
    recount_->held += record.quantity;
    if (recount_->first_held == 0) recount_->first_held = number;
    if (record.extended) {
      exceptions_ += record.quantity;
      extended_ends_.emplace(record.expires_at, number);
    } else {
      recount_->last_expiry = record.expires_at;
    }
  }
  if (state == ReservationState::confirmed) recount_->sold += record.quantity;
  const bool open = state == ReservationState::queued || state == ReservationState::held;
  if (open) ++customer.open;
  if (open || state == ReservationState::confirmed) customer.units += record.quantity;
}

/// What can be seen of the record alone.
std::optional<std::string> SaleLedger::check(const ReservationRecord& record) const {
  using enum ReservationState;
  const auto state = static_cast<unsigned>(record.state);
  if (record.customer.empty() || record.customer.size() > limits::customer_bytes)
    return "its customer has no valid length";
  if (record.quantity < 1 || record.quantity > limits::quantity) return "its quantity is out of range";
  if (terms_.unit_price > limits::amount / record.quantity) return "its amount is out of range";
  if (record.returned < 0 || record.returned > limits::quantity - record.quantity)
    return "its units that were returned are out of range";
  if (record.returned != 0 && record.state != confirmed && record.state != returned) {
    return "units were returned that it never had";
  }
  if (record.reference.size() > limits::reference_bytes) return "its reference is too long";
  if (state < static_cast<unsigned>(queued) || state > static_cast<unsigned>(returned)) return "its state is unknown";
  if (static_cast<unsigned>(record.reason) > static_cast<unsigned>(Reason::payment_refused))
    return "its reason is unknown";
  if (static_cast<unsigned>(record.refund) > static_cast<unsigned>(Refund::done)) return "its refund is unknown";
  if (record.position > value(record.ref.number)) return "its position is above its number";
  if (record.state == held && record.expires_at == Instant{}) return "it is held without an end";
  if (record.state == queued && record.position == 0) return "it is queued without a position";
  if (record.claimed_at != Instant{} && record.state != held && record.state != expired) {
    return "a charge runs that cannot";
  }
  if (record.refund != Refund::none && record.state != paid_unfulfilled) return "a refund is due that cannot be";
  return std::nullopt;
}

/// Whether a reservation may be behind those who wait and wait no longer itself: it was cancelled, and perhaps paid
/// after that, and then perhaps fulfilled.
bool SaleLedger::may_have_left_the_line(const ReservationRecord& record) {
  using enum ReservationState;
  if (record.state == cancelled || record.state == paid_unfulfilled) return true;
  const bool was_paid = !record.payment_id.empty() || !record.account_number.empty();
  return was_paid && (record.state == confirmed || record.state == returned);
}

/// What can be seen beside the records before it.
std::optional<std::string> SaleLedger::check_order(const ReservationRecord& record, CustomerId customer) const {
  using enum ReservationState;
  const std::uint64_t number = value(record.ref.number);
  const ShortNumber before = reservations_.count();
  if (number != std::uint64_t{before} + 1) return "the number before it is missing";
  if (number > recount_->last_number) return "it is above the last number of its sale";
  const ShortNumber previous = customer == CustomerId{} ? 0 : customers_[customer].latest;
  if (record.previous != previous) return "it does not name its customer's previous number";
  if (before != 0 && record.created_at < reservations_[before].created_at)
    return "it is older than the number before it";
  const bool waits = record.state == queued && number > refused_upto();
  if (waits && number <= recount_->serving) return "it waits, but was passed over";
  if (number > recount_->serving && !waits && !may_have_left_the_line(record)) return "it was served out of turn";
  if (record.state == held && !record.extended && record.expires_at < recount_->last_expiry)
    return "its hold ends before an earlier one";
  return std::nullopt;
}

std::optional<std::string> SaleLedger::finish_restore() {
  if (!recount_) return std::nullopt;
  const std::unique_ptr<Recount> counted = std::move(recount_);
  const auto wrong = [&](const std::string& what) { return "sale " + terms_.id + ": " + what; };
  const auto differs = [&](const char* name, Units said, Units found) {
    return wrong(std::string{name} + " is " + std::to_string(said) + ", its reservations say " + std::to_string(found));
  };
  if (reservations_.count() != counted->last_number) {
    return wrong("its last number is " + std::to_string(counted->last_number) + ", found " +
                 std::to_string(reservations_.count()));
  }
  if (held_ != counted->held) return differs("held", held_, counted->held);
  if (sold_ != counted->sold) return differs("sold", sold_, counted->sold);
  line_.restore(static_cast<ShortNumber>(counted->serving), static_cast<ShortNumber>(counted->last_number),
                [&](ShortNumber number) { return state_of(number) == ReservationState::queued; });
  if (!line_.empty() && closed_) return wrong("it is closed, but somebody waits");
  charging_ = line_.serving() + 1;
  if (counted->first_held != 0) {
    charging_ = counted->first_held;
    if (terms_.payment == PaymentMode::automatic) want_charging();
  }
  // It may have been stored between two turns of what one command had brought about.
  unsettled_ = head_moves();
  at_rest_ = false;
  needs_mark_ = needs_mark_ && settled();
  plan();
  return std::nullopt;
}

}  // namespace firstcome::sale
