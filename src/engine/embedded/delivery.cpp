// The outbox as those see it who deliver it: what is behind the watermark, and where the watermark is.
#include "engine/embedded/embedded_impl.hpp"

#include <algorithm>

namespace firstcome::engine {

bool EmbeddedEngine::Impl::outbox_full() const {
  return options.outbox_limit != 0 && store.outbox().undelivered() >= options.outbox_limit;
}

/// What is not delivered of a sale stays: the events are joined with its reservations when they are read.
SaleAnswer EmbeddedEngine::Impl::apply_to_sale(const DeleteSale& command, Instant now) {
  if (options.deliveries == Deliveries::none) return ledger.apply(command, now);
  SaleAnswer present = ledger.apply(GetSale{command.sale}, now);
  if (present.outcome != Outcome::done) return present;
  const OutboxMarks& marks = store.outbox();
  const auto last = marks.last_of_sale.find(value(present.sale.handle));
  const bool has_new = std::ranges::any_of(
      ledger.changes().events, [&](const sale::EventRecord& event) { return event.sale == present.sale.handle; });
  const bool delivered = last == marks.last_of_sale.end() || last->second <= marks.delivered;
  if (delivered && !has_new) return ledger.apply(command, now);
  present.outcome = Outcome::sale_active;
  return present;
}

UndeliveredAnswer EmbeddedEngine::Impl::find_undelivered() const {
  UndeliveredAnswer answer;
  answer.events = store.outbox().undelivered();
  if (answer.events != 0) answer.streams.push_back(whole_store);
  return answer;
}

/// One process has the store, so the relay's token is of no use here.
DeliveredAnswer EmbeddedEngine::Impl::apply_to_outbox(const DeliverEvents& command) {
  const OutboxMarks& marks = store.outbox();
  const std::uint64_t before = std::max(marks.delivered, delivering);
  const std::uint64_t upto = std::min(command.upto, marks.last);
  DeliveredAnswer answer;
  if (command.stream != whole_store) {
    answer.outcome = Outcome::sale_not_found;
  } else if (upto <= before) {
    answer.outcome = Outcome::unchanged;
    answer.upto = before;
  } else {
    delivering = answer.upto = upto;
  }
  return answer;
}

}  // namespace firstcome::engine
