// Whether a Kafka can be reached, for programs that wait for it.
#pragma once

#include "net/kafka/url.hpp"

#include <chrono>
#include <expected>
#include <string>

namespace firstcome::net {

struct KafkaUnreached {
  bool is_refused = false;  ///< the brokers do not accept who we are: waiting does not help
  std::string sentence;
};

/// Asks the brokers which of them there are. Thread-safe. Cost: blocks for `limit` at most, and some milliseconds more.
std::expected<void, KafkaUnreached> reach_kafka(const KafkaUrl& url, std::chrono::milliseconds limit);

}  // namespace firstcome::net
