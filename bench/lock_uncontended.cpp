#include "lock_uncontended.hpp"

#include "lock_crowd.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <memory>
#include <thread>

namespace firstcome::bench {
namespace {

using namespace std::chrono_literals;

/// One name, on the thread of the lock's completions.
class Loner {
 public:
  explicit Loner(std::unique_ptr<Lock> lock) : lock_(std::move(lock)) {}

  void come() {
    lock_->acquire({.wait = 5s}, [this](Acquired lease) {
      if (!lease) std::abort();
      lease->release([this](ReleaseOutcome) {
        count.fetch_add(1, std::memory_order_relaxed);
        if (!stop.load()) return come();
        gone = true;
        gone.notify_one();
      });
    });
  }

  std::atomic<std::uint64_t> count = 0;
  std::atomic<bool> stop = false;
  std::atomic<bool> gone = false;

 private:
  std::unique_ptr<Lock> lock_;
};

std::uint64_t sum_of(const std::vector<std::unique_ptr<Loner>>& loners) {
  std::uint64_t sum = 0;
  for (const auto& loner : loners) sum += loner->count.load();
  return sum;
}

}  // namespace

Uncontended run_uncontended(const std::string& url, std::string_view kind, std::size_t at_once) {
  std::atomic<std::uint64_t> deletions = 0;
  const std::unique_ptr<LockSpace> space = open_space(url, kind, deletions);
  std::vector<std::unique_ptr<Loner>> loners;
  for (std::size_t at = 0; at < at_once; ++at)
    loners.push_back(std::make_unique<Loner>(space->lock(fmt::format("alone-{}", at))));
  for (const auto& loner : loners) loner->come();
  std::this_thread::sleep_for(100ms);
  const std::uint64_t before = sum_of(loners);
  const auto began = std::chrono::steady_clock::now();
  std::this_thread::sleep_for(700ms);
  const std::uint64_t after = sum_of(loners);
  const std::chrono::duration<double> time = std::chrono::steady_clock::now() - began;
  for (const auto& loner : loners) loner->stop = true;
  for (const auto& loner : loners) loner->gone.wait(false);
  return {static_cast<double>(after - before) / time.count(), sum_of(loners)};
}

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

}  // namespace firstcome::bench
