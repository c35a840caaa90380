// Servers for tests of the lock service over a LockSpace: a queue of tasks, and engines that run on it.
#pragma once

#include "engine/asking.hpp"
#include "engine/engine_with_locks.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <deque>
#include <expected>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

namespace firstcome::test {

/// Refuses everything: nothing but locks is asked for here.
class NoEngine final : public Engine {
 public:
  void submit(Operation& operation) override { asked = &operation; }
  Readiness readiness() const override { return {}; }
  std::string_view name() const override { return "none"; }
  void on_payment_work(std::function<void()>) override {}
  Operation* asked = nullptr;
};

/// Runs what was posted on the test's thread.
class Tasks {
 public:
  void post(std::move_only_function<void()> task) {
    const std::lock_guard lock(mutex_);
    tasks_.push_back(std::move(task));
    changed_.notify_one();
  }
  /// Until something was posted. It is not run.
  void wait_for_a_task() {
    std::unique_lock lock(mutex_);
    ASSERT_TRUE(changed_.wait_for(lock, std::chrono::seconds(20), [this] { return !tasks_.empty(); }));
  }
  /// What was posted up to now.
  void run_posted() {
    std::unique_lock lock(mutex_);
    auto posted = std::exchange(tasks_, {});
    lock.unlock();
    for (auto& task : posted) task();
  }
  void run_until_done(const Asked& asked) {
    run_until([&asked] { return asked.done.load(); });
  }
  void run_until(const std::function<bool()>& is_so) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    std::unique_lock lock(mutex_);
    while (!is_so()) {
      ASSERT_TRUE(changed_.wait_until(lock, deadline, [this] { return !tasks_.empty(); }));
      auto task = std::move(tasks_.front());
      tasks_.pop_front();
      lock.unlock();
      task();
      lock.lock();
    }
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::move_only_function<void()>> tasks_;
};

/// One server, without HTTP.
class LockServer {
 public:
  LockServer(Tasks& tasks, std::unique_ptr<LockSpace> space)
      : tasks_(tasks), engine_(below, std::move(space), [&tasks](std::move_only_function<void()> task) {
          tasks.post(std::move(task));
        }) {}

  std::unique_ptr<Asked> submit(Command command) {
    auto asked = std::make_unique<Asked>();
    asked->command = std::move(command);
    engine_.submit(*asked);
    return asked;
  }
  /// Also where it failed.
  std::expected<LockAnswer, Failure> try_to(Command command) {
    const auto asked = submit(std::move(command));
    EXPECT_FALSE(asked->done) << "completed before submit returned";
    tasks_.run_until_done(*asked);
    if (!asked->answer) return std::unexpected(asked->answer.error());
    return asked->as<LockAnswer>();
  }
  LockAnswer ask(Command command) {
    auto said = try_to(std::move(command));
    if (!said) {
      ADD_FAILURE() << said.error().detail;
      return {};
    }
    return *said;
  }
  void end() { engine_.close(); }

  NoEngine below;

 private:
  Tasks& tasks_;
  engine::EngineWithLocks engine_;
};

}  // namespace firstcome::test
