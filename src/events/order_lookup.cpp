#include "events/order_lookup.hpp"

#include <spdlog/spdlog.h>

#include <utility>

namespace firstcome::events {
namespace {

/// After a failure, for which those who wait meanwhile are told of it: each try may take seconds.
constexpr std::chrono::seconds pause{1};

}  // namespace

OrderLookup::OrderLookup(Open open, std::size_t most_waiting)
    : open_(std::move(open)),
      most_waiting_(most_waiting),
      thread_([this](const std::stop_token& stop) { run(stop); }) {}

OrderLookup::~OrderLookup() {
  thread_.request_stop();
  thread_.join();
}

void OrderLookup::request_stop() { thread_.request_stop(); }

OrderLookup::Asked OrderLookup::ask(Look look) {
  const std::lock_guard guard(mutex_);
  if (waiting_.size() >= most_waiting_ || is_over_) return Asked::too_many;
  waiting_.push_back(std::move(look));
  changed_.notify_one();
  return Asked::yes;
}

void OrderLookup::run(const std::stop_token& stop) {
  while (true) {
    std::unique_lock guard(mutex_);
    changed_.wait(guard, stop, [this] { return !waiting_.empty(); });
    if (stop.stop_requested()) {
      is_over_ = true;
      std::deque<Look> left = std::exchange(waiting_, {});
      guard.unlock();
      for (Look& each : left) each(std::unexpected("the server stops"));
      return;
    }
    Look look = std::move(waiting_.front());
    waiting_.pop_front();
    guard.unlock();
    look(store(stop));
  }
}

std::expected<OrderStore*, std::string> OrderLookup::store(const std::stop_token& stop) {
  if (!store_) {
    if (std::chrono::steady_clock::now() < open_again_at_) return std::unexpected(trouble_);
    auto opened = open_(stop);
    if (!opened) {
      if (!std::exchange(told_, true)) spdlog::warn("orders cannot be looked up: {}", opened.error());
      trouble_ = std::move(opened.error());
      open_again_at_ = std::chrono::steady_clock::now() + pause;
      return std::unexpected(trouble_);
    }
    told_ = false;
    store_ = std::move(*opened);
  }
  return store_.get();
}

}  // namespace firstcome::events
