#include "payment/worker.hpp"

#include "payment/counted.hpp"
#include "payment/engine_caller.hpp"

#include <boost/asio/co_spawn.hpp>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <deque>
#include <exception>
#include <mutex>
#include <string>
#include <utility>

namespace firstcome::payment {

namespace asio = boost::asio;

namespace {

void rethrow(std::exception_ptr failed) {
  if (failed) std::rethrow_exception(failed);
}

/// Whether the so manieth failure in a row is worth a line in the log: the first, and then less and less often.
bool notable(std::uint64_t failures) { return std::has_single_bit(failures); }

}  // namespace

// Coroutines hold it by a shared pointer: what is dropped with the io_context may be dropped after the worker.
struct PaymentWorker::Impl : std::enable_shared_from_this<PaymentWorker::Impl> {
  Impl(Engine& engine, Cashier& cashier_, IoExecutor executor_, WorkerOptions options_)
      : caller(engine, executor_),
        cashier(cashier_),
        executor(executor_),
        options(options_),
        pauses(executor_),
        charges(options_.charges),
        alarm(executor_) {}

  // Rung by the engine's thread, also when the worker has gone: then nobody answers.
  struct Bell {
    std::mutex mutex;
    std::weak_ptr<Impl> worker;  // protected by mutex, as is the rest
    bool open = false;           // the io_context may be posted to
    bool rung = false;           // and not heard yet
  };

  /// Tasks of one kind that need no order of their own.
  struct Line {
    std::deque<ReservationRef> ready;
    std::size_t places = 0;  // taken
  };
  using Perform = Task<void> (Cashier::*)(ReservationRef, Cashier::OnTrouble);

  void heard();
  void look();
  void accept(const PaymentTask& task);
  void work();
  void work(Line& line, Perform perform);
  void wait_for_due();
  void on_alarm();
  bool has_room() const { return charges.startable() < options.concurrency; }
  void ended(const ChargeLines::Hold& hold, const PaymentResult& result);
  void note_failure(const std::string& why);
  static Task<void> take(std::shared_ptr<Impl> self);
  static Task<void> perform(std::shared_ptr<Impl> self, ReservationRef ref, Line& line, Perform what);
  static Task<void> charge(std::shared_ptr<Impl> self, ChargeLines::Hold hold);

  EngineCaller caller;
  Cashier& cashier;
  IoExecutor executor;
  WorkerOptions options;
  Pauses pauses;
  const std::shared_ptr<Bell> bell = std::make_shared<Bell>();

  ChargeLines charges;
  std::size_t charging = 0;  // places taken
  Line settlements, refunds;
  std::uint64_t failures = 0;  // of charges, since one was answered

