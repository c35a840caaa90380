#include "payment/cashier.hpp"

#include "payment/counted.hpp"
#include "payment/engine_caller.hpp"
#include "payment/turnstile.hpp"

#include <boost/asio/co_spawn.hpp>
#include <spdlog/spdlog.h>

#include <atomic>
#include <exception>
#include <set>
#include <string>
#include <utility>

namespace firstcome::payment {

namespace asio = boost::asio;

namespace {

/// Somebody who waits for a payment.
class Customer {
 public:
  Customer(IoExecutor executor, std::move_only_function<void(PaymentResult)> done)
      : timer(executor), done_(std::move(done)) {}

  void answer(PaymentResult result) {
    if (!done_) return;
    timer.cancel();
    std::exchange(done_, nullptr)(std::move(result));
  }

  Timer timer;

 private:
  std::move_only_function<void(PaymentResult)> done_;
};

using CustomerPtr = std::shared_ptr<Customer>;

void rethrow(std::exception_ptr failed) {
  if (failed) std::rethrow_exception(failed);
}

Failure still_unknown() { return {FailureCode::outcome_unknown, "the payment's outcome is not known yet"}; }

}  // namespace

// Coroutines hold it by a shared pointer: what is dropped with the io_context may be dropped after the Cashier.
struct Cashier::Impl : std::enable_shared_from_this<Cashier::Impl> {
  Impl(Engine& engine_, Gateway& gateway_, engine::ReservationIds ids_, IoExecutor executor_, CashierOptions options_)
      : caller(engine_, executor_),
        gateway(gateway_),
        ids(std::move(ids_)),
        executor(executor_),
        options(options_),
        pauses(executor_),
        charges_again(executor_, options_.asking_again),
        refunds_again(executor_, options_.asking_again) {}

  /// Whether an earlier request with the same key may have reached the gateway.
  enum class Earlier { none, possible };

  static Task<void> serve(std::shared_ptr<Impl> self, ReservationRef ref, BeginPayment::By by, CustomerPtr customer);
  static Task<PaymentResult> charge(std::shared_ptr<Impl> self, ReservationRef ref, BeginPayment::By by,
                                    OnTrouble trouble);
  static Task<void> settle(std::shared_ptr<Impl> self, ReservationRef ref, OnTrouble trouble);
  static Task<void> refund(std::shared_ptr<Impl> self, ReservationRef ref, OnTrouble trouble);

  void welcome(const CustomerPtr& customer);
  Task<PaymentResult> finish(ReservationView reservation, Earlier earlier, OnTrouble trouble);
  Task<std::optional<ChargeResult>> charge_until_known(ChargeRequest request, Earlier earlier, OnTrouble trouble);
  Task<bool> refund_until_done(std::string key, OnTrouble trouble);
  template <typename C>
  Task<std::optional<typename C::Answer>> ask_until_answered(C command);
  void count(Charge charge);
  std::string key_of(ReservationRef ref);

  EngineCaller caller;
  Gateway& gateway;
  engine::ReservationIds ids;
  IoExecutor executor;
  CashierOptions options;
  Pauses pauses;
  Turnstile charges_again, refunds_again;

  std::set<CustomerPtr> customers;     // not answered yet
  std::multiset<ReservationRef> busy;  // claims that are being charged here
  std::set<ReservationRef> refunding;

  std::atomic<bool> stopped = false;
  std::atomic<std::uint64_t> payments = 0;  // of customers, under way
  std::atomic<std::uint64_t> running = 0;
  std::atomic<std::uint64_t> charged = 0, declined = 0, unreachable = 0, asked_again = 0, stored_again = 0;
  std::atomic<std::uint64_t> refunds = 0, settled = 0, overloaded = 0;
};

namespace {

template <typename Set>
class Member {
 public:
  Member(Set& set, ReservationRef ref) : set_(set), ref_(ref) { set_.insert(ref_); }
  ~Member() { set_.erase(set_.find(ref_)); }
  Member(const Member&) = delete;
  Member& operator=(const Member&) = delete;

