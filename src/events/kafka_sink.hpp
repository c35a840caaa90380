// Events to Kafka, as docs/events.md says: topic `PREFIXorders`, keyed by reservation (events of a sale by sale), and
// topic `PREFIXstock`, keyed by sale.
#pragma once

#include "events/event_sink.hpp"
#include "net/kafka/producer.hpp"
#include "net/kafka/topics.hpp"
#include "net/kafka/url.hpp"

#include <chrono>
#include <cstdint>
#include <map>
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

  /// Of several levels of one sale only the latest is sent. A topic of stock that takes nothing keeps no event back:
  /// its levels wait here, and are tried again once in ten seconds.
  std::expected<void, std::string> deliver(std::span<const Event> events, std::span<const StockLevel> levels,
                                           const std::stop_token& stop) override;
  std::string left_behind() const override { return left_behind_; }

  /// Final errors of the producer, after which a new one went on; for all threads.
  std::uint64_t fatal_errors() const { return producer_.fatal_errors(); }

 private:
  using Deadline = std::chrono::steady_clock::time_point;
  std::expected<void, std::string> send_events(std::span<const Event> events, const std::stop_token& stop);
  void send_levels(const std::stop_token& stop);
  std::expected<void, std::string> ensure(const net::KafkaTopic& topic, const std::stop_token& stop) const;

  const KafkaSinkOptions options_;
  const std::string orders_;
  const std::string stock_;
  net::KafkaProducer producer_;
  bool orders_is_there_ = false;
  bool stock_is_there_ = false;
  std::map<std::string, StockLevel> levels_;  ///< by sale, not sent yet
  Deadline levels_again_at_{};
  std::string left_behind_;
};

}  // namespace firstcome::events
