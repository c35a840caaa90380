// Asks the engine from a coroutine on the payments' thread.
//
// The Operation lives on the heap and keeps itself alive until the engine has completed it, so a coroutine that is
// dropped half-way leaves nothing dangling. Completions come on the engine's thread and hop back.
#pragma once

#include "payment/one_shot.hpp"

#include <firstcome/engine.hpp>

#include <atomic>
#include <cstddef>
#include <expected>
#include <memory>
#include <utility>
#include <variant>

namespace firstcome::payment {

/// Thread safety: `under_way` from any thread, the rest on the executor's thread. The io_context must live until
/// `under_way` is 0.
class EngineCaller {
 public:
  EngineCaller(Engine& engine, IoExecutor executor) : engine_(engine), executor_(executor) {}

  /// Submits a command that owns its text and waits for its answer. `stopping` after `stop`, without asking.
  template <typename C>
  Task<std::expected<typename C::Answer, Failure>> ask(C command);

  void stop() { stopped_ = true; }

  /// Operations that the engine has not completed.
  std::size_t under_way() const { return under_way_->load(std::memory_order_acquire); }

 private:
  using Reply = std::expected<Answer, Failure>;
  using Count = std::shared_ptr<std::atomic<std::size_t>>;

  struct Call final : Operation {
    void completed() noexcept override {
      const std::shared_ptr<Call> last = std::move(self);
      const Count count = under_way;
      reply->set(std::move(answer));
      count->fetch_sub(1, std::memory_order_release);
    }

    std::shared_ptr<Call> self;
    std::shared_ptr<OneShot<Reply>> reply;
    Count under_way;
  };

  Engine& engine_;
  IoExecutor executor_;
  Count under_way_ = std::make_shared<std::atomic<std::size_t>>(0);
  bool stopped_ = false;
};

template <typename C>
Task<std::expected<typename C::Answer, Failure>> EngineCaller::ask(C command) {
  if (stopped_) co_return std::unexpected(Failure{FailureCode::stopping, "payments are stopping"});
  const auto reply = std::make_shared<OneShot<Reply>>(executor_);
  {
    const auto call = std::make_shared<Call>();
    call->command = std::move(command);
    call->reply = reply;
    call->under_way = under_way_;
    call->self = call;
    under_way_->fetch_add(1, std::memory_order_relaxed);
    engine_.submit(*call);
  }
  std::optional<Reply> got = co_await reply->wait(no_deadline);  // the engine completes everything
  if (!*got) co_return std::unexpected(std::move(got->error()));
  co_return std::get<typename C::Answer>(std::move(**got));
}

}  // namespace firstcome::payment
