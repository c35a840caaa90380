// Reads topics as a member of a consumer group, and says itself what was done.
//
// Mechanism: the group's coordinator gives each member some partitions, and takes them away when members come or go. A
// partition is read on from the offset that the group committed last; nothing is committed but by `commit`. Each time a
// partition is given it counts as a new assignment: records of an earlier one are given to somebody, perhaps to us,
// once more, and are not committed by us any more. So each record is seen at least once, by one member at a time.
//
// A member that dies is missed after six seconds; one that leaves, at once. One that does not call `poll` for two
// minutes is put out of the group, and comes back with the next call.
#pragma once

#include "net/kafka/record.hpp"
#include "net/kafka/url.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace firstcome::net {

struct KafkaConsumerOptions {
  std::string group;
  std::vector<std::string> topics;
  std::chrono::milliseconds patience{10'000};   ///< of `commit`, and of leaving the group at the end
  std::size_t most_waiting_bytes = 32U << 20U;  ///< fetched and not yet polled
  std::function<void(std::string_view)> log{};  ///< told warnings, from any thread; empty: nobody
};

/// How far the group is behind in one of our partitions.
struct KafkaLag {
  std::string topic;
  std::int32_t partition = 0;
  std::int64_t records = 0;  ///< between what is polled (or, before that, committed) and the partition's end

  bool operator==(const KafkaLag&) const = default;
};

/// Of one thread at a time.
class KafkaConsumer {
 public:
  /// Joins the group by itself, while it is polled. Throws std::runtime_error where the settings do not fit together.
  explicit KafkaConsumer(KafkaUrl url, KafkaConsumerOptions options);
  /// Leaves the group. Cost: milliseconds; up to `patience` where the brokers do not answer.
  ~KafkaConsumer();

  /// The next records, at most `limit`; as soon as there are some, else after `timeout`, with none. In order within a
  /// partition. The error is a sentence, and no reason to end: unknown topic, no right, a refused user, brokers that
  /// cannot be reached; it goes on trying, and the caller polls again. Cost: about two microseconds a record.
  std::expected<std::vector<KafkaRecord>, std::string> poll(std::size_t limit, std::chrono::milliseconds timeout);

  /// Says for the group that these records, and all before them in their partitions, are done; blocks until that is
  /// stored. Those whose partition is not ours any more are passed over. The error is a sentence; then they may or may
  /// not be committed. Cost: a round trip.
  std::expected<void, std::string> commit(std::span<const KafkaRecord> records);

  /// What was polled and not committed is polled again. Cost: a part of a millisecond; what was fetched ahead is
  /// fetched again.
  void rewind();

  /// Polls give no records, and keep the membership, until `resume`.
  void pause();
  void resume();

  /// Of the partitions that are ours now; those that a broker does not tell of within `limit` are left out. Cost: a
  /// round trip for each partition.
  std::vector<KafkaLag> lag(std::chrono::milliseconds limit) const;

  /// How many partitions are ours now.
  std::size_t partitions() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace firstcome::net