  steady_clock::time_point look_again{};  // for tasks, though nobody rings
  Timer alarm;                            // the next failed charge is due, or it is time to look
  bool wanted = false;                    // there may be tasks to take
  bool taking = false;                    // a `take` runs
  bool stopped = false;
  std::atomic<std::uint64_t> running = 0;
  std::atomic<std::size_t> waiting = 0;
};

/// Whoever must be able to ring after the worker's end keeps the bell, not the worker.
void PaymentWorker::Impl::heard() {
  {
    const std::lock_guard lock(bell->mutex);
    bell->rung = false;
  }
  wanted = true;
  look();
}

void PaymentWorker::Impl::look() {
  if (!wanted || taking || stopped || !has_room()) return;
  taking = true;
  asio::co_spawn(executor, take(shared_from_this()), rethrow);
}

/// Takes tasks while there are some and room for them.
Task<void> PaymentWorker::Impl::take(std::shared_ptr<Impl> self) {
  Retry retry(self->pauses, self->options.engine);
  while (self->wanted && !self->stopped && self->has_room()) {
    self->wanted = false;
    TakePaymentTasks command;
    command.limit = static_cast<std::uint32_t>(self->options.concurrency);
    const std::size_t asked_for = command.limit;
    const std::expected<PaymentTasksAnswer, Failure> answer = co_await self->caller.ask(std::move(command));
    if (!answer) {
      self->wanted = true;
      if (retry.notable()) spdlog::warn("payments: the engine gives no tasks out: {}", answer.error().detail);
      if (!co_await retry.wait()) break;
      continue;
    }
    if (answer->tasks.size() >= asked_for) self->wanted = true;
    for (const PaymentTask& task : answer->tasks) self->accept(task);
    self->work();
  }
  self->taking = false;
  self->look();  // there may be room again
}

void PaymentWorker::Impl::accept(const PaymentTask& task) {
  switch (task.action) {
    case PaymentTask::Action::charge:
      return charges.add(task.ref);
    case PaymentTask::Action::settle:
      return settlements.ready.push_back(task.ref);
    case PaymentTask::Action::refund:
      return refunds.ready.push_back(task.ref);
  }
}

/// Starts what has a place.
void PaymentWorker::Impl::work() {
  if (stopped) return;
  work(refunds, &Cashier::refund);
  work(settlements, &Cashier::settle);
  while (charging < options.concurrency) {
    const std::optional<ChargeLines::Hold> hold = charges.next(steady_clock::now());
    if (!hold) break;
    ++charging;
    asio::co_spawn(executor, charge(shared_from_this(), *hold), rethrow);
  }
  waiting = charges.waiting();
  wait_for_due();
  look();
}

void PaymentWorker::Impl::work(Line& line, Perform what) {
  while (line.places < options.others && !line.ready.empty()) {
    const ReservationRef ref = line.ready.front();
    line.ready.pop_front();
    ++line.places;
    asio::co_spawn(executor, perform(shared_from_this(), ref, line, what), rethrow);
  }
}

void PaymentWorker::Impl::wait_for_due() {
  const bool has_place = charging < options.concurrency;  // else whoever leaves one looks again
  alarm.expires_at(std::min(has_place ? charges.due().value_or(look_again) : look_again, look_again));
  alarm.async_wait([weak = weak_from_this()](boost::system::error_code ec) {
    const std::shared_ptr<Impl> self = weak.lock();
    if (!ec && self) self->on_alarm();
  });
}

void PaymentWorker::Impl::on_alarm() {
  if (steady_clock::now() >= look_again) {
    look_again = steady_clock::now() + options.poll;
    wanted = true;
  }
  work();
}

Task<void> PaymentWorker::Impl::perform(std::shared_ptr<Impl> self, ReservationRef ref, Line& line, Perform what) {
  const Counted counted(self->running);
  const auto has_place = std::make_shared<bool>(true);
  const auto leave = [self, &line, has_place] {
    if (!std::exchange(*has_place, false)) return;
    --line.places;
    self->work();
  };
  Cashier::OnTrouble trouble = leave;
  co_await (self->cashier.*what)(ref, std::move(trouble));
  leave();
}

Task<void> PaymentWorker::Impl::charge(std::shared_ptr<Impl> self, ChargeLines::Hold hold) {
  const Counted counted(self->running);
  const auto has_place = std::make_shared<bool>(true);
  Cashier::OnTrouble trouble = [self, has_place, sale = hold.ref.sale] {
    *has_place = false;
    --self->charging;
    self->note_failure("the outcome of a charge is not known");
    self->charges.unknown(sale, steady_clock::now());
    self->work();
  };
  const PaymentResult result = co_await self->cashier.charge(hold.ref, BeginPayment::By::worker, std::move(trouble));
  if (*has_place) {
    --self->charging;
    self->ended(hold, result);
  } else {
    self->charges.recovered(hold.ref.sale);
  }
  self->work();
}

/// A charge ended with its first attempt.
void PaymentWorker::Impl::ended(const ChargeLines::Hold& hold, const PaymentResult& result) {
  if (!result || result->outcome == Outcome::gateway_unavailable) {
    note_failure(result ? "the provider did not make a charge" : result.error().detail);
    return charges.failed(hold, steady_clock::now());
  }
  switch (result->outcome) {
    case Outcome::done:
    case Outcome::payment_failed:
    case Outcome::paid_unfulfilled:
      failures = 0;
      return charges.answered(hold.ref.sale);
    default:
      return charges.ended(hold.ref.sale);
  }
}

void PaymentWorker::Impl::note_failure(const std::string& why) {
  if (notable(++failures)) spdlog::warn("payments: {}, {} in a row; it is tried again later", why, failures);
}

PaymentWorker::PaymentWorker(Engine& engine, Cashier& cashier, IoExecutor executor, WorkerOptions options)
    : impl_(std::make_shared<Impl>(engine, cashier, executor, options)) {
  impl_->bell->worker = impl_;
}

PaymentWorker::~PaymentWorker() {
  const std::lock_guard lock(impl_->bell->mutex);
  impl_->bell->open = false;
}

std::function<void()> PaymentWorker::doorbell() {
  return [bell = impl_->bell] {
    const std::lock_guard lock(bell->mutex);
    if (!bell->open || bell->rung) return;
    const std::shared_ptr<Impl> worker = bell->worker.lock();
    if (!worker) return;
    bell->rung = true;
    asio::post(worker->executor, [worker] { worker->heard(); });
  };
}

void PaymentWorker::start() {
  {
    const std::lock_guard lock(impl_->bell->mutex);
    impl_->bell->open = true;
  }
  impl_->wanted = true;
  impl_->look_again = steady_clock::now() + impl_->options.poll;
  impl_->work();
}

void PaymentWorker::stop() {
  {
    const std::lock_guard lock(impl_->bell->mutex);
    impl_->bell->open = false;
  }
  impl_->stopped = true;
  impl_->alarm.cancel();
  impl_->pauses.end();
}

std::size_t PaymentWorker::running() const { return impl_->running; }

std::size_t PaymentWorker::waiting() const { return impl_->waiting; }

std::size_t PaymentWorker::engine_calls() const { return impl_->caller.under_way(); }

}  // namespace firstcome::payment
