#include "events/order_service.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <condition_variable>
#include <utility>

namespace firstcome::events {

using SteadyClock = std::chrono::steady_clock;

OrderService::OrderService(std::unique_ptr<EventSource> source, OpenStore open, OrderServiceOptions options)
    : source_(std::move(source)), open_(std::move(open)), options_(std::move(options)) {}

void OrderService::run(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    have_store();
    if (retrier_) failed_.store(retrier_->failed(), std::memory_order_relaxed);
    const std::size_t limit =
        options_.max_rate == 0 ? options_.batch : std::clamp<std::size_t>(options_.max_rate / 10, 1, options_.batch);
    auto records = source_->poll(limit, options_.poll_timeout);
    lag_.store(source_->lag(), std::memory_order_relaxed);
    if (!records) {
      in_trouble("events cannot be read: " + records.error());
      wait(pause_, stop);
      continue;
    }
    if (records->empty()) {
      if (store_) out_of_trouble();
      continue;
    }
    const Batch batch = read(std::move(*records));
    store_until_done(batch, stop);
    if (stop.stop_requested()) return;  // what is stored and not confirmed comes again
    confirm(stop);
    keep_to_rate(batch.events.size(), stop);
  }
}

OrderService::Batch OrderService::read(std::vector<SourceRecord> records) {
  Batch batch;
  batch.events.reserve(records.size());
  for (SourceRecord& record : records) {
    auto event = event_from_json(record.payload);
    if (event) {
      batch.events.push_back(std::move(*event));
    } else {
      batch.others.push_back({record.place, std::move(record.payload), std::move(event.error()), record.place});
    }
  }
  return batch;
}

bool OrderService::have_store() {
  if (store_) return true;
  auto opened = open_();
  if (!opened) {
    in_trouble(opened.error());
    return false;
  }
  auto another = open_();
  if (!another) {
    in_trouble(another.error());
    return false;
  }
  store_ = std::move(*opened);
  retrier_ = std::make_unique<FailedRetrier>(std::move(*another), FailedRetrierOptions{.now = options_.now});
  return true;
}

bool OrderService::store(const Batch& batch) {
  if (!have_store()) return false;
  for (const NoEvent& other : batch.others) {
    if (auto parked = store_->park(other); !parked) {
      in_trouble(parked.error().sentence);
      return false;
    }
  }
  const auto stored = store_->store(batch.events);
  if (!stored) {
    in_trouble(stored.error().sentence);
    return false;
  }
  out_of_trouble();
  events_.fetch_add(stored->written, std::memory_order_relaxed);
  const std::size_t parked = stored->parked + batch.others.size();
  if (parked == 0) return true;
  parked_.fetch_add(parked, std::memory_order_relaxed);
  failed_.store(store_->failed_count().value_or(failed_.load()), std::memory_order_relaxed);
  spdlog::warn(
      "{} events could not be stored and are kept as failed events, of which there are {} now; `firstcome "
      "orders failed list` shows them",
      parked, failed_.load());
  return true;
}

void OrderService::store_until_done(const Batch& batch, const std::stop_token& stop) {
  while (!store(batch)) {
    wait(pause_, stop);
    if (stop.stop_requested()) return;
    source_->keep_alive();
    lag_.store(source_->lag(), std::memory_order_relaxed);
  }
}

/// A batch that cannot be confirmed comes again, which does no harm; the next one confirms it as well.
void OrderService::confirm(const std::stop_token& stop) {
  if (const auto confirmed = source_->confirm(); !confirmed) {
    in_trouble("what is stored cannot be confirmed: " + confirmed.error());
    wait(pause_, stop);
  }
}

void OrderService::keep_to_rate(std::size_t events, const std::stop_token& stop) {
  if (options_.max_rate == 0) return;
  const auto now = SteadyClock::now();
  const auto cost = std::chrono::nanoseconds{std::chrono::seconds{1}} / options_.max_rate;
  next_at_ = std::max(next_at_, now) + cost * static_cast<std::int64_t>(events);
  if (next_at_ > now) wait(std::chrono::ceil<std::chrono::milliseconds>(next_at_ - now), stop);
}

/// A long pause is cut, so that the source hears of us.
void OrderService::wait(std::chrono::milliseconds pause, const std::stop_token& stop) {
  constexpr std::chrono::milliseconds at_once{1'000};
  std::mutex mutex;
  std::condition_variable_any nobody;
  const auto until = SteadyClock::now() + pause;
  while (!stop.stop_requested() && SteadyClock::now() < until) {
    std::unique_lock guard(mutex);
    nobody.wait_until(guard, stop, std::min(until, SteadyClock::now() + at_once), [] { return false; });
    guard.unlock();
    if (SteadyClock::now() < until) source_->keep_alive();
  }
}

void OrderService::in_trouble(std::string sentence) {
  troubles_.fetch_add(1, std::memory_order_relaxed);
  pause_ = std::clamp(pause_ * 2, options_.first_pause, options_.longest_pause);
  const std::lock_guard guard(mutex_);
  if (trouble_.empty()) spdlog::warn("orders: {}; it is tried again until it works", sentence);
  trouble_ = std::move(sentence);
}

void OrderService::out_of_trouble() {
  pause_ = {};
  const std::lock_guard guard(mutex_);
  if (!trouble_.empty()) spdlog::info("orders: events are stored again");
  trouble_.clear();
}

OrderServiceCounters OrderService::counters() const {
  OrderServiceCounters counters;
  counters.events = events_;
  counters.parked = parked_;
  counters.troubles = troubles_;
  counters.failed = failed_;
  counters.lag = lag_;
  return counters;
}

std::string OrderService::trouble() const {
  const std::lock_guard guard(mutex_);
  return trouble_;
}

}  // namespace firstcome::events
