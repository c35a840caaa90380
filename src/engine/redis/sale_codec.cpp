#include "engine/redis/sale_codec.hpp"

#include <algorithm>
#include <utility>

namespace firstcome::engine {
namespace {

Instant instant_of(std::int64_t count) { return Instant{Milliseconds{count}}; }
Instant read_instant(BinaryReader& reader) { return instant_of(static_cast<std::int64_t>(reader.number(6))); }
Units read_units(BinaryReader& reader, std::size_t bytes) { return static_cast<Units>(reader.number(bytes)); }
bool read_flag(BinaryReader& reader) { return reader.number(1) != 0; }

}  // namespace

SaleKeys::SaleKeys(SaleHandle handle) {
  const std::string tag = "firstcome:{sale-" + std::to_string(value(handle)) + "}:";
  hash = tag + "sale";
  stream = tag + "events";
}

// --- replies ---

SaleSummary read_summary(BinaryReader& reader) {
  SaleSummary summary;
  summary.available = read_units(reader, 4);
  summary.held = read_units(reader, 4);
  summary.sold = read_units(reader, 4);
  summary.stock = read_units(reader, 4);
  summary.waiting = reader.number(4);
  summary.serving = reader.number(4);
  summary.last = reader.number(4);
  summary.closed = read_flag(reader);
  const bool closes = read_flag(reader);
  const std::int64_t closes_at = reader.signed_number();
  if (closes) summary.closes_at = instant_of(closes_at);
  const bool opens = read_flag(reader);
  const std::int64_t opens_at = reader.signed_number();
  if (opens) summary.opens_at = instant_of(opens_at);
  summary.limit_per_customer = read_units(reader, 6);
  summary.max_open = static_cast<std::uint32_t>(reader.number(4));
  summary.paused = read_flag(reader);
  summary.revision = reader.number(6);
  return summary;
}

CallHead read_head(BinaryReader& reader) {
  CallHead head;
  head.now = read_instant(reader);
  head.decided = static_cast<std::uint32_t>(reader.number(4));
  head.more_due = read_flag(reader);
  const std::uint64_t facts = reader.number(1);
  head.kept = (facts & 2U) != 0;
  head.incarnation = Incarnation{static_cast<std::uint32_t>(reader.number(4))};
  const std::uint64_t work = reader.number(1);
  head.charges = (work & 1U) != 0;
  head.unfinished = (work & 2U) != 0;
  const std::int64_t due_in = reader.signed_number();
  if (due_in >= 0) head.due_in = Milliseconds{due_in};
  head.outbox.events = reader.number(6);
  head.outbox.delivered = reader.number(6);
  head.sale = read_summary(reader);
  return head;
}

namespace {

SaleState state_of(const SaleSummary& summary, Instant now) {
  if (summary.closed) return SaleState::closed;
  if (summary.opens_at && now < *summary.opens_at) return SaleState::scheduled;
  if (summary.paused) return SaleState::paused;
  return summary.available + summary.held == 0 ? SaleState::sold_out : SaleState::open;
}

/// Nothing for 0.
template <class Integer>
std::optional<Integer> unless_zero(Integer value) {
  return value == 0 ? std::nullopt : std::optional(value);
}

}  // namespace

SaleView view_of(const KnownSale& sale, const SaleSummary& summary, Instant now) {
  SaleView view;
  view.handle = sale.handle;
  view.terms = sale.terms;
  view.terms.stock = summary.stock;
  view.terms.closes_at = summary.closes_at;
  view.terms.opens_at = summary.opens_at;
  // A limit that scripts cannot count is known from the creation.
  const bool as_created = summary.limit_per_customer == script_limit(sale.terms.limit_per_customer);
  if (!as_created) view.terms.limit_per_customer = unless_zero(summary.limit_per_customer);
  view.terms.max_open = unless_zero(summary.max_open);
  view.state = state_of(summary, now);
  view.available = summary.available;
  view.held = summary.held;
  view.sold = summary.sold;
  view.queued = summary.waiting;
  view.serving = Number{summary.serving};
  view.revision = summary.revision;
  return view;
}

std::optional<sale::ReservationRecord> read_record(std::string_view text, ReservationRef ref) {
  BinaryReader reader(text);
  bool valid = true;
  sale::ReservationRecord record;
  record.ref = ref;
  record.state = read_enum(reader, ReservationState::returned, valid);
  record.reason = read_enum(reader, Reason::payment_refused, valid);
  record.refund = read_enum(reader, sale::Refund::done, valid);
  record.quantity = read_units(reader, 3);
  record.created_at = read_instant(reader);
  record.expires_at = read_instant(reader);
  record.claimed_at = read_instant(reader);
  record.position = reader.number(4);
  record.previous = reader.number(4);
  record.key.high = reader.number(8);
  record.key.low = reader.number(8);
  record.customer = reader.text(1);
  record.reference = reader.text(1);
  record.payment_id = reader.text(2);
  record.account_number = reader.text(2);
  if (!reader.at_end()) {
    record.extended = read_flag(reader);
    record.returned = read_units(reader, 3);
  }
  if (!valid || record.state == ReservationState{} || !reader.ok() || !reader.at_end()) return std::nullopt;
  return record;
}

// --- answers ---

namespace {

std::optional<sale::ReservationRecord> read_numbered_record(BinaryReader& reader, SaleHandle handle) {
  const Number number{reader.number(4)};
  return read_record(reader.text(4), {handle, number});
}

/// What one reader of answers needs.
struct AnswerReader {
  BinaryReader& reader;
  const KnownSale& sale;
  Instant now;

