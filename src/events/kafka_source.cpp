#include "events/kafka_source.hpp"

#include "events/kafka_sink.hpp"
#include "net/kafka/topics.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <stdexcept>
#include <utility>

namespace firstcome::events {
namespace {

constexpr std::chrono::seconds topic_limit{5};
constexpr std::chrono::seconds lag_every{1};
constexpr std::chrono::milliseconds lag_limit{200};
constexpr std::chrono::milliseconds sign_of_life{10};

net::KafkaConsumerOptions consumer_options(const KafkaSourceOptions& options) {
  net::KafkaConsumerOptions result;
  result.group = options.group;
  result.topics = {orders_topic(options.prefix)};
  result.log = [](std::string_view line) { spdlog::debug("kafka: {}", line); };
  return result;
}

}  // namespace

KafkaSource::KafkaSource(KafkaSourceOptions options)
    : options_(std::move(options)), consumer_(options_.url, consumer_options(options_)) {}

/// Whoever comes first makes it: a group that waits for a topic notices it minutes later.
std::expected<void, std::string> KafkaSource::make_topic(const std::stop_token& stop) {
  if (topic_is_there_) return {};
  const std::array topics{orders_topic_terms(options_.prefix)};
  try {
    if (auto made = net::ensure_topics(options_.url, topics, topic_limit, stop); !made) return made;
  } catch (const std::runtime_error& error) {  // settings that cannot be any more, as of a file that has gone
    return std::unexpected(std::string(error.what()));
  }
  topic_is_there_ = true;
  return {};
}

std::expected<SourceRecords, std::string> KafkaSource::poll(std::size_t limit, std::chrono::milliseconds timeout,
                                                            const std::stop_token& stop) {
  if (auto made = make_topic(stop); !made) return std::unexpected(std::move(made.error()));
  if (std::exchange(paused_, false)) consumer_.resume();
  std::vector<net::KafkaRecord> records = std::exchange(early_, {});
  if (records.empty()) {
    auto polled = consumer_.poll(limit, timeout);
    if (!polled) return std::unexpected(std::move(polled.error()));
    records = std::move(*polled);
  }
  SourceRecords result;
  if (!records.empty()) ++polls_;
  result.mark = polls_;
  result.records.reserve(records.size());
  for (net::KafkaRecord& record : records) {
    offsets_.add(record, polls_);
    result.records.push_back(
        {std::move(record.payload), fmt::format("{}/{}@{}", record.topic, record.partition, record.offset)});
  }
  return result;
}

std::expected<void, std::string> KafkaSource::confirm(std::uint64_t mark, const std::stop_token& stop) {
  offsets_.stored(mark);
  if (auto committed = consumer_.commit(offsets_.to_commit(), stop); !committed) return committed;
  offsets_.committed();
  return {};
}

void KafkaSource::keep_alive() {
  if (!std::exchange(paused_, true)) consumer_.pause();
  // What goes wrong meanwhile is told by the next poll.
  if (auto polled = consumer_.poll(1, sign_of_life)) std::ranges::move(*polled, std::back_inserter(early_));
}

std::optional<std::uint64_t> KafkaSource::lag() {
  const auto now = std::chrono::steady_clock::now();
  if (now < lag_again_at_) return lag_;
  lag_again_at_ = now + lag_every;
  lag_.reset();
  if (!consumer_.is_member()) return lag_;
  std::uint64_t sum = early_.size();
  for (const net::KafkaLag& behind : consumer_.lag(lag_limit)) {
    if (!behind.records) return lag_;
    sum += static_cast<std::uint64_t>(*behind.records);
  }
  lag_ = sum;
  return lag_;
}

}  // namespace firstcome::events
