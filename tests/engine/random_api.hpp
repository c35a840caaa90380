// Random commands that the HTTP API would accept, most of them at the ends of their ranges: after a restart the engine
// opens and shows the same as before.
#pragma once

#include "engine/asking.hpp"

#include <firstcome/limits.hpp>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <initializer_list>
#include <limits>
#include <random>
#include <string>
#include <vector>

namespace firstcome::test {

using namespace std::chrono_literals;

inline constexpr Instant year_zero{std::chrono::sys_days{std::chrono::year{0} / 1 / 1}};
inline constexpr Instant year_9999{std::chrono::sys_days{std::chrono::year{10'000} / 1 / 1} - Milliseconds{1}};

inline std::int64_t ms(Instant instant) { return instant.time_since_epoch().count(); }
inline std::int64_t ms(const std::optional<Instant>& instant) { return instant ? ms(*instant) : -1; }

inline std::string text_of(const SaleView& view) {
  const SaleTerms& terms = view.terms;
  return fmt::format("sale {} {} '{}' {} {} {} {} {} {}+{} {}..{} queue {}x{} | {} {} {} {} {} {} {} {} {}\n", terms.id,
                     value(view.handle), terms.name, static_cast<int>(terms.kind), terms.stock, terms.unit_price,
                     terms.limit_per_customer.value_or(-1), terms.max_open.value_or(0), terms.hold.count(),
                     terms.extend.count(), ms(terms.opens_at), ms(terms.closes_at),
                     terms.queue ? terms.queue->admit_per_tick : 0, terms.queue ? terms.queue->tick.count() : 0,
                     static_cast<int>(terms.payment), static_cast<int>(terms.standby), static_cast<int>(view.state),
                     view.available, view.held, view.sold, view.queued, value(view.serving), view.revision);
}

inline std::string text_of(const ReservationView& view) {
  const Payment payment = view.payment.value_or(Payment{});
  return fmt::format("  {} '{}' {} '{}' {} {} {}/{} {} {} {} '{}' '{}' {}\n", value(view.ref.number), view.customer,
                     view.quantity, view.reference, static_cast<int>(view.state), static_cast<int>(view.reason),
                     view.amount, view.charged, ms(view.created_at), ms(view.expires_at),
                     view.expires_in.value_or(-1ms).count(), payment.id, payment.account_number,
                     view.position.value_or(0));
}

/// `Subject` is an engine with a clock of its own and what its restart is: `ask`, `now`, `advance`, `reopen`;
/// `has_locks` and `has_feed` (of all sales together).
template <class Subject>
class RandomApi {
 public:
  explicit RandomApi(std::uint64_t seed) : random_(seed) {}

  void run(int commands) {
    for (int step = 0; step < commands && !::testing::Test::HasFailure(); ++step) {
      SCOPED_TRACE("step " + std::to_string(step));
      pass_time();
      one_command();
      if (chance(7)) restart();
    }
    restart();
  }

 private:
  std::size_t below(std::size_t bound) { return random_() % bound; }
  bool chance(std::size_t percent) { return below(100) < percent; }
  template <class T>
  T one_of(std::initializer_list<T> choices) {
    return choices.begin()[below(choices.size())];
  }
  std::string text(std::initializer_list<std::size_t> lengths) {
    std::string made(one_of(lengths), 'x');
    for (char& c : made) c = static_cast<char>(0x20 + below(0x5F));
    return made;
  }
  std::optional<Instant> instant() {
    const Instant now = subject_.now();
    return one_of<std::optional<Instant>>({std::nullopt, std::nullopt, year_zero, year_9999, now, now - 1ms, now + 1ms,
                                           now + Milliseconds{below(100'000)}, Instant{}, Instant{-1ms}});
  }

  void pass_time() {
    if (chance(60)) return;
    subject_.advance(one_of<Milliseconds>({1ms, 9ms, 10ms, 11ms, 999ms, 1s, 1min, 1h, 24h, 24h * 7}));
  }

  SaleTerms terms() {
    SaleTerms terms;
    terms.id = chance(20) ? std::string(limits::sale_id_bytes, 'z') : "s" + std::to_string(below(4));
    terms.name = chance(20) ? std::string(limits::sale_name_characters, 'n') : terms.id;
    terms.kind = one_of({SaleKind::product, SaleKind::ticket, SaleKind::coupon});
    terms.stock = one_of<Units>({0, 1, 2, 5, limits::quantity, limits::stock});
    terms.unit_price = one_of<Money>({0, 1, 1'000, limits::unit_price});
    terms.limit_per_customer =
        one_of<std::optional<Units>>({std::nullopt, 1, 2, limits::quantity, std::numeric_limits<Units>::max()});
    terms.max_open = one_of<std::optional<std::uint32_t>>({std::nullopt, 1, 2, UINT32_MAX});
    terms.hold = one_of<Milliseconds>({0ms, 1ms, 1s, 1min, limits::hold});
    terms.opens_at = instant();
    terms.closes_at = chance(70) ? std::nullopt : instant();
    if (chance(40)) {
      terms.queue = QueueTerms{one_of<std::uint32_t>({1, 2, limits::admit_per_tick}),
                               one_of<Milliseconds>({limits::tick_min, 1s, limits::tick_max})};
    }
    terms.standby = terms.queue || chance(50) ? Standby::yes : Standby::no;
    terms.extend = one_of<Milliseconds>({0ms, 1ms, 1min, limits::extend});
    if (terms.hold != 0ms && chance(30)) terms.payment = PaymentMode::automatic;
    return terms;
  }

  void one_command() {
    if (sales_.empty() || chance(8)) return create();
    if (chance(45)) return reserve();
    switch (below(16)) {
      case 0:
        return patch();
      case 1:
        return ask(DeleteSale{one_of_sales()});
      case 2:
        return list();
      case 3:
        if constexpr (Subject::has_locks) return lock();
        return reserve();
      case 4:
        return ask(BeginPayment{ref(), chance(50) ? BeginPayment::By::client : BeginPayment::By::worker});
      case 5:
      case 6:
        return ask(FinishPayment{ref(),
                                 one_of({Charge::charged, Charge::declined, Charge::refused, Charge::unreachable}),
                                 {text({1, limits::payment_id_bytes}), text({0, 10, 4'096})}});
      case 7:
        return ask(Confirm{ref(), text({1, limits::payment_id_bytes})});
      case 8:
        return ask(Cancel{ref()});
      case 9:
      case 10:
        return ask(Return{ref(), one_of<std::optional<Units>>({std::nullopt, 1, 2, limits::quantity}),
                          one_of<std::optional<Units>>({std::nullopt, 1, 2, limits::quantity})});
      case 11:
        return ask(Extend{ref(), one_of<Milliseconds>({1ms, 1s, 1min, limits::extend})});
      case 12:
      case 13:
        return ask(Transfer{ref(), customer()});
      case 14:
        return ask(Fulfil{ref()});
      default:
        return ask(FinishRefund{ref()});
    }
  }

  template <class C>
  void ask(C command) {
    ASSERT_TRUE(subject_.ask(std::move(command)));
  }
  const std::string& one_of_sales() { return sales_[below(sales_.size())]; }
  ReservationRef ref() {
    if (refs_.empty() || chance(3)) return {SaleHandle{one_of<std::uint64_t>({0, 1, UINT64_MAX})}, Number{below(3)}};
    return refs_[chance(70) ? refs_.size() - 1 - below(std::min<std::size_t>(refs_.size(), 6)) : below(refs_.size())];
  }

  std::string customer() { return chance(20) ? text({1, limits::customer_bytes}) : "c" + std::to_string(below(4)); }

  void create() {
    SaleTerms made = terms();
    if (std::ranges::find(sales_, made.id) == sales_.end()) sales_.push_back(made.id);
    ask(CreateSale{std::move(made)});
  }

  void reserve() {
    const std::string sale = one_of_sales();
    const auto found = subject_.ask(GetSale{sale});
    ASSERT_TRUE(found);
    const Money price = std::max<Money>(found->sale.terms.unit_price, 1);
    // As at the border: what could not be written as an amount is refused there.
    const Units most = std::min<Units>(limits::quantity, limits::amount / price);
    const std::string name = customer();
    const std::string reference = text({0, 0, 1, limits::reference_bytes});
    Reserve command{sale, name, std::min(one_of<Units>({1, 1, 1, 2, 5, limits::quantity}), most), reference, {}};
    if (chance(40)) command.key = {below(6) + 1, std::hash<std::string>{}(name)};
    const auto answer = subject_.ask(command);
    ASSERT_TRUE(answer);
    if (answer->outcome == Outcome::done || answer->outcome == Outcome::waiting) refs_.push_back(answer->ref);
  }

  void patch() {
    PatchSale command;
    command.sale = one_of_sales();
    using enum PatchSale::State;
    if (chance(50)) {
      command.stock = one_of<Units>({0, 1, 5, 1'000, limits::stock});
    } else if (chance(50)) {
      command.stock_by = one_of<Units>({-limits::stock, -1, 0, 1, 5, limits::stock});
    }
    if (chance(20)) command.closes_at = instant();
    if (chance(10)) command.opens_at = instant();
    if (chance(10)) command.limit_per_customer = one_of<std::optional<Units>>({std::nullopt, 1, 3, limits::stock});
    if (chance(10)) command.max_open = one_of<std::optional<std::uint32_t>>({std::nullopt, 1, UINT32_MAX});
    command.state = chance(5) ? closed : one_of({as_it_is, as_it_is, as_it_is, open, open, paused});
    if (chance(10)) command.if_revision = below(5);
    ask(command);
  }

  void list() {
    ListReservations command;
    command.sale = one_of_sales();
    if (chance(50)) command.customer = "c" + std::to_string(below(4));
    command.after = Number{one_of<std::uint64_t>({0, 1, UINT32_MAX, INT64_MAX, UINT64_MAX - 1, UINT64_MAX})};
    command.limit = one_of<std::uint32_t>({1, limits::page_max});
    ask(command);
    const std::string feed = Subject::has_feed && chance(50) ? std::string() : one_of_sales();
    ask(ReadEvents{feed, value(command.after), command.limit});
  }

  void lock() {
    const std::string name = chance(50) ? "lock" : std::string(limits::lock_name_bytes, 'l');
    const std::string lease(one_of({limits::lock_lease_id_least, limits::lock_lease_id_most}), 'a');
    if (chance(50)) return ask(AcquireLock{name, lease, one_of<Milliseconds>({1ms, 1s, limits::lock_lease}), 0ms});
    if (chance(50)) return ask(RenewLock{name, lease});
    ask(ReleaseLock{name, lease});
  }

  /// Everything that can be asked for, as text.
  std::string everything() {
    std::string shown;
    const SalesAnswer sales = subject_.ask(ListSales{{}, 1'000}).value();
    for (const SaleView& sale : sales.items) {
      shown += text_of(sale);
      const ReservationsAnswer list = subject_.ask(ListReservations{sale.terms.id, {}, {}, 1'000}).value();
      for (const ReservationView& view : list.items) shown += text_of(view);
      const std::string one = "c" + std::to_string(below(4));
      const ReservationsAnswer of_one = subject_.ask(ListReservations{sale.terms.id, one, {}, 1'000}).value();
      EXPECT_EQ(numbers_of(of_one, one), numbers_of(list, one)) << sale.terms.id << " of " << one;
      const AuditAnswer audit = subject_.ask(AuditSale{sale.terms.id}).value();
      EXPECT_TRUE(audit.ok) << sale.terms.id << ": " << (audit.mismatches.empty() ? "" : audit.mismatches.front());
    }
    if constexpr (Subject::has_locks) shown += locks();
    return shown + fmt::format("{} events\n", subject_.ask(FindUndelivered{}).value().events);
  }

  static std::vector<std::uint64_t> numbers_of(const ReservationsAnswer& list, const std::string& customer) {
    std::vector<std::uint64_t> numbers;
    for (const ReservationView& view : list.items)
      if (view.customer == customer) numbers.push_back(value(view.ref.number));
    return numbers;
  }

  std::string locks() {
    std::string shown;
    for (const std::string& name : {std::string("lock"), std::string(limits::lock_name_bytes, 'l')}) {
      const LockAnswer lock = subject_.ask(InspectLock{name}).value();
      shown += fmt::format("lock {} {} {}\n", lock.held, lock.token, lock.expires_in.count());
    }
    return shown;
  }

  void restart() {
    const std::string before = everything();
    ASSERT_NO_THROW(subject_.reopen()) << before;
    EXPECT_EQ(everything(), before);
  }

  std::mt19937_64 random_;
  Subject subject_;
  std::vector<std::string> sales_;
  std::vector<ReservationRef> refs_;
};

}  // namespace firstcome::test
