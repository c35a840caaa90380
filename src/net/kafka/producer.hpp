// Sends messages to Kafka and waits until all of them are surely there.
//
// Mechanism: an idempotent producer (each message has a sequence that the broker checks, so that the library's own
// repeats neither double nor reorder), acknowledged by all in-sync replicas. A message counts as sent when its delivery
// report says so, not when the library took it. Where a call fails, what it left in the library is thrown away, so that
// it does not arrive after a later call's messages; what is already on its way may still arrive before them.
#pragma once

#include "net/kafka/url.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>

namespace firstcome::net {

struct KafkaMessage {
  std::string_view topic;
  std::string_view key;  ///< those of one key stay in order; empty: none
  std::string_view payload;
};

struct KafkaProducerOptions {
  std::chrono::milliseconds linger{1};  ///< how long a message waits for others; those of one call come together anyway
  std::size_t most_message_bytes = 1'000'000;   ///< of one message; a broker's own limit is about that
  std::size_t most_waiting_bytes = 64U << 20U;  ///< in the library; more waits in `send_all`
  std::function<void(std::string_view)> log{};  ///< told warnings, from any thread; empty: nobody
};

/// Of one thread at a time; only the counters may be read by all.
class KafkaProducer {
 public:
  /// Connects by itself, later. Throws std::runtime_error where the settings do not fit together, as a `ca_file` that
  /// cannot be read.
  explicit KafkaProducer(KafkaUrl url, KafkaProducerOptions options = {});
  /// Drops what it has not sent. Cost: usually milliseconds.
  ~KafkaProducer();

  /// Sends all, in their order for each key, and blocks until every one of them is acknowledged. The error is a
  /// sentence: the first of a message's own failure (unknown topic, too large, no right), a refused user, "stopped", or
  /// the deadline with the reason that the connections have. After an error any of the messages may have arrived or may
  /// arrive; give all of them again. An error of the library that is final for its producer makes a new one, with which
  /// the next call begins. Cost: a call of a thousand messages takes one round trip to the brokers, and `linger`.
  std::expected<void, std::string> send_all(std::span<const KafkaMessage> messages,
                                            std::chrono::steady_clock::time_point deadline,
                                            const std::stop_token& stop);

  /// Messages that were acknowledged.
  std::uint64_t sent() const;
  /// Final errors of the library after which a new producer was made.
  std::uint64_t fatal_errors() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace firstcome::net
