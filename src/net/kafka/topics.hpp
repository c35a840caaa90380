// Topics: made where they are missing.
#pragma once

#include "net/kafka/url.hpp"

#include <chrono>
#include <expected>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace firstcome::net {

struct KafkaTopic {
  std::string name;
  int partitions = 6;
  std::vector<std::pair<std::string, std::string>> config = {};  ///< as cleanup.policy, compact
};

/// Makes those that are not there, with the brokers' own number of replicas; one that is there stays as it is. The
/// error names the topic and why. Thread-safe. Cost: blocks for some round trips, at most twice `limit`.
std::expected<void, std::string> ensure_topics(const KafkaUrl& url, std::span<const KafkaTopic> topics,
                                               std::chrono::milliseconds limit);

}  // namespace firstcome::net
