#include "engine/guarded/pauses.hpp"

#include <algorithm>
#include <atomic>
#include <thread>

namespace firstcome::engine {
namespace {

/// Neighbours must not pause alike; what each seed is does not matter.
std::minstd_rand::result_type next_seed() {
  static std::atomic<std::minstd_rand::result_type> seeds = 1;
  return seeds.fetch_add(7'919, std::memory_order_relaxed);
}

}  // namespace

void rest_for(std::chrono::microseconds pause) {
  std::this_thread::sleep_for(pause);  // allowed: this pause stands for nothing, it is what is wanted
}

RandomPauses::RandomPauses() : random_(next_seed()) {}

void RandomPauses::rest() {
  constexpr std::int64_t at_most_us = 16'000;
  rest_for(std::chrono::microseconds(std::uniform_int_distribution<std::int64_t>(0, longest_us_)(random_)));
  longest_us_ = std::min(2 * longest_us_, at_most_us);
}

}  // namespace firstcome::engine
