// The reservations of one customer: a chain from the latest to the first, each naming the one before it.
//
// A page is asked for from its oldest number on, which lies at the far end of the chain, and a chain may have a million
// links (a till that reserves for everybody). So every 256th link is a mark that also names the mark before it. Marks
// only tell where to begin walking: the links decide what belongs to the chain. A reservation that goes to another
// customer leaves its mark to its neighbour, so that marks stay as close as they were.
#include "sale/sale_ledger.hpp"

#include <firstcome/limits.hpp>

#include <algorithm>

namespace firstcome::sale {

namespace {

constexpr std::size_t links_per_mark = 256;

}  // namespace

/// Makes `number` the customer's latest. Cost: one step; at every 256th about 256.
void SaleLedger::append_to_chain(Customer& customer, ShortNumber number) {
  reservations_[number].previous = customer.latest;
  customer.latest = number;
  if (++customer.unmarked == 0) set_first_mark(number);  // counts to 256 and begins again
}

/// Makes a mark of a number behind which there is none. Cost: the links back to the mark before.
void SaleLedger::set_first_mark(ShortNumber number) {
  ShortNumber before = reservations_[number].previous;
  while (before != 0 && reservations_.mark_before(before) == 0) before = reservations_[before].previous;
  reservations_.set_mark(number, before == 0 ? number : before);
}

/// Returns the first `count` numbers of the customer above `after`, rising; fewer where there are no more. Cost: the
/// marks above `after`, and about `count` + 512 links.
std::vector<ShortNumber> SaleLedger::first_of_chain(CustomerId id, ShortNumber after, std::size_t count) const {
  const auto previous = [&](ShortNumber number) { return reservations_[number].previous; };
  std::vector<ShortNumber> starts{customers_[id].latest};  // falling
  ShortNumber mark = starts.back();
  while (mark > after && reservations_.mark_before(mark) == 0) mark = previous(mark);
  while (mark > after) {
    starts.push_back(mark);
    const ShortNumber before = reservations_.mark_before(mark);
    if (before >= mark || before == 0 || reservations_[before].customer != id) break;
    mark = before;
  }
  const std::size_t step = count / links_per_mark + 2;
  std::vector<ShortNumber> numbers;
  for (std::size_t at = starts.size(); numbers.size() < count && at > 0;) {
    at -= std::min(at, step);
    numbers.clear();
    for (ShortNumber number = starts[at]; number > after; number = previous(number)) numbers.push_back(number);
  }
  std::ranges::reverse(numbers);
  numbers.resize(std::min(numbers.size(), count));
  return numbers;
}

// --- another customer ---

/// The customer's first reservation after `number`; 0: there is none. Nothing: too many are later.
std::optional<ShortNumber> SaleLedger::next_later(const Customer& customer, ShortNumber number) const {
  ShortNumber later = 0;
  std::size_t steps = 0;
  for (ShortNumber at = customer.latest; at > number; at = reservations_[at].previous) {
    if (++steps > limits::chain_steps) return std::nullopt;
    later = at;
  }
  return later;
}

/// The first mark of the customer after `number`; 0: there is none. REQUIRES: `next_later` has found all after it.
ShortNumber SaleLedger::next_mark(const Customer& customer, ShortNumber number) const {
  ShortNumber mark = 0;
  for (ShortNumber at = customer.latest; at > number; at = reservations_[at].previous) {
    if (reservations_.mark_before(at) != 0) mark = at;
  }
  return mark;
}

/// Makes `number` the one before `later`, or the latest where that is 0.
void SaleLedger::link(Customer& customer, ShortNumber later, ShortNumber number) {
  if (later == 0) {
    customer.latest = number;
  } else {
    reservations_[later].previous = number;
    changed(later);
  }
}

/// `later` is what `next_later` says.
void SaleLedger::take_from_chain(Customer& customer, ShortNumber number, ShortNumber later) {
  if (const ShortNumber named = reservations_.mark_before(number)) {
    const ShortNumber heir = reservations_[number].previous;
    if (heir != 0 && reservations_.mark_before(heir) == 0) reservations_.set_mark(heir, named == number ? heir : named);
    if (const ShortNumber mark = next_mark(customer, number)) reservations_.set_mark(mark, heir == 0 ? mark : heir);
    reservations_.set_mark(number, 0);
  }
  link(customer, later, reservations_[number].previous);
}

/// `later` is what `next_later` says.
void SaleLedger::put_into_chain(Customer& customer, ShortNumber number, ShortNumber later) {
  if (later == 0) return append_to_chain(customer, number);
  reservations_[number].previous = reservations_[later].previous;
  link(customer, later, number);
  std::size_t unmarked = 0;
  for (ShortNumber at = reservations_[number].previous; at != 0 && reservations_.mark_before(at) == 0;
       at = reservations_[at].previous) {
    if (++unmarked == links_per_mark) break;
  }
  if (unmarked < links_per_mark) return;
  const ShortNumber after = next_mark(customer, number);
  set_first_mark(number);
  if (after != 0) reservations_.set_mark(after, number);
}

/// The customer's latest that is queued or held; 0: none was found.
ShortNumber SaleLedger::latest_open(const Customer& customer) const {
  std::size_t steps = 0;
  for (ShortNumber number = customer.latest; number != 0; number = reservations_[number].previous) {
    const ReservationState state = state_of(number);
    if (state == ReservationState::queued || state == ReservationState::held) return number;
    if (++steps == limits::chain_steps) break;
  }
  return 0;
}

}  // namespace firstcome::sale
