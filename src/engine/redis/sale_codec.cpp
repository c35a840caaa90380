#include "engine/redis/sale_codec.hpp"

#include <algorithm>
#include <type_traits>
#include <utility>

namespace firstcome::engine {
namespace {

std::uint64_t unsigned_of(auto value) { return static_cast<std::uint64_t>(value); }
std::int64_t count_of(Instant at) { return at.time_since_epoch().count(); }
Instant instant_of(std::int64_t count) { return Instant{Milliseconds{count}}; }
Instant read_instant(BinaryReader& reader) { return instant_of(static_cast<std::int64_t>(reader.number(6))); }
Units read_units(BinaryReader& reader, std::size_t bytes) { return static_cast<Units>(reader.number(bytes)); }
bool read_flag(BinaryReader& reader) { return reader.number(1) != 0; }

std::string key_bytes(KeyHash key) {
  BinaryWriter writer;
  writer.number(key.high, 8).number(key.low, 8);
  return writer.take();
}

}  // namespace

SaleKeys::SaleKeys(SaleHandle handle) {
  const std::string tag = "firstcome:{sale-" + std::to_string(value(handle)) + "}:";
  hash = tag + "sale";
  stream = tag + "events";
}

// --- calls ---

namespace {

// What goes to a sale's script has a letter there.
template <class C>
constexpr char letter = 0;
template <>
constexpr char letter<Reserve> = 'R';
template <>
constexpr char letter<GetReservation> = 'G';
template <>
constexpr char letter<ListReservations> = 'L';
template <>
constexpr char letter<BeginPayment> = 'B';
template <>
constexpr char letter<FinishPayment> = 'F';
template <>
constexpr char letter<Confirm> = 'C';
template <>
constexpr char letter<Cancel> = 'X';
template <>
constexpr char letter<Return> = 'T';
template <>
constexpr char letter<FinishRefund> = 'D';
template <>
constexpr char letter<TakePaymentTasks> = 'W';
template <>
constexpr char letter<GetSale> = 'V';
template <>
constexpr char letter<PatchSale> = 'P';

std::string_view word_of(Charge charge) {
  switch (charge) {
    case Charge::charged:
      return "charged";
    case Charge::declined:
      return "declined";
    case Charge::unreachable:
      break;
  }
  return "unreachable";
}

/// What stands behind the letter.
struct Adder {
  net::RedisCommand& call;
  Instant claims_before;

  void operator()(const Reserve& command) {
    call.add(command.customer).add(command.quantity).add(command.reference).add(key_bytes(command.key));
  }
  void operator()(const GetReservation& command) { number(command.ref); }
  void operator()(const ListReservations& command) {
    if (command.customer) call.add(*command.customer);
    call.add(value(command.after)).add(std::max<std::uint32_t>(command.limit, 1));
  }
  void operator()(const BeginPayment& command) {
    number(command.ref);
    call.add(std::string_view{command.by == BeginPayment::By::client ? "client" : "worker"});
  }
  void operator()(const FinishPayment& command) {
    number(command.ref);
    call.add(word_of(command.charge)).add(cut(command.payment.id)).add(cut(command.payment.account_number));
  }
  void operator()(const Confirm& command) {
    number(command.ref);
    call.add(cut(command.payment_id));
  }
  void operator()(const Cancel& command) { number(command.ref); }
  void operator()(const Return& command) { number(command.ref); }
  void operator()(const FinishRefund& command) { number(command.ref); }
  void operator()(const TakePaymentTasks& command) { call.add(command.limit).add(count_of(claims_before)); }
  void operator()(const GetSale&) {}
  void operator()(const PatchSale& command) {
    if (command.stock) {
      call.add(*command.stock);
    } else {
      call.add(std::string_view{});
    }
    if (!command.closes_at) {
      call.add(std::string_view{});
    } else if (!*command.closes_at) {
      call.add(std::string_view{"-"});
    } else {
      call.add(count_of(**command.closes_at));
    }
    call.add(std::string_view{command.close == PatchSale::Close::now ? "closed" : ""});
  }
  void operator()(const auto&) {}

