// The Engine port: one way to decide reservations.
//
// Mechanism: a caller fills an Operation and submits it. The engine decides it together with whatever else is ready,
// makes all of that durable at once, and only then completes each. Operations submitted by one thread are decided in
// the order of their submission.
#pragma once

#include <firstcome/command.hpp>

#include <expected>
#include <functional>
#include <string>

namespace firstcome {

/// One request under way. The caller owns it and must keep it, and all text its command views, alive and unmoved from
/// `submit` until `completed` is called. Reusable afterwards.
class Operation {
 public:
  Operation() = default;
  Operation(const Operation&) = delete;
  Operation& operator=(const Operation&) = delete;
  virtual ~Operation() = default;

  /// Called exactly once per submission, on the engine's own thread, after what was decided is durable. Must not block
  /// or throw. May submit this or another operation; that is decided in a later turn.
  virtual void completed() noexcept = 0;

  Command command;
  std::expected<Answer, Failure> answer;

 private:
  friend class OperationQueue;
  Operation* next_ = nullptr;
};

/// Whether the engine can decide now.
struct Readiness {
  bool ready = true;
  std::string reason;  ///< why not; where it can: what an operator should see to, or empty
};

/// Thread safety: every member may be called from any thread.
class Engine {
 public:
  Engine() = default;
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;
  virtual ~Engine() = default;

  /// Takes an operation. It is always completed, with a Failure where nothing can be decided (`overloaded` when the
  /// bounded queue is full). Never blocks, never completes before it returns.
  virtual void submit(Operation& operation) = 0;

  virtual Readiness readiness() const = 0;

  /// `embedded`, `redis` or `guarded`, as in a sale's `engine` member.
  virtual std::string_view name() const = 0;

  /// `notify` is called, from the engine's thread, after a commit that made payment work (see TakePaymentTasks).
  /// Set it before the first submit.
  virtual void on_payment_work(std::function<void()> notify) = 0;
};

}  // namespace firstcome
