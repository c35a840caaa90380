// How fast the calls of one sale come back, and so how long a line of requests will take. Pure.
#pragma once

#include <chrono>
#include <cstddef>

namespace firstcome::engine {

/// Not thread-safe.
class CallPace {
 public:
  using Duration = std::chrono::steady_clock::duration;

  /// A call was answered after `took`.
  void note(Duration took) { usual_ = usual_ == Duration{} ? took : usual_ + (took - usual_) / weight_of_the_past; }

  /// How long a request waits behind `ahead` others, of which each call takes at most `together`, while one call is
  /// under way; zero before the first call was answered.
  Duration wait_behind(std::size_t ahead, std::size_t together) const {
    return usual_ * static_cast<Duration::rep>(ahead / together + 1);
  }

 private:
  static constexpr int weight_of_the_past = 8;
  Duration usual_{};  // a mean that forgets
};

}  // namespace firstcome::engine
