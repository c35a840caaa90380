// The end of a program's parts: they are waited for while the engine, which they wait for, is still driven.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>

namespace firstcome::engine {

/// Calls `meanwhile`, if any, until `reached` or `deadline`. Looks once a millisecond: this is the end of a process.
template <typename Condition>
void drive_until(const Condition& reached, std::chrono::steady_clock::time_point deadline,
                 const std::function<void()>& meanwhile) {
  std::mutex mutex;
  std::condition_variable nobody;
  std::unique_lock lock(mutex);
  while (!reached() && std::chrono::steady_clock::now() < deadline) {
    if (meanwhile) meanwhile();
    nobody.wait_for(lock, std::chrono::milliseconds{1}, reached);
  }
}

}  // namespace firstcome::engine