  void number(ReservationRef ref) { call.add(value(ref.number)); }
  /// As the ledger cuts them.
  static std::string_view cut(std::string_view text) { return text.substr(0, 4'096); }
};

}  // namespace

bool goes_to_sale(const Command& command) {
  return std::visit([](const auto& one) { return letter<std::remove_cvref_t<decltype(one)>> != 0; }, command);
}

void add_command(net::RedisCommand& call, const Command& command, Asked asked, Instant claims_before) {
  char sign = std::visit([](const auto& one) { return letter<std::remove_cvref_t<decltype(one)>>; }, command);
  if (sign == 'R' && asked == Asked::remembered) sign = 'K';
  if (const auto* list = std::get_if<ListReservations>(&command); list != nullptr && list->customer) sign = 'M';
  call.add(std::string_view{&sign, 1});
  std::visit(Adder{call, claims_before}, command);
}

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

SaleView view_of(const KnownSale& sale, const SaleSummary& summary, Instant now) {
  SaleView view;
  view.handle = sale.handle;
  view.terms = sale.terms;
  view.terms.stock = summary.stock;
  view.terms.closes_at = summary.closes_at;
  view.available = summary.available;
  view.held = summary.held;
  view.sold = summary.sold;
  view.queued = summary.waiting;
  view.serving = Number{summary.serving};
  if (summary.closed) {
    view.state = SaleState::closed;
  } else if (sale.terms.opens_at && now < *sale.terms.opens_at) {
    view.state = SaleState::scheduled;
  } else if (summary.available + summary.held == 0) {
    view.state = SaleState::sold_out;
  }
  return view;
}

std::optional<sale::ReservationRecord> read_record(std::string_view text, ReservationRef ref) {
  BinaryReader reader(text);
  bool valid = true;
  sale::ReservationRecord record;
  record.ref = ref;
  record.state = read_enum(reader, ReservationState::returned, valid);
  record.reason = read_enum(reader, Reason::sale_closed, valid);
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
    auto view = reservation();
    if (!view) return std::nullopt;
    answer.reservation = std::move(*view);
    return answer;
  }

  std::optional<ReservationView> reservation() {
    ReservationView view;
    bool valid = true;
    view.state = read_enum(reader, ReservationState::returned, valid);
    view.reason = read_enum(reader, Reason::sale_closed, valid);
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
    view.currency = sale.terms.currency;
    view.created_at = record->created_at;
    if (record->expires_at != Instant{}) view.expires_at = record->expires_at;
    if (view.state == ReservationState::held) view.expires_in = record->expires_at - now;
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

void add_records_request(net::RedisCommand& call, std::uint64_t from, std::uint64_t upto) {
  call.add(std::string_view{"A"}).add(from).add(upto);
}

void add_changes_request(net::RedisCommand& call, std::uint64_t after, std::uint32_t most_entries) {
  call.add(std::string_view{"S"}).add(after).add(most_entries);
}

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

void add_erase_request(net::RedisCommand& call, Erased which) {
  call.add(std::string_view{"E"}).add(std::string_view{which == Erased::any ? "any" : "delivered"});
}

void add_forgotten_request(net::RedisCommand& call, std::uint64_t from, std::uint32_t limit, Instant granted_before) {
  call.add(std::string_view{"U"}).add(from).add(limit).add(count_of(granted_before));
}

std::optional<Forgotten> read_forgotten(BinaryReader& reader, const KnownSale& sale) {
  Forgotten result;
  result.next_from = reader.number(4);
  result.tasks = AnswerReader{reader, sale, {}}.tasks();
  if (!reader.ok()) return std::nullopt;
  return result;
}

}  // namespace firstcome::engine
