// Lets a bounded number of coroutines through at a time; the others wait in line.
#pragma once

#include "payment/one_shot.hpp"

#include <cstddef>
#include <deque>
#include <memory>
#include <optional>
#include <utility>

namespace firstcome::payment {

/// On the executor's thread only. Must outlive its places.
class Turnstile {
 public:
  /// Leaves the turnstile when it is destroyed.
  class Place {
   public:
    explicit Place(Turnstile& turnstile) : turnstile_(&turnstile) {}
    Place(Place&& other) noexcept : turnstile_(std::exchange(other.turnstile_, nullptr)) {}
    Place& operator=(Place&& other) noexcept {
      std::swap(turnstile_, other.turnstile_);
      return *this;
    }
    ~Place() {
      if (turnstile_ != nullptr) turnstile_->leave();
    }

   private:
    Turnstile* turnstile_;
  };

  Turnstile(IoExecutor executor, std::size_t places) : executor_(executor), free_(places) {}

  /// Waits for a place. Nothing, at once, after `end`.
  Task<std::optional<Place>> enter() {
    if (ended_) co_return std::nullopt;
    if (free_ > 0) {
      --free_;
      co_return Place(*this);
    }
    const auto turn = std::make_shared<OneShot<bool>>(executor_);
    line_.push_back(turn);
    const std::optional<bool> mine = co_await turn->wait(no_deadline);
    if (!mine.value_or(false)) co_return std::nullopt;
    co_return Place(*this);
  }

  /// Whoever waits is sent away.
  void end() {
    ended_ = true;
    for (const auto& turn : std::exchange(line_, {})) turn->set(false);
  }

 private:
  void leave() {
    if (line_.empty()) {
      ++free_;
      return;
    }
    line_.front()->set(true);
    line_.pop_front();
  }

  IoExecutor executor_;
  std::size_t free_;
  std::deque<std::shared_ptr<OneShot<bool>>> line_;
  bool ended_ = false;
};

}  // namespace firstcome::payment
