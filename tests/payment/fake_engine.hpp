// An engine for tests: the real ledger behind a thread of its own, a clock that stands still until it is moved,
// failures on demand, and a restart that keeps what was stored.
#pragma once

#include "sale/ledger.hpp"

#include <firstcome/engine.hpp>

#include <condition_variable>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <thread>
#include <type_traits>
#include <vector>

namespace firstcome::payment {

class FakeEngine final : public Engine {
 public:
  /// Decides whether a command fails, and how; nothing: it does not. Called on the engine's thread.
  using Fails = std::function<std::optional<Failure>(const Command&)>;

  FakeEngine() : thread_([this] { run(); }) {}
  ~FakeEngine() override {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }

  void submit(Operation& operation) override {
    {
      const std::lock_guard lock(mutex_);
      waiting_.push_back(&operation);
    }
    changed_.notify_all();
  }
  Readiness readiness() const override { return {}; }
  std::string_view name() const override { return "fake"; }
  void on_payment_work(std::function<void()> notify) override {
    const std::lock_guard lock(mutex_);
    notify_ = std::move(notify);
  }

  void fail(Fails fails) {
    const std::lock_guard lock(mutex_);
    fails_ = std::move(fails);
  }

  void advance(Milliseconds time) {
    const std::lock_guard lock(mutex_);
    now_ += time;
  }

  /// As after a crash: the ledger is built again from what was stored. REQUIRES: nobody asks meanwhile.
  void restart() {
    const std::lock_guard lock(mutex_);
    ledger_ = sale::Ledger();
    for (const auto& [handle, record] : sales_) check(ledger_.restore(record));
    for (const auto& [ref, record] : reservations_) check(ledger_.restore(record, now_));
    check(ledger_.finish_restore());
    ledger_.clear_changes();
  }

  /// Submits and waits.
  template <typename C>
  typename C::Answer ask(C command) {
    struct Asked final : Operation {
      void completed() noexcept override { done.set_value(); }
      std::promise<void> done;
    } asked;
    asked.command = std::move(command);
    submit(asked);
    asked.done.get_future().wait();
    if (!asked.answer) throw std::runtime_error("the fake engine failed: " + asked.answer.error().detail);
    return std::get<typename C::Answer>(std::move(*asked.answer));
  }

 private:
  static void check(const std::optional<std::string>& problem) {
    if (problem) throw std::runtime_error(*problem);
  }

  void run() {
    std::unique_lock lock(mutex_);
    for (;;) {
      changed_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
      if (waiting_.empty()) return;
      const std::vector<Operation*> batch = std::exchange(waiting_, {});
      for (Operation* operation : batch) operation->answer = decide(operation->command);
      const std::function<void()> notify = store() ? notify_ : nullptr;
      lock.unlock();
      if (notify) notify();
      for (Operation* operation : batch) operation->completed();
      lock.lock();
    }
  }

  std::expected<Answer, Failure> decide(const Command& command) {
    if (fails_) {
      if (std::optional<Failure> failure = fails_(command)) return std::unexpected(std::move(*failure));
    }
    return std::visit(
        [this](const auto& one) -> std::expected<Answer, Failure> {
          if constexpr (requires { ledger_.apply(one, now_); }) {
            return ledger_.apply(one, now_);
          } else {
            return std::unexpected(Failure{FailureCode::not_supported, "not in the ledger"});
          }
        },
        command);
  }

  bool store() {
    const auto& changes = ledger_.changes();
    for (const SaleHandle sale : changes.sales) sales_[sale] = ledger_.record_of(sale);
    for (const ReservationRef ref : changes.inserted) reservations_[ref] = ledger_.record_of(ref);
    for (const ReservationRef ref : changes.updated) reservations_[ref] = ledger_.record_of(ref);
    const bool work = changes.payment_work;
    ledger_.clear_changes();
    return work;
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  bool stopping_ = false;
  std::vector<Operation*> waiting_;
  Fails fails_;
  Instant now_{std::chrono::sys_days{std::chrono::year{2026} / 1 / 1}};
  sale::Ledger ledger_;
  std::map<SaleHandle, sale::SaleRecord> sales_;
  std::map<ReservationRef, sale::ReservationRecord> reservations_;
  std::function<void()> notify_;
  std::thread thread_;
};

}  // namespace firstcome::payment
