// Asks an engine from a thread that may wait: several commands at once, all answers together.
#pragma once

#include <firstcome/engine.hpp>

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <expected>
#include <mutex>
#include <utility>
#include <variant>
#include <vector>

namespace firstcome::events {

/// REQUIRES: somebody else drives the engine meanwhile; it completes everything, so no wait is for ever.
/// Thread safety: none; one per thread.
class BlockingCaller {
 public:
  explicit BlockingCaller(Engine& engine) : engine_(engine) {}

  /// The answers, in the order of the commands, which own their text.
  template <class C>
  std::vector<std::expected<typename C::Answer, Failure>> ask_all(std::vector<C> commands) {
    std::deque<Call> calls;
    left_ = commands.size();
    for (C& command : commands) {
      Call& call = calls.emplace_back(*this);
      call.command = std::move(command);
    }
    for (Call& call : calls) engine_.submit(call);
    std::unique_lock guard(mutex_);
    all_done_.wait(guard, [this] { return left_ == 0; });
    guard.unlock();
    std::vector<std::expected<typename C::Answer, Failure>> answers;
    for (Call& call : calls) answers.push_back(answer_of<C>(call));
    return answers;
  }

  template <class C>
  std::expected<typename C::Answer, Failure> ask(C command) {
    std::vector<C> one;
    one.push_back(std::move(command));
    return std::move(ask_all(std::move(one)).front());
  }

 private:
  struct Call final : Operation {
    explicit Call(BlockingCaller& of) : caller(of) {}
    /// Told of under the mutex: the waiter may be gone as soon as it is let go.
    void completed() noexcept override {
      const std::lock_guard guard(caller.mutex_);
      if (--caller.left_ == 0) caller.all_done_.notify_one();
    }
    BlockingCaller& caller;
  };

  template <class C>
  static std::expected<typename C::Answer, Failure> answer_of(Call& call) {
    if (!call.answer) return std::unexpected(std::move(call.answer.error()));
    return std::get<typename C::Answer>(std::move(*call.answer));
  }

  Engine& engine_;
  std::mutex mutex_;  ///< protects left_
  std::condition_variable all_done_;
  std::size_t left_ = 0;
};

}  // namespace firstcome::events
