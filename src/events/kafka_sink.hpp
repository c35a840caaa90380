// Events to Kafka, as docs/events.md says: topic `PREFIXorders`, keyed by reservation (events of a sale by sale), and
// topic `PREFIXstock`, keyed by sale.
#pragma once

#include "events/event_sink.hpp"
#include "net/kafka/producer.hpp"
#include "net/kafka/topics.hpp"
#include "net/kafka/url.hpp"

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

namespace firstcome::events {

struct KafkaSinkOptions {
  net::KafkaUrl url;
  std::string prefix = "firstcome.";
  int partitions = 6;                          ///< of topics that are made; those that are there stay as they are
  std::chrono::milliseconds patience{30'000};  ///< of one `deliver`
};

/// The topics, of `partitions` each where they are made. Events stay there until their owner removes them: an order
/// service may have been away for long.
net::KafkaTopic orders_topic_terms(const std::string& prefix, int partitions = 6);

/// The topic of events, and of stock levels.
std::string orders_topic(const std::string& prefix);
std::string stock_topic(const std::string& prefix);

class KafkaSink final : public EventSink {
 public:
  /// Connects, and makes the topics where they are missing, with the first delivery. Throws std::runtime_error where
  /// the settings do not fit together.
  explicit KafkaSink(KafkaSinkOptions options);

  /// Of several levels of one sale only the latest is sent.
  std::expected<void, std::string> deliver(std::span<const Event> events, std::span<const StockLevel> levels,
                                           const std::stop_token& stop) override;

  /// Final errors of the producer, after which a new one went on; for all threads.
  std::uint64_t fatal_errors() const { return producer_.fatal_errors(); }

 private:
  const KafkaSinkOptions options_;
  const std::string orders_;
  const std::string stock_;
  net::KafkaProducer producer_;
  bool topics_are_there_ = false;
};

}  // namespace firstcome::events
