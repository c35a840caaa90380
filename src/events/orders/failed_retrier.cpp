#include "events/orders/failed_retrier.hpp"

#include <spdlog/spdlog.h>

#include <cassert>
#include <utility>

namespace firstcome::events {

FailedRetrier::FailedRetrier(std::unique_ptr<OrderStore> store, FailedRetrierOptions options)
    : store_(std::move(store)), options_(std::move(options)) {
  assert(options_.now && "failed events are due by a clock");
  thread_ = std::jthread([this](const std::stop_token& stop) { work(stop); });
}

FailedRetrier::~FailedRetrier() = default;

void FailedRetrier::work(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    if (round()) continue;
    std::unique_lock lock(mutex_);
    wake_.wait_for(lock, stop, options_.every, [] { return false; });
  }
}

bool FailedRetrier::round() {
  // What keeps it from working keeps the orders from being stored too, and is said there.
  const auto retried = store_->retry_due(options_.now(), options_.rows);
  const auto count = store_->failed_count();
  if (count) say(*count);
  return retried && retried->stored > 0;  // the store decides how many it tries at once
}

void FailedRetrier::say(std::uint64_t failed) {
  const std::uint64_t before = failed_.exchange(failed, std::memory_order_relaxed);
  if (failed == before) return;
  if (failed == 0) {
    spdlog::info("orders: all failed events are stored or discarded");
  } else if (failed > before) {
    spdlog::warn("orders: {} events could not be stored and wait; `firstcome orders failed list` shows them", failed);
  }
}

}  // namespace firstcome::events
