// Which offsets of a topic may be committed: of what was polled, that which is stored. Pure.
#pragma once

#include "net/kafka/record.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace firstcome::events {

/// Keeps, of each partition and assignment, the last record only: it stands for all before it. So what is kept stays
/// small, however long the brokers take no commit. Not thread-safe.
class PolledOffsets {
 public:
  /// A record that was polled under this mark. Marks rise.
  void add(const net::KafkaRecord& record, std::uint64_t mark);
  /// Everything up to this mark is stored.
  void stored(std::uint64_t mark);
  /// What is stored and not committed: records without key and payload.
  std::span<const net::KafkaRecord> to_commit() const { return stored_; }
  void committed() { stored_.clear(); }

  std::size_t size() const { return ahead_.size() + stored_.size(); }

 private:
  struct Polled {
    std::uint64_t mark = 0;
    net::KafkaRecord last;
  };

  std::vector<Polled> ahead_;  ///< not stored yet, by mark
  std::vector<net::KafkaRecord> stored_;
};

}  // namespace firstcome::events
