#include "events/kafka_sink.hpp"

#include "net/kafka/topics.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <string_view>
#include <utility>
#include <vector>

namespace firstcome::events {

namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr std::size_t longest_message = 64U << 10U;  // no event comes near it
constexpr std::chrono::milliseconds patience_of_levels{2'000};
constexpr std::chrono::seconds pause_of_levels{10};

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

std::expected<void, std::string> KafkaSink::ensure(const net::KafkaTopic& topic, const std::stop_token& stop) const {
  return net::ensure_topics(options_.url, {&topic, 1}, std::chrono::seconds{10}, stop);
}

std::expected<void, std::string> KafkaSink::deliver(std::span<const Event> events, std::span<const StockLevel> levels,
                                                    const std::stop_token& stop) {
  if (auto sent = send_events(events, stop); !sent) return sent;
  for (const StockLevel& level : levels) {
    const auto [known, is_new] = levels_.try_emplace(level.sale_id, level);
    if (!is_new && known->second.version < level.version) known->second = level;
  }
  send_levels(stop);
  return {};
}

std::expected<void, std::string> KafkaSink::send_events(std::span<const Event> events, const std::stop_token& stop) {
  const auto deadline = SteadyClock::now() + options_.patience;
  if (!orders_is_there_) {
    auto ensured = ensure(orders_topic_terms(options_.prefix, options_.partitions), stop);
    if (!ensured) return ensured;
    orders_is_there_ = true;
  }
  std::vector<std::string> texts;
  std::vector<net::KafkaMessage> messages;
  texts.reserve(events.size());  // messages look into them
  messages.reserve(events.size());
  for (const Event& event : events) {
    const bool of_sale = event.type < EventType::reservation_queued;
    texts.push_back(to_json(event));
    messages.push_back({orders_, of_sale ? event.sale : event.reservation, texts.back()});
  }
  auto sent = producer_.send_all(messages, deadline, stop);
  // Somebody may have removed it.
  if (!sent) orders_is_there_ = false;
  return sent;
}

void KafkaSink::send_levels(const std::stop_token& stop) {
  if (levels_.empty() || stop.stop_requested() || SteadyClock::now() < levels_again_at_) return;
  const auto fail = [this](std::string why) {
    left_behind_ = std::move(why);
    stock_is_there_ = false;
    levels_again_at_ = SteadyClock::now() + pause_of_levels;
  };
  if (!stock_is_there_) {
    // Only the latest level of each sale is of interest, for as long as there is no later one.
    auto ensured = ensure({stock_, options_.partitions, {{"cleanup.policy", "compact"}}}, stop);
    if (!ensured) return fail(std::move(ensured.error()));
    stock_is_there_ = true;
  }
  std::vector<std::string> texts;
  std::vector<net::KafkaMessage> messages;
  texts.reserve(levels_.size());
  for (const auto& [sale, level] : levels_) {
    texts.push_back(to_json(level));
    messages.push_back({stock_, sale, texts.back()});
  }
  auto sent = producer_.send_all(messages, SteadyClock::now() + std::min(options_.patience, patience_of_levels), stop);
  if (!sent) return fail(std::move(sent.error()));
  levels_.clear();
  left_behind_.clear();
}

}  // namespace firstcome::events
