#include "engine/auditor.hpp"

#include <firstcome/limits.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace firstcome::engine {
namespace {

constexpr std::size_t mismatches_told = 100;

/// The state that users see: one fact on the sale refuses all who wait.
ReservationState effective_state(const sale::SaleRecord& sale, const sale::ReservationRecord& record) {
  if (record.state != ReservationState::queued) return record.state;
  const bool refused = value(record.ref.number) <= std::max(sale.sold_out_upto, sale.closed_upto);
  return refused ? ReservationState::refused : ReservationState::queued;
}

/// One that was cancelled while it waited, and perhaps paid after that, may stand behind others that still wait.
bool may_be_behind_those_who_wait(ReservationState state, const sale::ReservationRecord& record) {
  using enum ReservationState;
  if (state == queued || state == cancelled) return true;
  const bool was_held = record.expires_at != Instant{};
  const bool was_paid = !record.payment_id.empty() || !record.account_number.empty();
  return !was_held && was_paid && (state == paid_unfulfilled || state == confirmed || state == returned);
}

}  // namespace

Auditor::Auditor(const sale::SaleRecord& sale, AuditSale::Depth depth, std::size_t most_customers)
    : sale_(sale),
      most_customers_(most_customers),
      counts_customers_(depth == AuditSale::Depth::deep || sale.last_number <= limits::audit_customers_reservations) {}

void Auditor::take(const sale::ReservationRecord& record) {
  const std::uint64_t number = value(record.ref.number);
  if (number != last_number_ + 1) mismatch(fmt::format("numbers {} to {} are missing", last_number_ + 1, number - 1));
  last_number_ = number;
  if (record.created_at < last_created_) ++answer_.number_inversions;
  last_created_ = std::max(last_created_, record.created_at);
  check_order(record);
  if (record.quantity < 1) mismatch(fmt::format("reservation {} has {} units", number, record.quantity));

  switch (effective_state(sale_, record)) {
    case ReservationState::held:
      held_ += record.quantity;
      break;
    case ReservationState::confirmed:
      sold_ += record.quantity;
      ++answer_.orders_wanted;
      break;
    case ReservationState::queued:
      if (number <= sale_.serving)
        mismatch(fmt::format("reservation {} waits, though {} was served", number, sale_.serving));
      break;
    case ReservationState::returned:
      ++answer_.orders_wanted;
      return;  // nor does it count against the customer's limit
    case ReservationState::cancelled:
    case ReservationState::expired:
    case ReservationState::refused:
    case ReservationState::paid_unfulfilled:
      return;  // does not count against the customer's limit
    default:
      mismatch(fmt::format("reservation {} has no state that exists", number));
      return;
  }
  if (counts_customers_ && sale_.terms.limit_per_customer) count_customer(record);
}

void Auditor::count_customer(const sale::ReservationRecord& record) {
  units_of_[record.customer] += record.quantity;
  if (units_of_.size() <= most_customers_) return;
  counts_customers_ = false;
  units_of_ = {};
}

/// Units are granted in the order of numbers: nobody above `serving` has any, and holds that were not extended end in
/// that order.
void Auditor::check_order(const sale::ReservationRecord& record) {
  const std::uint64_t number = value(record.ref.number);
  if (number > sale_.serving && !may_be_behind_those_who_wait(effective_state(sale_, record), record))
    mismatch(fmt::format("reservation {} was decided, though only {} were served", number, sale_.serving));
  if (record.expires_at == Instant{} || record.extended) return;
  if (record.expires_at < last_expiry_) ++answer_.number_inversions;
  last_expiry_ = std::max(last_expiry_, record.expires_at);
}

AuditAnswer Auditor::finish() {
  answer_.outcome = Outcome::done;
  answer_.stock = sale_.terms.stock;
  answer_.held = held_;
  answer_.sold = sold_;
  answer_.available = answer_.stock - held_ - sold_;
  compare("held", sale_.held, held_);
  compare("sold", sale_.sold, sold_);
  compare("available", sale_.available, answer_.available);
  if (answer_.available < 0) mismatch(fmt::format("{} units more are held or sold than the stock", -answer_.available));
  if (last_number_ != sale_.last_number)
    mismatch(fmt::format("the last number given is {}, the last stored is {}", sale_.last_number, last_number_));
  if (counts_customers_) answer_.customers_over_limit = customers_over_limit();
  if (more_mismatches_ > 0) answer_.mismatches.back() = fmt::format("and {} more", more_mismatches_ + 1);
  answer_.ok =
      answer_.mismatches.empty() && answer_.number_inversions == 0 && answer_.customers_over_limit.value_or(0) == 0;
  return std::move(answer_);
}

void Auditor::mismatch(std::string sentence) {
  if (answer_.mismatches.size() < mismatches_told) {
    answer_.mismatches.push_back(std::move(sentence));
  } else {
    ++more_mismatches_;
  }
}

void Auditor::compare(const char* what, Units told, Units counted) {
  if (told != counted) mismatch(fmt::format("the sale says {} {}, its reservations say {}", told, what, counted));
}

std::uint64_t Auditor::customers_over_limit() const {
  if (!sale_.terms.limit_per_customer) return 0;
  return static_cast<std::uint64_t>(std::ranges::count_if(
      units_of_, [&](const auto& customer) { return customer.second > *sale_.terms.limit_per_customer; }));
}

}  // namespace firstcome::engine
