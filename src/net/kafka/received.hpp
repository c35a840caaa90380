// What a consumer of librdkafka's gives, as a record of ours. Private to net/kafka.
#pragma once

#include "net/kafka/handle.hpp"
#include "net/kafka/record.hpp"

#include <chrono>
#include <memory>
#include <string>

namespace firstcome::net {

using Received = std::unique_ptr<rd_kafka_message_t, KafkaFree<rd_kafka_message_destroy>>;

inline std::string text_of(const void* bytes, std::size_t size) {
  return size == 0 ? std::string() : std::string(static_cast<const char*>(bytes), size);
}

/// REQUIRES: it is no error.
inline KafkaRecord record_of(const rd_kafka_message_t& message) {
  return {.topic = rd_kafka_topic_name(message.rkt),
          .partition = message.partition,
          .offset = message.offset,
          .key = text_of(message.key, message.key_len),
          .payload = text_of(message.payload, message.len),
          .timestamp = std::chrono::sys_time<std::chrono::milliseconds>(
              std::chrono::milliseconds(rd_kafka_message_timestamp(&message, nullptr)))};
}

}  // namespace firstcome::net
