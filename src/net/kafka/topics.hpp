// Topics: made where they are missing.
#pragma once

#include "net/kafka/url.hpp"

#include <chrono>
#include <expected>
#include <span>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

namespace firstcome::net {

struct KafkaTopic {
  std::string name;
  int partitions = 6;
  std::vector<std::pair<std::string, std::string>> config = {};  ///< as cleanup.policy, compact
};

/// Makes the topics that are not there, with the brokers' own number of replicas; one that is there stays as it is. The
/// error names the topic and why, or is "stopped" where `stop` was asked to stop. Thread-safe. Cost: blocks for some
/// round trips, at most twice `limit`, and half a second after a stop.
std::expected<void, std::string> ensure_topics(const KafkaUrl& url, std::span<const KafkaTopic> topics,
                                               std::chrono::milliseconds limit, const std::stop_token& stop = {});

}  // namespace firstcome::net
