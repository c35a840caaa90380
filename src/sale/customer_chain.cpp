// The reservations of one customer: a chain from the latest to the first, each naming the one before it.
//
// A page is asked for from its oldest number on, which lies at the far end of the chain, and a chain may have a million
// links (a till that reserves for everybody). So every 256th link is a mark that also names the mark before it. Marks
// only tell where to begin walking: the links decide what belongs to the chain.
#include "sale/sale_ledger.hpp"

#include <algorithm>

namespace firstcome::sale {

namespace {

constexpr std::size_t links_per_mark = 256;

}  // namespace

/// Makes `number` the customer's latest. Cost: one step; at every 256th about 256.
void SaleLedger::append_to_chain(Customer& customer, ShortNumber number) {
  reservations_[number].previous = customer.latest;
  customer.latest = number;
  if (++customer.unmarked != 0) return;  // counts to 256 and begins again
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

}  // namespace firstcome::sale