 private:
  Set& set_;
  ReservationRef ref_;
};

}  // namespace

namespace {

void tell_once(Cashier::OnTrouble& trouble) {
  if (trouble) std::exchange(trouble, nullptr)();
}

}  // namespace

std::string Cashier::Impl::key_of(ReservationRef ref) {
  const engine::ReservationIdText text = ids.encode(ref);
  return {text.begin(), text.end()};
}

void Cashier::Impl::count(Charge charge) {
  if (charge == Charge::charged) ++charged;
  if (charge == Charge::declined || charge == Charge::refused) ++declined;
  if (charge == Charge::unreachable) ++unreachable;
}

/// Nothing where everything is being abandoned.
template <typename C>
Task<std::optional<typename C::Answer>> Cashier::Impl::ask_until_answered(C command) {
  Retry retry(pauses, options.store);
  for (;;) {
    C copy = command;
    std::expected<typename C::Answer, Failure> answer = co_await caller.ask(std::move(copy));
    if (answer) co_return std::move(*answer);
    if (retry.notable()) spdlog::warn("payments: the engine does not take an outcome: {}", answer.error().detail);
    ++stored_again;
    if (!co_await retry.wait()) co_return std::nullopt;
  }
}

/// Nothing where everything is being abandoned.
Task<std::optional<ChargeResult>> Cashier::Impl::charge_until_known(ChargeRequest request, Earlier earlier,
                                                                    OnTrouble trouble) {
  Retry retry(pauses, options.gateway);
  std::optional<Turnstile::Place> place;
  for (;;) {
    const auto reply = std::make_shared<OneShot<ChargeResult>>(executor);
    gateway.charge(request, [reply](ChargeResult result) { reply->set(std::move(result)); });
    std::optional<ChargeResult> result = co_await reply->wait(no_deadline);  // the gateway has a time-out
    const ChargeOutcome outcome = result->outcome;
    const bool is_declined = outcome == ChargeOutcome::declined || outcome == ChargeOutcome::refused;
    if (outcome == ChargeOutcome::charged || is_declined) co_return result;
    // Not reached this time; but it may have been before.
    if (outcome == ChargeOutcome::unreachable && earlier == Earlier::none) co_return result;
    earlier = Earlier::possible;
    if (retry.notable()) spdlog::warn("payments: charge {} is unknown, asking again: {}", request.key, result->detail);
    ++asked_again;
    tell_once(trouble);
    place.reset();
    if (!co_await retry.wait()) co_return std::nullopt;
    place = co_await charges_again.enter();
    if (!place) co_return std::nullopt;
  }
}

/// False where everything is being abandoned.
Task<bool> Cashier::Impl::refund_until_done(std::string key, OnTrouble trouble) {
  Retry retry(pauses, options.gateway);
  std::optional<Turnstile::Place> place;
  for (;;) {
    const auto reply = std::make_shared<OneShot<RefundOutcome>>(executor);
    gateway.refund(key, [reply](RefundOutcome outcome) { reply->set(outcome); });
    const std::optional<RefundOutcome> outcome = co_await reply->wait(no_deadline);
    if (outcome == RefundOutcome::refunded) co_return true;
    if (retry.notable()) spdlog::warn("payments: refund {} failed, asking again", key);
    ++asked_again;
    tell_once(trouble);
    place.reset();
    if (!co_await retry.wait()) co_return false;
    place = co_await refunds_again.enter();
    if (!place) co_return false;
  }
}

/// Ends a claim: charges and stores the outcome.
Task<PaymentResult> Cashier::Impl::finish(ReservationView reservation, Earlier earlier, OnTrouble trouble) {
  const ReservationRef ref = reservation.ref;
  const Member member(busy, ref);
  ChargeRequest request;
  request.key = key_of(ref);
  request.amount = reservation.amount;
  request.currency = reservation.currency;
  std::optional<ChargeResult> result = co_await charge_until_known(std::move(request), earlier, std::move(trouble));
  if (!result) co_return std::unexpected(still_unknown());

  FinishPayment command;
  command.ref = ref;
  if (result->outcome == ChargeOutcome::charged) command.charge = Charge::charged;
  if (result->outcome == ChargeOutcome::declined) command.charge = Charge::declined;
  if (result->outcome == ChargeOutcome::refused) command.charge = Charge::refused;
  command.payment.id = std::move(result->payment_id);
  command.payment.account_number = std::move(result->account_number);
  const Charge charge = command.charge;
  std::optional<ReservationAnswer> answer = co_await ask_until_answered(std::move(command));
  if (!answer) co_return std::unexpected(still_unknown());
  count(charge);

  // Cannot happen while claims are ours alone; but nobody's money may stay without a reservation.
  const bool nobodys = answer->outcome == Outcome::reservation_not_found ||
                       (answer->outcome == Outcome::unchanged && !answer->reservation.payment);
  if (charge == Charge::charged && nobodys) {
    spdlog::error("payments: {} was charged and has no claim; paying it back", key_of(ref));
    OnTrouble nobody_waits;
    if (co_await refund_until_done(key_of(ref), std::move(nobody_waits))) ++refunds;
  }
  co_return std::move(*answer);
}

Task<PaymentResult> Cashier::Impl::charge(std::shared_ptr<Impl> self, ReservationRef ref, BeginPayment::By by,
                                          OnTrouble trouble) {
  const Counted counted(self->running);
  BeginPayment command;
  command.ref = ref;
  command.by = by;
  PaymentResult begun = co_await self->caller.ask(std::move(command));
  if (!begun || begun->outcome != Outcome::done) co_return begun;
  co_return co_await self->finish(std::move(begun->reservation), Earlier::none, std::move(trouble));
}

Task<void> Cashier::Impl::settle(std::shared_ptr<Impl> self, ReservationRef ref, OnTrouble trouble) {
  if (self->busy.contains(ref)) co_return;  // not left behind: we are at it
  const Counted counted(self->running);
  GetReservation command;
  command.ref = ref;
  std::optional<ReservationAnswer> found = co_await self->ask_until_answered(std::move(command));
  if (!found || found->outcome == Outcome::reservation_not_found || self->busy.contains(ref)) co_return;
  const ReservationState state = found->reservation.state;
  if (state != ReservationState::held && state != ReservationState::expired) co_return;  // ended meanwhile
  const PaymentResult result =
      co_await self->finish(std::move(found->reservation), Earlier::possible, std::move(trouble));
  if (result) ++self->settled;
}

Task<void> Cashier::Impl::refund(std::shared_ptr<Impl> self, ReservationRef ref, OnTrouble trouble) {
  if (self->refunding.contains(ref)) co_return;
  const Counted counted(self->running);
  const Member member(self->refunding, ref);
  std::string key = self->key_of(ref);
  if (!co_await self->refund_until_done(std::move(key), std::move(trouble))) co_return;
  FinishRefund command;
  command.ref = ref;
  const std::optional<ReservationAnswer> stored = co_await self->ask_until_answered(std::move(command));
  if (stored) ++self->refunds;
}

void Cashier::Impl::welcome(const CustomerPtr& customer) {
  customers.insert(customer);
  customer->timer.expires_after(options.answer_within);
  customer->timer.async_wait([self = shared_from_this(), customer](boost::system::error_code ec) {
    if (ec) return;
    self->customers.erase(customer);
    customer->answer(std::unexpected(still_unknown()));
  });
}

Task<void> Cashier::Impl::serve(std::shared_ptr<Impl> self, ReservationRef ref, BeginPayment::By by,
                                CustomerPtr customer) {
  self->welcome(customer);
  OnTrouble nobody_counts;
  PaymentResult result = co_await charge(self, ref, by, std::move(nobody_counts));
  --self->payments;
  self->customers.erase(customer);
  customer->answer(std::move(result));
}

Cashier::Cashier(Engine& engine, Gateway& gateway, engine::ReservationIds ids, IoExecutor executor,
                 CashierOptions options)
    : impl_(std::make_shared<Impl>(engine, gateway, std::move(ids), executor, options)) {}

Cashier::~Cashier() = default;

void Cashier::pay(ReservationRef ref, BeginPayment::By by, std::move_only_function<void(PaymentResult)> done) {
  const auto refuse = [&](FailureCode code, const char* why) {
    asio::post(impl_->executor,
               [done = std::move(done), code, why]() mutable { done(std::unexpected(Failure{code, why})); });
  };
  if (impl_->stopped) return refuse(FailureCode::stopping, "payments are stopping");
  if (++impl_->payments > impl_->options.payments) {
    --impl_->payments;
    ++impl_->overloaded;
    return refuse(FailureCode::overloaded, "too many payments are under way");
  }
  auto customer = std::make_shared<Customer>(impl_->executor, std::move(done));
  asio::co_spawn(impl_->executor, Impl::serve(impl_, ref, by, std::move(customer)), rethrow);
}

Task<PaymentResult> Cashier::charge(ReservationRef ref, BeginPayment::By by, OnTrouble trouble) {
  return Impl::charge(impl_, ref, by, std::move(trouble));
}

Task<void> Cashier::settle(ReservationRef ref, OnTrouble trouble) {
  return Impl::settle(impl_, ref, std::move(trouble));
}

Task<void> Cashier::refund(ReservationRef ref, OnTrouble trouble) {
  return Impl::refund(impl_, ref, std::move(trouble));
}

void Cashier::stop() { impl_->stopped = true; }

void Cashier::abandon() {
  impl_->caller.stop();
  impl_->pauses.end();
  impl_->charges_again.end();
  impl_->refunds_again.end();
  for (const CustomerPtr& customer : std::exchange(impl_->customers, {})) {
    customer->answer(std::unexpected(still_unknown()));
  }
}

PaymentCounters Cashier::counters() const {
  PaymentCounters counters;
  counters.charged = impl_->charged;
  counters.declined = impl_->declined;
  counters.unreachable = impl_->unreachable;
  counters.asked_again = impl_->asked_again;
  counters.stored_again = impl_->stored_again;
  counters.refunds = impl_->refunds;
  counters.settled = impl_->settled;
  counters.overloaded = impl_->overloaded;
  counters.running = impl_->running;
  return counters;
}

std::size_t Cashier::engine_calls() const { return impl_->caller.under_way(); }

}  // namespace firstcome::payment
