#include "events/order_service.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <condition_variable>
#include <utility>

namespace firstcome::events {

using SteadyClock = std::chrono::steady_clock;
namespace {

// What a trouble keeps from happening.
constexpr std::string_view reads = "events are read";
constexpr std::string_view stores = "events are stored";
constexpr std::string_view confirms = "stored events are confirmed";

}  // namespace

OrderService::OrderService(std::unique_ptr<EventSource> source, OpenStore open, OrderServiceOptions options)
    : source_(std::move(source)), open_(std::move(open)), options_(std::move(options)) {}

void OrderService::run(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    have_store(stop);
    if (retrier_) failed_.store(retrier_->failed(), std::memory_order_relaxed);
    const std::size_t limit =
        options_.max_rate == 0 ? options_.batch : std::clamp<std::size_t>(options_.max_rate / 10, 1, options_.batch);
    auto records = source_->poll(limit, options_.poll_timeout, stop);
    see_lag();
    if (stop.stop_requested()) return;
    if (!records) {
      in_trouble(reads, "events cannot be read: " + records.error());
      wait(pause_, stop);
      continue;
    }
    out_of_trouble(reads);
    if (records->empty()) continue;
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

bool OrderService::have_store(const std::stop_token& stop) {
  if (store_) return true;
  auto opened = open_(stop);
  if (!opened) {
    in_trouble(stores, opened.error());
    return false;
  }
  auto another = open_(stop);
  if (!another) {
    in_trouble(stores, another.error());
    return false;
  }
  out_of_trouble(stores);
  store_ = std::move(*opened);
  retrier_ = std::make_unique<FailedRetrier>(std::move(*another), FailedRetrierOptions{.now = options_.now});
  return true;
}

bool OrderService::store(const Batch& batch, const std::stop_token& stop) {
  if (!have_store(stop)) return false;
  for (const NoEvent& other : batch.others) {
    if (auto parked = store_->park(other); !parked) {
      in_trouble(stores, parked.error().sentence);
      return false;
    }
  }
  const auto stored = store_->store(batch.events);
  if (!stored) {
    in_trouble(stores, stored.error().sentence);
    return false;
  }
  out_of_trouble(stores);
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
  while (!store(batch, stop)) {
    wait(pause_, stop);
    if (stop.stop_requested()) return;
    source_->keep_alive();
    see_lag();
  }
}

/// A batch that cannot be confirmed comes again, which does no harm; the next one confirms it as well.
void OrderService::confirm(const std::stop_token& stop) {
  const auto confirmed = source_->confirm(stop);
  if (confirmed) return out_of_trouble(confirms);
  if (stop.stop_requested()) return;
  in_trouble(confirms, "what is stored cannot be confirmed: " + confirmed.error());
  wait(pause_, stop);
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

void OrderService::see_lag() {
  const auto lag = source_->lag();
  lag_.store(lag ? static_cast<std::int64_t>(*lag) : -1, std::memory_order_relaxed);
}

void OrderService::in_trouble(std::string_view cause, std::string sentence) {
  times_in_trouble_.fetch_add(1, std::memory_order_relaxed);
  pause_ = std::clamp(pause_ * 2, options_.first_pause, options_.longest_pause);
  troubles_.begin(cause, std::move(sentence));
}

void OrderService::out_of_trouble(std::string_view cause) {
  troubles_.end(cause);
  if (troubles_.sentence().empty()) pause_ = {};
}

OrderServiceCounters OrderService::counters() const {
  OrderServiceCounters counters;
  counters.events = events_;
  counters.parked = parked_;
  counters.troubles = times_in_trouble_;
  counters.failed = failed_;
  if (const std::int64_t lag = lag_; lag >= 0) counters.lag = static_cast<std::uint64_t>(lag);
  return counters;
}

std::string OrderService::trouble() const { return troubles_.sentence(); }

}  // namespace firstcome::events
