// What is asked of a sale's script: commands and requests as its arguments.
#include "engine/redis/sale_codec.hpp"

#include <algorithm>
#include <type_traits>

namespace firstcome::engine {
namespace {

std::int64_t count_of(Instant at) { return at.time_since_epoch().count(); }

std::string key_bytes(KeyHash key) {
  BinaryWriter writer;
  writer.number(key.high, 8).number(key.low, 8);
  return writer.take();
}

}  // namespace

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
constexpr char letter<Extend> = 'Y';
template <>
constexpr char letter<Transfer> = 'Z';
template <>
constexpr char letter<Fulfil> = 'H';
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
    case Charge::refused:
      return "refused";
    case Charge::unreachable:
      break;
  }
  return "unreachable";
}

std::string_view word_of(PatchSale::State state) {
  switch (state) {
    case PatchSale::State::open:
      return "open";
    case PatchSale::State::paused:
      return "paused";
    case PatchSale::State::closed:
      return "closed";
    case PatchSale::State::as_it_is:
      break;
  }
  return {};
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
  void operator()(const Return& command) {
    number(command.ref);
    add_unless_empty(command.quantity);
    add_unless_empty(command.if_quantity);
  }
  void operator()(const Extend& command) {
    number(command.ref);
    call.add(command.by.count());
  }
  void operator()(const Transfer& command) {
    number(command.ref);
    call.add(std::string_view{command.customer});
  }
  void operator()(const Fulfil& command) { number(command.ref); }
  void operator()(const FinishRefund& command) { number(command.ref); }
  void operator()(const TakePaymentTasks& command) { call.add(command.limit).add(count_of(claims_before)); }
  void operator()(const GetSale&) {}
  void operator()(const PatchSale& command) {
    add_unless_empty(command.stock);
    add_unless_empty(command.stock_by);
    add(command.closes_at);
    add(command.opens_at);
    const auto limit_of = [](const std::optional<Units>& limit) { return script_limit(limit); };
    const auto count_or_none = [](const std::optional<std::uint32_t>& count) { return count.value_or(0); };
    add_unless_empty(command.limit_per_customer.transform(limit_of));
    add_unless_empty(command.max_open.transform(count_or_none));
    call.add(word_of(command.state));
    add_unless_empty(command.if_revision);
  }
  void operator()(const auto&) {}

  void number(ReservationRef ref) { call.add(value(ref.number)); }
  template <class Integer>
  void add_unless_empty(const std::optional<Integer>& value) {
    if (value) {
      call.add(*value);
    } else {
      call.add(std::string_view{});
    }
  }
  void add(const std::optional<std::optional<Instant>>& change) {
    if (change && !*change) {
      call.add(std::string_view{"-"});
    } else {
      add_unless_empty(change ? std::optional(count_of(**change)) : std::nullopt);
    }
  }
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

// --- requests ---

void add_records_request(net::RedisCommand& call, std::uint64_t from, std::uint64_t upto) {
  call.add(std::string_view{"A"}).add(from).add(upto);
}

void add_changes_request(net::RedisCommand& call, std::uint64_t after, std::uint32_t most_entries) {
  call.add(std::string_view{"S"}).add(after).add(most_entries);
}

void add_erase_request(net::RedisCommand& call, Erased which) {
  call.add(std::string_view{"E"}).add(std::string_view{which == Erased::any ? "any" : "delivered"});
}

void add_forgotten_request(net::RedisCommand& call, std::uint64_t from, std::uint32_t limit, Instant granted_before) {
  call.add(std::string_view{"U"}).add(from).add(limit).add(count_of(granted_before));
}

}  // namespace firstcome::engine
