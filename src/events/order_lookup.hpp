// Looks orders up on a thread of its own, because an order store blocks.
#pragma once

#include "events/orders/order_store.hpp"

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <expected>
#include <functional>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <thread>

namespace firstcome::events {

/// Thread safety: `ask` from any thread.
class OrderLookup {
 public:
  /// Opens a store that gives up soon after the token was asked to stop.
  using Open = std::function<std::expected<std::unique_ptr<OrderStore>, std::string>(std::stop_token)>;
  /// Is given the store, on the thread, or why there is none.
  using Look = std::move_only_function<void(const std::expected<OrderStore*, std::string>&)>;

  /// `open` is called on the thread, when somebody asks and there is no store yet; after a failure not for a second.
  explicit OrderLookup(Open open, std::size_t most_waiting = 1'024);
  /// Tells those that still wait that it stops.
  ~OrderLookup();
  OrderLookup(const OrderLookup&) = delete;
  OrderLookup& operator=(const OrderLookup&) = delete;

  /// Gives up the lookup that runs, and tells those that wait; from then on too many wait. Does not block. Any thread.
  void request_stop();

  enum class Asked : bool { too_many, yes };
  /// Calls `look` once, later, on the thread; not at all where too many wait.
  Asked ask(Look look);

 private:
  void run(const std::stop_token& stop);
  std::expected<OrderStore*, std::string> store(const std::stop_token& stop);

  const Open open_;
  const std::size_t most_waiting_;
  std::unique_ptr<OrderStore> store_;  ///< the thread's
  std::string trouble_;                ///< the thread's: why there is none
  std::chrono::steady_clock::time_point open_again_at_{};
  bool told_ = false;  ///< the thread's: that there is no store stands in the log

  std::mutex mutex_;  ///< protects what follows
  std::condition_variable_any changed_;
  std::deque<Look> waiting_;
  bool is_over_ = false;  ///< nobody is looked up any more
  std::jthread thread_;   ///< last: it uses the others
};

}  // namespace firstcome::events
