// Events from Kafka, for the order service.
#pragma once

#include "events/order_service.hpp"
#include "events/polled_offsets.hpp"
#include "net/kafka/consumer.hpp"
#include "net/kafka/url.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

namespace firstcome::events {

struct KafkaSourceOptions {
  net::KafkaUrl url;
  std::string prefix = "firstcome.";
  std::string group = "firstcome-orders";
};

class KafkaSource final : public EventSource {
 public:
  /// Connects, makes the topic where it is missing, and joins the group with the first poll. Throws std::runtime_error
  /// where the settings do not fit together.
  explicit KafkaSource(KafkaSourceOptions options);

  std::expected<SourceRecords, std::string> poll(std::size_t limit, std::chrono::milliseconds timeout,
                                                 const std::stop_token& stop) override;
  std::expected<void, std::string> confirm(std::uint64_t mark, const std::stop_token& stop) override;
  void keep_alive() override;
  std::optional<std::uint64_t> lag() override;

 private:
  std::expected<void, std::string> make_topic(const std::stop_token& stop);

  const KafkaSourceOptions options_;
  net::KafkaConsumer consumer_;
  bool topic_is_there_ = false;
  bool paused_ = false;
  std::vector<net::KafkaRecord> early_;  ///< polled while we only said that we live
  std::uint64_t polls_ = 0;              ///< that gave something: their number is their mark
  PolledOffsets offsets_;
  std::optional<std::uint64_t> lag_;
  std::chrono::steady_clock::time_point lag_again_at_{};
};

}  // namespace firstcome::events