  using Result = std::optional<Answer>;

  Result operator()(const Reserve& command) {
    ReserveAnswer answer;
    answer.outcome = outcome();
    const Number number{reader.number(4)};
    if (number != Number{}) answer.ref = {sale.handle, number};
    const auto state = static_cast<ReservationState>(reader.number(1));
    if (state != ReservationState{}) answer.state = state;
    answer.created_at = read_instant(reader);
    answer.position = reader.number(4);
    answer.left = read_units(reader, 6);
    answer.retry_after = Milliseconds{static_cast<std::int64_t>(reader.number(6))};
    answer.currency = sale.terms.currency;
    if (answer.outcome == Outcome::done || answer.outcome == Outcome::waiting || answer.outcome == Outcome::unchanged) {
      answer.hold = sale.terms.hold;
      answer.amount = sale.terms.unit_price * static_cast<Money>(command.quantity);
    }
    return answer;
  }

  Result operator()(const GetReservation&) { return one(); }
  Result operator()(const BeginPayment&) { return one(); }
  Result operator()(const FinishPayment&) { return one(); }
  Result operator()(const Confirm&) { return one(); }
  Result operator()(const Cancel&) { return one(); }
  Result operator()(const Return&) { return one(); }
  Result operator()(const Extend&) { return one(); }
  Result operator()(const Transfer&) { return one(); }
  Result operator()(const Fulfil&) { return one(); }
  Result operator()(const FinishRefund&) { return one(); }

  Result operator()(const ListReservations&) {
    ReservationsAnswer answer{.outcome = Outcome::done, .items = {}, .next = Number{reader.number(4)}};
    for (std::uint64_t left = reader.number(4); left > 0 && reader.ok(); --left) {
      auto item = reservation();
      if (!item) return std::nullopt;
      answer.items.push_back(std::move(*item));
    }
    return answer;
  }

  Result operator()(const TakePaymentTasks&) {
    PaymentTasksAnswer answer;
    answer.tasks = tasks();
    return answer;
  }

  Result operator()(const GetSale&) {
    return SaleAnswer{.outcome = Outcome::done, .sale = view_of(sale, read_summary(reader), now)};
  }
  Result operator()(const PatchSale&) { return decided_sale(); }
  Result operator()(const DeleteSale&) { return decided_sale(); }
  Result operator()(const auto&) { return std::nullopt; }

