#include "net/kafka/topics.hpp"

#include "net/kafka/handle.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

namespace firstcome::net {

namespace {

using Problem = std::unexpected<std::string>;
using Clock = std::chrono::steady_clock;
using NewTopic = std::unique_ptr<rd_kafka_NewTopic_t, KafkaFree<rd_kafka_NewTopic_destroy>>;
using AdminOptions = std::unique_ptr<rd_kafka_AdminOptions_t, KafkaFree<rd_kafka_AdminOptions_destroy>>;

constexpr int as_the_brokers_say = -1;
constexpr int longest_question_ms = 500;

int milliseconds_until(Clock::time_point deadline) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
  return static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, 3'600'000));
}

/// How long a caller waits.
struct Patience {
  Clock::time_point deadline;
  const std::stop_token& stop;

  bool is_over() const { return stop.stop_requested() || Clock::now() >= deadline; }
  /// Of one piece of the wait: a stop, and that a user is refused, are noticed between two of them.
  int piece() const { return std::min(milliseconds_until(deadline), longest_question_ms); }
};

/// What the brokers say of a topic; RD_KAFKA_RESP_ERR_NO_ERROR: it is there.
rd_kafka_resp_err_t ask_for(KafkaHandle& client, const std::string& name, const Patience& patience) {
  const KafkaTopicHandle topic(rd_kafka_topic_new(client.get(), name.c_str(), nullptr));
  if (!topic) return rd_kafka_last_error();
  for (;;) {
    const rd_kafka_metadata_t* found = nullptr;
    rd_kafka_resp_err_t error = rd_kafka_metadata(client.get(), 0, topic.get(), &found, patience.piece());
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR) {
      error = found->topic_cnt == 1 ? found->topics[0].err : RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
      rd_kafka_metadata_destroy(found);
      return error;
    }
    rd_kafka_poll(client.get(), 0);
    const bool may_come = error == RD_KAFKA_RESP_ERR__TRANSPORT || error == RD_KAFKA_RESP_ERR__TIMED_OUT;
    if (!may_come || client.is_refused() || patience.is_over()) return error;
  }
}

/// Nothing: none came in time.
KafkaEvent answer_in(rd_kafka_queue_t& answers, const Patience& patience) {
  // The request has a time-out of its own, which says more: a little more time for that to arrive.
  const Patience longer{patience.deadline + std::chrono::seconds{1}, patience.stop};
  KafkaEvent event;
  do {
    event.reset(rd_kafka_queue_poll(&answers, longer.piece()));
  } while (!event && !longer.is_over());
  return event;
}

std::expected<void, std::string> create(const KafkaHandle& client, const KafkaTopic& topic, const Patience& patience) {
  std::array<char, 256> why{};
  const NewTopic wanted(
      rd_kafka_NewTopic_new(topic.name.c_str(), topic.partitions, as_the_brokers_say, why.data(), why.size()));
  if (!wanted) return Problem(fmt::format("Kafka, topic {}: {}", topic.name, why.data()));
  for (const auto& [name, value] : topic.config) {
    rd_kafka_NewTopic_set_config(wanted.get(), name.c_str(), value.c_str());
  }
  const AdminOptions options(rd_kafka_AdminOptions_new(client.get(), RD_KAFKA_ADMIN_OP_CREATETOPICS));
  rd_kafka_AdminOptions_set_request_timeout(options.get(), std::max(1, milliseconds_until(patience.deadline)), nullptr,
                                            0);
  const KafkaQueue answers(rd_kafka_queue_new(client.get()));
  std::array<rd_kafka_NewTopic_t*, 1> all{wanted.get()};
  rd_kafka_CreateTopics(client.get(), all.data(), all.size(), options.get(), answers.get());
  const KafkaEvent event = answer_in(*answers, patience);
  if (!event) return Problem(fmt::format("Kafka, topic {}: could not be made: no answer in time", topic.name));
  rd_kafka_resp_err_t error = rd_kafka_event_error(event.get());
  std::string detail = error == RD_KAFKA_RESP_ERR_NO_ERROR ? "" : rd_kafka_event_error_string(event.get());
  if (const auto* result = rd_kafka_event_CreateTopics_result(event.get()); error == RD_KAFKA_RESP_ERR_NO_ERROR) {
    std::size_t count = 0;
    const auto* const* made = rd_kafka_CreateTopics_result_topics(result, &count);
    error = rd_kafka_topic_result_error(made[0]);
    if (const char* text = rd_kafka_topic_result_error_string(made[0])) detail = text;
  }
  // Another one, at the same time, may have made it.
  if (error == RD_KAFKA_RESP_ERR_NO_ERROR || error == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS) return {};
  return Problem(fmt::format("Kafka, topic {}: could not be made: {} ({})", topic.name, kafka_sentence(error), detail));
}

}  // namespace

std::expected<void, std::string> ensure_topics(const KafkaUrl& url, std::span<const KafkaTopic> topics,
                                               std::chrono::milliseconds limit, const std::stop_token& stop) {
  const Patience patience{Clock::now() + limit, stop};
  KafkaSettings settings(url);
  // A consumer's question for a topic does not make it, which a producer's may.
  settings.set("allow.auto.create.topics", "false");
  KafkaHandle client(RD_KAFKA_CONSUMER, settings, nullptr);
  for (const KafkaTopic& topic : topics) {
    rd_kafka_resp_err_t error = ask_for(client, topic.name, patience);
    if (stop.stop_requested()) return Problem("stopped");
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR) continue;
    if (error == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART) {
      if (auto made = create(client, topic, patience); !made) return made;
      continue;
    }
    const std::string& problem = client.problem();
    return Problem(fmt::format("Kafka, topic {}: {}", topic.name, problem.empty() ? kafka_sentence(error) : problem));
  }
  return {};
}

}  // namespace firstcome::net
