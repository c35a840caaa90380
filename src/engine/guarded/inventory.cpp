#include "engine/guarded/inventory.hpp"

#include <algorithm>

namespace firstcome::engine {

std::optional<Outcome> refusal(const Purchase& purchase, const Seen& seen) {
  if (seen.same_key) {
    const Seen::Earlier& earlier = *seen.same_key;
    if (earlier.quantity != purchase.quantity || earlier.reference != purchase.reference) {
      return Outcome::idempotency_key_reused;
    }
    return earlier.paid || holds_for_customers(purchase.terms) ? Outcome::unchanged : Outcome::request_in_progress;
  }
  const std::optional<Units>& limit = purchase.terms.limit_per_customer;
  if (limit && seen.of_customer > *limit - purchase.quantity) return Outcome::limit_exceeded;
  if (purchase.terms.max_open && seen.open_of_customer >= *purchase.terms.max_open) return Outcome::already_open;
  if (seen.available <= 0) return Outcome::sold_out;
  if (seen.available < purchase.quantity) return Outcome::not_enough;
  return std::nullopt;
}

Sold refused(Outcome outcome, const Purchase& purchase, const Seen& seen) {
  Sold answer;
  answer.outcome = outcome;
  if (outcome == Outcome::unchanged && seen.same_key) {
    answer.number = seen.same_key->number;
    answer.at = seen.same_key->at;
    answer.payment = seen.same_key->payment;
  }
  if (outcome == Outcome::not_enough) answer.left = std::max<Units>(0, seen.available);
  if (outcome == Outcome::limit_exceeded) {
    answer.left = std::max<Units>(0, purchase.terms.limit_per_customer.value_or(0) - seen.of_customer);
  }
  return answer;
}

}  // namespace firstcome::engine
