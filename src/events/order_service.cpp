#include "events/order_service.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <iterator>
#include <thread>
#include <utility>

namespace firstcome::events {

using SteadyClock = std::chrono::steady_clock;
namespace {

// What a trouble keeps from happening.
constexpr std::string_view reads = "events are read";
constexpr std::string_view stores = "events are stored";
constexpr std::string_view confirms = "stored events are confirmed";

constexpr std::chrono::milliseconds silence{1'000};       // after that the source hears of us
constexpr std::chrono::milliseconds until_confirmed{20};  // a poll that waits for more keeps a confirmation waiting

void pause_until(SteadyClock::time_point until, const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any nobody;
  std::unique_lock guard(mutex);
  nobody.wait_until(guard, stop, until, [] { return false; });
}

}  // namespace

OrderService::OrderService(std::unique_ptr<EventSource> source, OpenStore open, OrderServiceOptions options)
    : source_(std::move(source)),
      open_(std::move(open)),
      options_(std::move(options)),
      batch_(options_.max_rate == 0 ? options_.batch
                                    : std::clamp<std::size_t>(options_.max_rate / 10, 1, options_.batch)) {}

void OrderService::run(const std::stop_token& stop) {
  std::thread storing([&] { store_on(stop); });
  while (!stop.stop_requested()) read_on(stop);
  storing.join();
  confirm(stop);  // what is stored and not confirmed comes again
}

// --- reading ---

void OrderService::read_on(const std::stop_token& stop) {
  confirm(stop);
  see_lag();
  const std::size_t room = await_room(stop);
  if (stop.stop_requested()) return;
  if (room == 0) return source_->keep_alive();
  const bool is_stored = confirmed_ == read_;
  auto read =
      source_->poll(room, is_stored ? options_.poll_timeout : std::min(options_.poll_timeout, until_confirmed), stop);
  if (!read) {
    if (stop.stop_requested()) return;
    in_trouble(reads, "events cannot be read: " + read.error());
    return after_reading_.after_failure(stop);
  }
  troubles_.end(reads);
  after_reading_.reset();
  if (read->records.empty()) return;
  read_ = read->mark;
  Batch batch;
  batch.add(std::move(*read));
  const std::lock_guard guard(mutex_);
  waiting_.join(std::move(batch));
  changed_.notify_all();
}

void OrderService::Batch::add(SourceRecords read) {
  mark = read.mark;
  events.reserve(events.size() + read.records.size());
  for (SourceRecord& record : read.records) {
    bytes += record.payload.size();
    auto event = event_from_json(record.payload);
    if (event) {
      events.push_back(std::move(*event));
    } else {
      others.push_back({record.place, std::move(record.payload), std::move(event.error()), record.place});
    }
  }
}

void OrderService::Batch::join(Batch later) {
  if (size() == 0) {
    *this = std::move(later);
    return;
  }
  std::ranges::move(later.events, std::back_inserter(events));
  std::ranges::move(later.others, std::back_inserter(others));
  mark = later.mark;
  bytes += later.bytes;
}

/// How many records may be read; 0: none, for so long that the source should hear of us.
std::size_t OrderService::await_room(const std::stop_token& stop) {
  std::unique_lock guard(mutex_);
  const auto room = [&] {
    const bool is_heavy = waiting_.size() > 0 && waiting_.bytes >= options_.batch_bytes;
    return is_heavy ? 0 : batch_ - std::min(waiting_.size(), batch_);
  };
  changed_.wait_for(guard, stop, silence, [&] { return room() > 0; });
  return room();
}

/// What cannot be confirmed is tried again with what follows; until then it may come again, which does no harm.
void OrderService::confirm(const std::stop_token& stop) {
  const std::uint64_t stored = stored_.load();
  if (stored == confirmed_) return;
  if (const auto confirmed = source_->confirm(stored, stop); !confirmed) {
    if (stop.stop_requested()) return;
    in_trouble(confirms, "what is stored cannot be confirmed: " + confirmed.error());
    return after_confirming_.after_failure(stop);
  }
  confirmed_ = stored;
  troubles_.end(confirms);
  after_confirming_.reset();
}

void OrderService::see_lag() {
  const auto lag = source_->lag();
  std::unique_lock guard(mutex_);
  const std::uint64_t here = waiting_.size() + storing_;
  guard.unlock();
  lag_.store(lag ? static_cast<std::int64_t>(*lag + here) : -1, std::memory_order_relaxed);
}

// --- storing ---

void OrderService::store_on(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    have_store(stop);
    if (retrier_) failed_.store(retrier_->failed(), std::memory_order_relaxed);
    const Batch batch = take(stop);
    if (batch.size() == 0 || stop.stop_requested()) continue;
    while (!store(batch, stop)) {
      after_storing_.after_failure(stop);
      if (stop.stop_requested()) return;
    }
    storing_ = 0;
    stored_ = batch.mark;
    keep_to_rate(batch.events.size(), stop);
  }
}

OrderService::Batch OrderService::take(const std::stop_token& stop) {
  std::unique_lock guard(mutex_);
  changed_.wait_for(guard, stop, options_.poll_timeout, [&] { return waiting_.size() > 0; });
  Batch batch = std::exchange(waiting_, {});
  storing_ = batch.size();
  changed_.notify_all();
  return batch;
}

bool OrderService::have_store(const std::stop_token& stop) {
  if (store_) return true;
  auto opened = open_(stop);
  auto another = opened ? open_(stop) : std::unexpected(opened.error());
  if (!another) {
    in_trouble(stores, another.error());
    return false;
  }
  troubles_.end(stores);
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
  troubles_.end(stores);
  after_storing_.reset();
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

void OrderService::keep_to_rate(std::size_t events, const std::stop_token& stop) {
  if (options_.max_rate == 0) return;
  const auto now = SteadyClock::now();
  const auto cost = std::chrono::nanoseconds{std::chrono::seconds{1}} / options_.max_rate;
  next_at_ = std::max(next_at_, now) + cost * static_cast<std::int64_t>(events);
  pause_until(next_at_, stop);
}

// --- both ---

void OrderService::Pause::after_failure(const std::stop_token& stop) {
  next_ = std::clamp(next_ * 2, options_.first_pause, options_.longest_pause);
  pause_until(SteadyClock::now() + next_, stop);
}

void OrderService::in_trouble(std::string_view cause, std::string sentence) {
  times_in_trouble_.fetch_add(1, std::memory_order_relaxed);
  troubles_.begin(cause, std::move(sentence));
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
