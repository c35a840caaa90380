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
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

namespace firstcome::net {

struct KafkaConsumerOptions {
  std::string group;
  std::vector<std::string> topics;
  std::chrono::milliseconds patience{10'000};   ///< of `commit`
  std::chrono::milliseconds leaving{1'000};     ///< of leaving the group at the end
  std::size_t most_waiting_bytes = 32U << 20U;  ///< fetched and not yet polled
  std::size_t most_polled_bytes = 4U << 20U;    ///< of one poll, and one record more
  std::function<void(std::string_view)> log{};  ///< told warnings, from any thread; empty: nobody
};

/// How far the group is behind in one of our partitions.
struct KafkaLag {
  std::string topic;
  std::int32_t partition = 0;
  /// Between what was polled and the end of the partition; all that the partition holds while nothing of it was polled.
  /// None while nobody has said yet where its end is.
  std::optional<std::int64_t> records;

  bool operator==(const KafkaLag&) const = default;
};

/// Of one thread at a time.
class KafkaConsumer {
 public:
  /// Joins the group by itself, while it is polled. Throws std::runtime_error where the settings do not fit together.
  explicit KafkaConsumer(KafkaUrl url, KafkaConsumerOptions options);
  /// Leaves the group. Cost: milliseconds; up to `leaving` where the brokers do not answer. Then the group misses this
  /// member after six seconds.
  ~KafkaConsumer();

  /// The next records, at most `limit` and `most_polled_bytes`; as soon as there are some, else after `timeout`, with
  /// none. In order within a partition. The error is a sentence, and no reason to end: unknown topic, no right, a
  /// refused user, brokers that cannot be reached; it goes on trying, and the caller polls again. Cost: about two
  /// microseconds a record.
  std::expected<std::vector<KafkaRecord>, std::string> poll(std::size_t limit, std::chrono::milliseconds timeout);

  /// Says for the group that these records, and all before them in their partitions, are done; blocks until that is
  /// stored. Records whose partition is not ours any more are passed over. The error is a sentence, "stopped" where
  /// `stop` was asked to stop; then they may or may not be committed. Cost: a round trip.
  std::expected<void, std::string> commit(std::span<const KafkaRecord> records, const std::stop_token& stop = {});

  /// What was polled and not committed is polled again. Cost: a part of a millisecond; what was fetched ahead is
  /// fetched again.
  void rewind();

  /// Polls give no records, and keep the membership, until `resume`.
  void pause();
  void resume();

  /// Returns one entry for each partition that is ours now. The ends are those that the brokers named in their last
  /// answers to the fetches that run anyway, so this costs no round trip, and while the brokers are away it is what was
  /// known last. While paused nothing is fetched: then the brokers are asked, and waited for until `limit`.
  std::vector<KafkaLag> lag(std::chrono::milliseconds limit);

  /// Whether the group has told us which partitions are ours, be it none, and has not taken them back since.
  bool is_member() const;

  /// How many partitions are ours now.
  std::size_t partitions() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace firstcome::net
