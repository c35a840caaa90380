#include "events/order_lookup.hpp"

#include <spdlog/spdlog.h>

#include <utility>

namespace firstcome::events {
namespace {

/// After a failure, for which those who wait meanwhile are told of it: each try may take seconds.
constexpr std::chrono::seconds pause{1};

}  // namespace

OrderLookup::OrderLookup(Open open, std::size_t most_waiting)
    : open_(std::move(open)), most_waiting_(most_waiting), thread_([this] { run(); }) {}

OrderLookup::~OrderLookup() {
  {
    const std::lock_guard guard(mutex_);
    stopping_ = true;
    changed_.notify_one();
  }
  thread_.join();
  for (Look& look : waiting_) look(std::unexpected("the server stops"));
}

OrderLookup::Asked OrderLookup::ask(Look look) {
  const std::lock_guard guard(mutex_);
  if (waiting_.size() >= most_waiting_) return Asked::too_many;
  waiting_.push_back(std::move(look));
  changed_.notify_one();
  return Asked::yes;
}

void OrderLookup::run() {
  while (true) {
    std::unique_lock guard(mutex_);
    changed_.wait(guard, [this] { return stopping_ || !waiting_.empty(); });
    if (stopping_) return;
    Look look = std::move(waiting_.front());
    waiting_.pop_front();
    guard.unlock();
    look(store());
  }
}

std::expected<OrderStore*, std::string> OrderLookup::store() {
  if (!store_) {
    if (std::chrono::steady_clock::now() < open_again_at_) return std::unexpected(trouble_);
    auto opened = open_();
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