  Outcome outcome() { return static_cast<Outcome>(reader.number(1)); }

  SaleAnswer decided_sale() {
    const Outcome decided = outcome();
    return {.outcome = decided, .sale = view_of(sale, read_summary(reader), now)};
  }

  Result one() {
    ReservationAnswer answer;
    answer.outcome = outcome();
    if (answer.outcome == Outcome::reservation_not_found) return answer;
    const bool tells_left = answer.outcome == Outcome::not_enough || answer.outcome == Outcome::limit_exceeded ||
                            answer.outcome == Outcome::reservation_changed;
    if (tells_left) answer.left = read_units(reader, 6);
    auto view = reservation();
    if (!view) return std::nullopt;
    answer.reservation = std::move(*view);
    return answer;
  }

  std::optional<ReservationView> reservation() {
    ReservationView view;
    bool valid = true;
    view.state = read_enum(reader, ReservationState::returned, valid);
    view.reason = read_enum(reader, Reason::payment_refused, valid);
    const std::uint64_t position = reader.number(4);
    const std::int64_t eta = reader.signed_number();
    auto record = read_numbered_record(reader, sale.handle);
    if (!record || !valid) return std::nullopt;
    view.ref = record->ref;
    view.sale_id = sale.terms.id;
    view.customer = std::move(record->customer);
    view.quantity = record->quantity;
    view.reference = std::move(record->reference);
    view.amount = sale.terms.unit_price * static_cast<Money>(record->quantity);
    view.charged = view.amount + sale.terms.unit_price * static_cast<Money>(record->returned);
    view.currency = sale.terms.currency;
    view.created_at = record->created_at;
    if (record->expires_at != Instant{}) view.expires_at = record->expires_at;
    if (view.state == ReservationState::held) {
      view.expires_in = std::max(record->expires_at - now, Milliseconds{0});
    }
    if (!record->payment_id.empty() || !record->account_number.empty()) {
      view.payment = Payment{.id = std::move(record->payment_id), .account_number = std::move(record->account_number)};
    }
    if (view.state == ReservationState::queued) {
      view.position = position;
      if (eta >= 0) view.eta = Milliseconds{eta};
    }
    return view;
  }

  std::vector<PaymentTask> tasks() {
    std::vector<PaymentTask> result;
    for (std::uint64_t left = reader.number(4); left > 0 && reader.ok(); --left) {
      PaymentTask task;
      task.ref = {sale.handle, Number{reader.number(4)}};
      task.action = static_cast<PaymentTask::Action>(reader.number(1));
      task.amount = sale.terms.unit_price * static_cast<Money>(reader.number(4));
      result.push_back(task);
    }
    return result;
  }
};

}  // namespace

std::optional<Answer> read_answer(BinaryReader& reader, const Command& command, const KnownSale& sale, Instant now) {
  auto answer = std::visit(AnswerReader{reader, sale, now}, command);
  return reader.ok() ? std::move(answer) : std::nullopt;
}

// --- pages ---

std::optional<CountedPage> read_page(BinaryReader& reader, SaleHandle handle) {
  CountedPage page;
  page.events = reader.number(6);
  page.sold_out_upto = reader.number(4);
  page.closed_upto = reader.number(4);
  page.reached = reader.number(6);
  for (std::uint64_t left = reader.number(4); left > 0; --left) {
    auto record = read_numbered_record(reader, handle);
    if (!record) return std::nullopt;
    page.records.push_back(std::move(*record));
  }
  if (!reader.ok()) return std::nullopt;
  return page;
}

std::optional<Forgotten> read_forgotten(BinaryReader& reader, const KnownSale& sale) {
  Forgotten result;
  result.next_from = reader.number(4);
  result.tasks = AnswerReader{reader, sale, {}}.tasks();
  if (!reader.ok()) return std::nullopt;
  return result;
}

}  // namespace firstcome::engine
