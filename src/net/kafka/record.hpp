// A message as it was read.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace firstcome::net {

struct KafkaRecord {
  std::string topic;
  std::int32_t partition = 0;
  std::int64_t offset = 0;  ///< in the partition, rising, not without gaps
  std::string key;          ///< empty: none
  std::string payload;
  std::chrono::sys_time<std::chrono::milliseconds> timestamp{};  ///< of the producer, as a rule
  std::uint64_t assignment = 0;  ///< of a consumer: which of its assignments of the partition gave it; see `commit`
};

}  // namespace firstcome::net
