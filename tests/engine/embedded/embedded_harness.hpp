// An embedded engine that tests drive themselves: turn by turn, with their own clock.
#pragma once

#include "engine/asking.hpp"
#include "engine/embedded/embedded_engine.hpp"

#include <firstcome/limits.hpp>

#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>

namespace firstcome::test {

class EmbeddedHarness {
 public:
  static constexpr bool has_feed = true;

  explicit EmbeddedHarness(std::string vfs = {}, TemporaryFolder::Where where = TemporaryFolder::Where::disk)
      : folder_(where), vfs_(std::move(vfs)) {
    reopen();
  }

  engine::EmbeddedEngine& engine() { return *engine_; }
  const std::filesystem::path& data() const { return folder_.path(); }
  std::filesystem::path file() const { return folder_.path() / "firstcome.db"; }
  ManualClock& clock() { return clock_; }
  const ManualClock& clock() const { return clock_; }
  void advance(Milliseconds by) { clock_.advance(by); }

  engine::EmbeddedOptions options() const {
    engine::EmbeddedOptions options;
    options.data = folder_.path();
    options.clock = clock_.function();
    options.vfs = vfs_;
    if (queue_operations != 0) options.queue_operations = queue_operations;
    options.lock_observer = lock_observer;
    options.outbox_keep = outbox_keep;
    options.outbox_limit = outbox_limit;
    options.deliveries = deliveries;
    options.patience = patience;
    if (wall_ahead) options.wall_clock = [clock = clock_.function(), ahead = wall_ahead] { return clock() + *ahead; };
    return options;
  }

  void close() { engine_.reset(); }
  void reopen() {
    close();
    auto opened = engine::EmbeddedEngine::open(options());
    if (!opened) throw std::runtime_error(opened.error().detail);
    engine_ = std::move(*opened);
  }
  /// Opens and tells why it was refused; empty if it was not.
  std::string refusal() {
    close();
    auto opened = engine::EmbeddedEngine::open(options());
    return opened ? std::string() : opened.error().detail;
  }

  /// Takes turns until it is done; some answers come from another thread.
  void finish(const Asked& asked) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds{60};
    while (!asked.done) {
      static_cast<void>(engine_->turn());
      if (!asked.done) std::this_thread::yield();
      if (std::chrono::steady_clock::now() > deadline) throw std::runtime_error("an operation was never completed");
    }
  }

  /// One command, by itself.
  template <class C>
  std::expected<typename C::Answer, Failure> ask(C command) {
    Asked asked;
    asked.command = std::move(command);
    engine_->submit(asked);
    finish(asked);
    if (!asked.answer) return std::unexpected(asked.answer.error());
    return std::get<typename C::Answer>(std::move(*asked.answer));
  }
  std::expected<ReserveAnswer, Failure> reserve(std::string_view customer, KeyHash key = {}) {
    return ask(Reserve{"s", customer, 1, {}, key});
  }

  std::size_t queue_operations = 0;             ///< 0: the usual; before `reopen`
  std::shared_ptr<LockObserver> lock_observer;  ///< before `reopen`, and so the following
  std::uint64_t outbox_keep = limits::outbox_keep;
  std::uint64_t outbox_limit = 0;
  engine::Deliveries deliveries = engine::Deliveries::none;
  std::chrono::milliseconds patience{1'000};
  std::shared_ptr<Milliseconds> wall_ahead;  ///< of a wall clock of its own; none: the clock is the wall clock

 private:
  TemporaryFolder folder_;
  std::string vfs_;
  ManualClock clock_;
  std::unique_ptr<engine::EmbeddedEngine> engine_;
};

}  // namespace firstcome::test
