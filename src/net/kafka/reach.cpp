#include "net/kafka/reach.hpp"

#include "net/kafka/handle.hpp"

#include <algorithm>

namespace firstcome::net {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

/// In small pieces: that a user is refused is told beside.
constexpr milliseconds longest_question{250};

}  // namespace

std::expected<void, KafkaUnreached> reach_kafka(const KafkaUrl& url, milliseconds limit) {
  const auto deadline = Clock::now() + limit;
  KafkaSettings settings(url);
  KafkaHandle client(RD_KAFKA_PRODUCER, settings, nullptr);
  for (;;) {
    const auto left = std::chrono::ceil<milliseconds>(deadline - Clock::now());
    const auto question = std::clamp(left, milliseconds{1}, longest_question);
    const rd_kafka_metadata_t* found = nullptr;
    const rd_kafka_resp_err_t error =
        rd_kafka_metadata(client.get(), 0, nullptr, &found, static_cast<int>(question.count()));
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR) {
      rd_kafka_metadata_destroy(found);
      return {};
    }
    rd_kafka_poll(client.get(), 0);
    if (!client.is_refused() && Clock::now() < deadline) continue;
    const std::string& problem = client.problem();
    return std::unexpected(KafkaUnreached{client.is_refused(), problem.empty() ? kafka_sentence(error) : problem});
  }
}

}  // namespace firstcome::net
