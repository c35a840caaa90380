// The relay's sink where the order service runs in the same process: events go straight into the order database.
#pragma once

#include "events/event_sink.hpp"
#include "events/orders/failed_retrier.hpp"

#include <cstdint>
#include <expected>
#include <memory>
#include <string>

namespace firstcome::events {

class OrderSink final : public EventSink {
 public:
  /// Opens two connections: one for what is delivered, one for what is tried again. Failures: a sentence.
  static std::expected<std::unique_ptr<OrderSink>, std::string> open(const OrderStoreOptions& options);
  OrderSink(std::unique_ptr<OrderStore> store, std::unique_ptr<OrderStore> for_failed, FailedRetrierOptions options);

  /// At most 2 000 events are one transaction; after a stop the one that runs is finished.
  std::expected<void, std::string> deliver(std::span<const Event> events, std::span<const StockLevel> levels,
                                           const std::stop_token& stop) override;

  /// Events in `failed_events`, as last counted. From any thread.
  std::uint64_t failed() const { return retrier_.failed(); }

 private:
  const std::unique_ptr<OrderStore> store_;
  FailedRetrier retrier_;
};

}  // namespace firstcome::events
