#include "events/kafka_sink.hpp"

#include "net/kafka/topics.hpp"

#include <spdlog/spdlog.h>

#include <array>
#include <map>
#include <string_view>
#include <utility>
#include <vector>

namespace firstcome::events {

namespace {

constexpr std::size_t longest_message = 64U << 10U;  // no event comes near it

void warn(std::string_view sentence) { spdlog::warn("Kafka: {}", sentence); }

}  // namespace

net::KafkaTopic orders_topic_terms(const std::string& prefix, int partitions) {
  return {orders_topic(prefix), partitions, {{"retention.ms", "-1"}}};
}

std::string orders_topic(const std::string& prefix) { return prefix + "orders"; }
std::string stock_topic(const std::string& prefix) { return prefix + "stock"; }

KafkaSink::KafkaSink(KafkaSinkOptions options)
    : options_(std::move(options)),
      orders_(orders_topic(options_.prefix)),
      stock_(stock_topic(options_.prefix)),
      producer_(options_.url, {.most_message_bytes = longest_message, .log = warn}) {}

std::expected<void, std::string> KafkaSink::deliver(std::span<const Event> events, std::span<const StockLevel> levels,
                                                    const std::stop_token& stop) {
  const auto deadline = std::chrono::steady_clock::now() + options_.patience;
  if (!topics_are_there_) {
    // Of the stock only what is latest is of interest, for as long as there is nothing later.
    const std::array wanted{orders_topic_terms(options_.prefix, options_.partitions),
                            net::KafkaTopic{stock_, options_.partitions, {{"cleanup.policy", "compact"}}}};
    auto ensured = net::ensure_topics(options_.url, wanted, std::chrono::seconds{10});
    if (!ensured) return ensured;
    topics_are_there_ = true;
  }
  std::map<std::string_view, const StockLevel*> latest;
  for (const StockLevel& level : levels) {
    const StockLevel*& known = latest[level.sale_id];
    if (known == nullptr || known->version < level.version) known = &level;
  }
  std::vector<std::string> texts;
  std::vector<net::KafkaMessage> messages;
  texts.reserve(events.size() + latest.size());  // messages look into them
  messages.reserve(events.size() + latest.size());
  for (const Event& event : events) {
    const bool of_sale = event.type < EventType::reservation_queued;
    texts.push_back(to_json(event));
    messages.push_back({orders_, of_sale ? event.sale : event.reservation, texts.back()});
  }
  for (const auto& [sale, level] : latest) {
    texts.push_back(to_json(*level));
    messages.push_back({stock_, sale, texts.back()});
  }
  auto sent = producer_.send_all(messages, deadline, stop);
  // Somebody may have removed them.
  if (!sent) topics_are_there_ = false;
  return sent;
}

}  // namespace firstcome::events
