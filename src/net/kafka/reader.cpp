#include "net/kafka/reader.hpp"

#include "net/kafka/handle.hpp"
#include "net/kafka/received.hpp"

#include <fmt/format.h>

#include <map>
#include <utility>

namespace firstcome::net {

namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;
using Problem = std::unexpected<std::string>;

constexpr int longest_poll_ms = 50;  // a stop is noticed after that

/// Where each partition ends, of those that have something. Failure: the error.
std::expected<std::map<std::int32_t, std::int64_t>, rd_kafka_resp_err_t> ends_of(const KafkaHandle& client,
                                                                                 const std::string& topic,
                                                                                 int limit_ms) {
  const KafkaTopicHandle handle(rd_kafka_topic_new(client.get(), topic.c_str(), nullptr));
  if (!handle) return std::unexpected(rd_kafka_last_error());
  const rd_kafka_metadata_t* found = nullptr;
  rd_kafka_resp_err_t error = rd_kafka_metadata(client.get(), 0, handle.get(), &found, limit_ms);
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) return std::unexpected(error);
  const std::unique_ptr<const rd_kafka_metadata_t, KafkaFree<rd_kafka_metadata_destroy>> owned(found);
  if (found->topic_cnt != 1) return std::unexpected(RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
  const rd_kafka_metadata_topic_t& described = found->topics[0];
  if (described.err != RD_KAFKA_RESP_ERR_NO_ERROR) return std::unexpected(described.err);
  std::map<std::int32_t, std::int64_t> ends;
  for (int i = 0; i < described.partition_cnt; ++i) {
    std::int64_t low = 0;
    std::int64_t high = 0;
    error = rd_kafka_query_watermark_offsets(client.get(), topic.c_str(), described.partitions[i].id, &low, &high,
                                             limit_ms);
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR) return std::unexpected(error);
    if (low < high) ends[described.partitions[i].id] = high;
  }
  return ends;
}

void be_a_reader(KafkaSettings& settings) {
  settings.set("group.id", "firstcome-reader");  // which the library asks for, and which nobody joins
  settings.set("enable.auto.commit", "false");
  settings.set("enable.partition.eof", "true");
  settings.set("allow.auto.create.topics", "false");
  settings.set("auto.offset.reset", "earliest");
  settings.set("queued.max.messages.kbytes", "32768");
}

}  // namespace

std::expected<std::uint64_t, std::string> read_topic(const KafkaUrl& url, const std::string& topic,
                                                     const std::function<void(KafkaRecord)>& see,
                                                     const std::stop_token& stop, std::chrono::milliseconds patience) {
  KafkaSettings settings(url);
  be_a_reader(settings);
  KafkaHandle client(RD_KAFKA_CONSUMER, settings, nullptr);
  rd_kafka_poll_set_consumer(client.get());
  const auto failed = [&](const std::string& why) { return Problem(fmt::format("Kafka, topic {}: {}", topic, why)); };
  auto ends = ends_of(client, topic, static_cast<int>(patience.count()));
  if (!ends) {
    const Received event(rd_kafka_consumer_poll(client.get(), 0));  // has the connections say what is wrong
    return failed(client.problem().empty() ? kafka_sentence(ends.error()) : client.problem());
  }
  const KafkaPartitions all(rd_kafka_topic_partition_list_new(static_cast<int>(ends->size())));
  for (const auto& [partition, end] : *ends) {
    rd_kafka_topic_partition_list_add(all.get(), topic.c_str(), partition)->offset = RD_KAFKA_OFFSET_BEGINNING;
  }
  rd_kafka_assign(client.get(), all.get());
  std::uint64_t seen = 0;
  auto progress = Clock::now();
  while (!ends->empty()) {
    if (stop.stop_requested()) return failed("stopped");
    if (Clock::now() - progress > patience) {
      return failed(client.problem().empty() ? "nothing came for too long" : client.problem());
    }
    const Received message(rd_kafka_consumer_poll(client.get(), longest_poll_ms));
    if (!message) continue;
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR && message->err != RD_KAFKA_RESP_ERR__PARTITION_EOF) {
      return failed(kafka_sentence(message->err));
    }
    progress = Clock::now();
    const auto end = ends->find(message->partition);
    if (end == ends->end()) continue;
    const bool is_record = message->err == RD_KAFKA_RESP_ERR_NO_ERROR;
    const bool was_there = message->offset < end->second;
    if (!was_there || message->offset + 1 >= end->second) ends->erase(end);
    if (!is_record || !was_there) continue;
    see(record_of(*message));
    ++seen;
  }
  return seen;
}

}  // namespace firstcome::net
