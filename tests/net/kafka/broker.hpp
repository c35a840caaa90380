// What tests of Kafka share: the broker, topics on it, and what lies in them.
#pragma once

#include "net/kafka/producer.hpp"
#include "net/kafka/reader.hpp"
#include "net/kafka/topics.hpp"
#include "net/kafka/url.hpp"
#include "support/kafka_server.hpp"

#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <string>
#include <vector>

namespace firstcome::net::kafka_tests {

using namespace std::chrono_literals;
using firstcome::testing::KafkaServer;

inline KafkaUrl url_of(const std::string& text) { return parse_kafka_url(text).value(); }

inline std::chrono::steady_clock::time_point within(std::chrono::milliseconds time) {
  return std::chrono::steady_clock::now() + time;
}

inline void make_topic(const KafkaServer& server, const std::string& name, int partitions = 1) {
  const std::array wanted{KafkaTopic{.name = name, .partitions = partitions}};
  const auto made = ensure_topics(url_of(server.url()), wanted, 30s);
  EXPECT_TRUE(made) << made.error();
}

inline std::vector<KafkaRecord> all_of(const KafkaServer& server, const std::string& topic) {
  std::vector<KafkaRecord> records;
  const auto read =
      read_topic(url_of(server.url()), topic, [&](KafkaRecord record) { records.push_back(std::move(record)); });
  EXPECT_TRUE(read) << read.error();
  return records;
}

/// Messages that own their text: key `k3`, payload `17`.
struct Numbered {
  std::vector<std::string> keys;
  std::vector<std::string> payloads;
  std::vector<KafkaMessage> messages;

  Numbered(std::string_view topic, int from, int upto, int different_keys) {
    for (int i = from; i < upto; ++i) {
      keys.push_back("k" + std::to_string(i % different_keys));
      payloads.push_back(std::to_string(i));
    }
    for (std::size_t i = 0; i < keys.size(); ++i) messages.push_back({topic, keys[i], payloads[i]});
  }
};

}  // namespace firstcome::net::kafka_tests
