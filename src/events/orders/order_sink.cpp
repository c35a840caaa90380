#include "events/orders/order_sink.hpp"

#include <algorithm>
#include <utility>

namespace firstcome::events {

std::expected<std::unique_ptr<OrderSink>, std::string> OrderSink::open(const OrderStoreOptions& options) {
  auto store = OrderStore::open(options);
  if (!store) return std::unexpected(std::move(store.error()));
  auto for_failed = OrderStore::open(options);
  if (!for_failed) return std::unexpected(std::move(for_failed.error()));
  return std::make_unique<OrderSink>(std::move(*store), std::move(*for_failed),
                                     FailedRetrierOptions{.now = options.now});
}

OrderSink::OrderSink(std::unique_ptr<OrderStore> store, std::unique_ptr<OrderStore> for_failed,
                     FailedRetrierOptions options)
    : store_(std::move(store)), retrier_(std::move(for_failed), std::move(options)) {}

std::expected<void, std::string> OrderSink::deliver(std::span<const Event> events, std::span<const StockLevel>,
                                                    const std::stop_token& stop) {
  while (!events.empty()) {
    if (stop.stop_requested()) return std::unexpected("stopped");
    const auto some = events.first(std::min(events.size(), 2 * order_batch_rows));
    if (const auto stored = store_->store(some); !stored) return std::unexpected(stored.error().sentence);
    events = events.subspan(some.size());
  }
  return {};
}

}  // namespace firstcome::events
