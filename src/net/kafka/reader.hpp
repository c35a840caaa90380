// A topic from its beginning to where it ends now, without a group: for those who look, and change nothing.
#pragma once

#include "net/kafka/record.hpp"
#include "net/kafka/url.hpp"

#include <chrono>
#include <cstdint>
#include <expected>
#include <functional>
#include <stop_token>
#include <string>

namespace firstcome::net {

struct KafkaTopicRead {
  std::uint64_t records = 0;
  /// Whether it was read from the first record that was ever in it. If not, the brokers have deleted the oldest ones.
  bool is_whole = true;
};

/// Calls `see` with each record that is in the topic when its partition is first read; in order within a partition. The
/// error is a sentence: the topic does not exist, nothing came for `patience`, "stopped". Thread-safe; blocks, after a
/// stop for half a second at most. Cost: some 300 000 records a second.
std::expected<KafkaTopicRead, std::string> read_topic(const KafkaUrl& url, const std::string& topic,
                                                      const std::function<void(KafkaRecord)>& see,
                                                      const std::stop_token& stop = {},
                                                      std::chrono::milliseconds patience = std::chrono::seconds{15});

}  // namespace firstcome::net
