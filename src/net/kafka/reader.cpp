#include "net/kafka/reader.hpp"

#include "net/kafka/handle.hpp"
#include "net/kafka/received.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>

namespace firstcome::net {

namespace {

using Clock = std::chrono::steady_clock;
using Problem = std::unexpected<std::string>;

constexpr int longest_poll_ms = 50;       // a stop is noticed after that
constexpr int longest_question_ms = 500;  // likewise
constexpr std::int64_t not_known = -1;

class Reading {
 public:
  Reading(const KafkaUrl& url, std::string topic, const std::stop_token& stop, std::chrono::milliseconds patience)
      : topic_(std::move(topic)), stop_(stop), patience_(patience), client_(make_client(url)) {
    rd_kafka_poll_set_consumer(client_.get());
  }

  std::expected<KafkaTopicRead, std::string> read(const std::function<void(KafkaRecord)>& see);

 private:
  static KafkaHandle make_client(const KafkaUrl& url);
  Problem failed(const std::string& why) const { return Problem(fmt::format("Kafka, topic {}: {}", topic_, why)); }
  Problem failed(rd_kafka_resp_err_t error) const;
  std::expected<int, rd_kafka_resp_err_t> count_partitions();
  void begin(int partitions);
  bool is_to_be_seen(const rd_kafka_message_t& message);
  std::int64_t end_of(std::int32_t partition) const;

  const std::string topic_;
  const std::stop_token& stop_;
  const std::chrono::milliseconds patience_;
  KafkaHandle client_;
  std::map<std::int32_t, std::int64_t> ends_;  ///< of the partitions that are not done yet; not_known until first read
  KafkaTopicRead done_;
};

KafkaHandle Reading::make_client(const KafkaUrl& url) {
  KafkaSettings settings(url);
  settings.set("group.id", "firstcome-reader");  // which the library asks for, and which nobody joins
  settings.set("enable.auto.commit", "false");
  settings.set("enable.partition.eof", "true");
  settings.set("allow.auto.create.topics", "false");
  settings.set("auto.offset.reset", "earliest");
  settings.set("queued.max.messages.kbytes", "32768");
  return {RD_KAFKA_CONSUMER, settings, nullptr};
}

Problem Reading::failed(rd_kafka_resp_err_t error) const {
  return failed(client_.problem().empty() ? kafka_sentence(error) : client_.problem());
}

std::expected<int, rd_kafka_resp_err_t> Reading::count_partitions() {
  const KafkaTopicHandle handle(rd_kafka_topic_new(client_.get(), topic_.c_str(), nullptr));
  if (!handle) return std::unexpected(rd_kafka_last_error());
  const auto deadline = Clock::now() + patience_;
  for (;;) {
    const rd_kafka_metadata_t* found = nullptr;
    const rd_kafka_resp_err_t error = rd_kafka_metadata(client_.get(), 0, handle.get(), &found, longest_question_ms);
    const Received ignored(rd_kafka_consumer_poll(client_.get(), 0));  // has the connections say what is wrong
    const bool may_come = error == RD_KAFKA_RESP_ERR__TRANSPORT || error == RD_KAFKA_RESP_ERR__TIMED_OUT;
    const bool goes_on = !client_.is_refused() && !stop_.stop_requested() && Clock::now() < deadline;
    if (may_come && goes_on) continue;
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR) return std::unexpected(error);
    const std::unique_ptr<const rd_kafka_metadata_t, KafkaFree<rd_kafka_metadata_destroy>> owned(found);
    if (found->topic_cnt != 1) return std::unexpected(RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
    if (found->topics[0].err != RD_KAFKA_RESP_ERR_NO_ERROR) return std::unexpected(found->topics[0].err);
    return found->topics[0].partition_cnt;
  }
}

void Reading::begin(int partitions) {
  const KafkaPartitions all(rd_kafka_topic_partition_list_new(partitions));
  for (int partition = 0; partition < partitions; ++partition) {
    ends_[partition] = not_known;
    rd_kafka_topic_partition_list_add(all.get(), topic_.c_str(), partition)->offset = RD_KAFKA_OFFSET_BEGINNING;
  }
  rd_kafka_assign(client_.get(), all.get());
}

/// As the answer had it with which the first records of the partition came.
std::int64_t Reading::end_of(std::int32_t partition) const {
  std::int64_t low = 0;
  std::int64_t high = not_known;
  rd_kafka_get_watermark_offsets(client_.get(), topic_.c_str(), partition, &low, &high);
  return high;
}

/// Counts it, and whether its partition is done.
bool Reading::is_to_be_seen(const rd_kafka_message_t& message) {
  const auto end = ends_.find(message.partition);
  if (end == ends_.end()) return false;
  if (message.err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
    if (end->second == not_known && message.offset > 0) done_.is_whole = false;  // all that was in it is gone
    ends_.erase(end);
    return false;
  }
  if (end->second == not_known) {
    if (message.offset > 0) done_.is_whole = false;
    end->second = std::max(end_of(message.partition), message.offset + 1);
  }
  const bool was_there = message.offset < end->second;
  if (!was_there || message.offset + 1 >= end->second) ends_.erase(end);
  return was_there;
}

std::expected<KafkaTopicRead, std::string> Reading::read(const std::function<void(KafkaRecord)>& see) {
  const auto partitions = count_partitions();
  if (stop_.stop_requested()) return failed("stopped");
  if (!partitions) return failed(partitions.error());
  begin(*partitions);
  auto progress = Clock::now();
  while (!ends_.empty()) {
    if (stop_.stop_requested()) return failed("stopped");
    if (Clock::now() - progress > patience_) {
      return failed(client_.problem().empty() ? "nothing came for too long" : client_.problem());
    }
    const Received message(rd_kafka_consumer_poll(client_.get(), longest_poll_ms));
    if (!message) continue;
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR && message->err != RD_KAFKA_RESP_ERR__PARTITION_EOF) {
      return failed(kafka_sentence(message->err));
    }
    progress = Clock::now();
    if (!is_to_be_seen(*message)) continue;
    see(record_of(*message));
    ++done_.records;
  }
  return done_;
}

}  // namespace

std::expected<KafkaTopicRead, std::string> read_topic(const KafkaUrl& url, const std::string& topic,
                                                      const std::function<void(KafkaRecord)>& see,
                                                      const std::stop_token& stop, std::chrono::milliseconds patience) {
  return Reading(url, topic, stop, patience).read(see);
}

}  // namespace firstcome::net
