#include "payment/worker.hpp"

#include "payment/engine_caller.hpp"

#include <boost/asio/co_spawn.hpp>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <utility>

namespace firstcome::payment {

namespace asio = boost::asio;

namespace {

/// Fewer free hands are not worth a question to the engine.
std::size_t hands_worth_asking_for(std::size_t concurrency) { return std::clamp<std::size_t>(concurrency / 4, 1, 16); }

void rethrow(std::exception_ptr failed) {
  if (failed) std::rethrow_exception(failed);
}

}  // namespace

// Coroutines hold it by a shared pointer: what is dropped with the io_context may be dropped after the worker.
struct PaymentWorker::Impl : std::enable_shared_from_this<PaymentWorker::Impl> {
  Impl(Engine& engine, Cashier& cashier_, IoExecutor executor_, WorkerOptions options_)
      : caller(engine, executor_), cashier(cashier_), executor(executor_), options(options_), pauses(executor_) {}

  // Rung by the engine's thread, also when the worker has gone: then nobody answers.
  struct Bell {
    std::mutex mutex;
    std::weak_ptr<Impl> worker;  // protected by mutex, as is the rest
    bool open = false;           // the io_context may be posted to
    bool rung = false;           // and not heard yet
  };

  void heard();
  void look();
  bool has_hands() const { return options.concurrency - running >= hands_worth_asking_for(options.concurrency); }
  static Task<void> take(std::shared_ptr<Impl> self);
  static Task<void> perform(std::shared_ptr<Impl> self, PaymentTask task);
  Task<void> charge(ReservationRef ref);

  EngineCaller caller;
  Cashier& cashier;
  IoExecutor executor;
  WorkerOptions options;
  Pauses pauses;
  const std::shared_ptr<Bell> bell = std::make_shared<Bell>();

  bool wanted = false;  // there may be tasks to take
  bool taking = false;  // a `take` runs
  bool stopped = false;
  std::atomic<std::size_t> running = 0;
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
  if (!wanted || taking || stopped || !has_hands()) return;
  taking = true;
  asio::co_spawn(executor, take(shared_from_this()), rethrow);
}

/// Takes tasks while there are some and hands for them.
Task<void> PaymentWorker::Impl::take(std::shared_ptr<Impl> self) {
  Retry retry(self->pauses, self->options.retry);
  while (self->wanted && !self->stopped && self->has_hands()) {
    self->wanted = false;
    TakePaymentTasks command;
    command.limit = static_cast<std::uint32_t>(self->options.concurrency - self->running);
    const std::size_t asked_for = command.limit;
    const std::expected<PaymentTasksAnswer, Failure> answer = co_await self->caller.ask(std::move(command));
    if (!answer) {
      self->wanted = true;
      if (!co_await retry.wait()) break;
      continue;
    }
    if (answer->tasks.size() >= asked_for) self->wanted = true;
    for (const PaymentTask& task : answer->tasks) {
      ++self->running;
      asio::co_spawn(self->executor, perform(self, task), rethrow);
    }
  }
  self->taking = false;
  self->look();  // hands may have become free meanwhile
}

Task<void> PaymentWorker::Impl::perform(std::shared_ptr<Impl> self, PaymentTask task) {
  switch (task.action) {
    case PaymentTask::Action::charge:
      co_await self->charge(task.ref);
      break;
    case PaymentTask::Action::settle:
      co_await self->cashier.settle(task.ref);
      break;
    case PaymentTask::Action::refund:
      co_await self->cashier.refund(task.ref);
      break;
  }
  --self->running;
  self->look();
}

/// Until the hold is paid for or has gone.
Task<void> PaymentWorker::Impl::charge(ReservationRef ref) {
  Retry retry(pauses, options.retry);
  for (;;) {
    const PaymentResult result = co_await cashier.charge(ref, BeginPayment::By::worker);
    if (result && result->outcome != Outcome::gateway_unavailable) co_return;
    if (retry.notable()) {
      spdlog::warn("payments: a hold cannot be charged yet: {}",
                   result ? "the gateway is unreachable" : result.error().detail);
    }
    if (!co_await retry.wait()) co_return;
  }
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
  impl_->look();
}

void PaymentWorker::stop() {
  {
    const std::lock_guard lock(impl_->bell->mutex);
    impl_->bell->open = false;
  }
  impl_->stopped = true;
  impl_->pauses.end();
}

std::size_t PaymentWorker::running() const { return impl_->running; }

std::size_t PaymentWorker::engine_calls() const { return impl_->caller.under_way(); }

}  // namespace firstcome::payment
