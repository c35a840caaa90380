#include "net/kafka/consumer.hpp"

#include "net/kafka/handle.hpp"
#include "net/kafka/received.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <stdexcept>
#include <string_view>
#include <utility>

namespace firstcome::net {

namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;
using Problem = std::unexpected<std::string>;

constexpr std::int64_t unknown_offset = -1;
constexpr auto longest_wait = 50ms;  // a stop is noticed after that

int milliseconds_until(Clock::time_point deadline) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
  return static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, 3'600'000));
}

struct PartitionKey {
  std::string topic;
  std::int32_t partition = 0;
};

/// So that a record's partition is found without a copy of its topic.
struct ByName {
  using is_transparent = void;
  static std::pair<std::string_view, std::int32_t> key(const PartitionKey& key) { return {key.topic, key.partition}; }
  static std::pair<std::string_view, std::int32_t> key(const KafkaRecord& of) { return {of.topic, of.partition}; }
  bool operator()(const auto& a, const auto& b) const { return key(a) < key(b); }
};

/// A partition that is ours.
struct Assigned {
  std::uint64_t assignment = 0;
  std::int64_t done = unknown_offset;    ///< the first record that is not committed, of those polled; where it began
  std::int64_t polled = unknown_offset;  ///< the next record to come
  std::int64_t end = unknown_offset;     ///< as the brokers said when they were asked
};

}  // namespace

class KafkaConsumer::Impl {
 public:
  Impl(KafkaUrl url, KafkaConsumerOptions options) : url_(std::move(url)), options_(std::move(options)) { open(); }
  ~Impl() { close(); }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  std::expected<std::vector<KafkaRecord>, std::string> poll(std::size_t limit, std::chrono::milliseconds timeout);
  std::expected<void, std::string> commit(std::span<const KafkaRecord> records, const std::stop_token& stop);
  void rewind();
  void set_paused(bool paused);
  std::vector<KafkaLag> lag(std::chrono::milliseconds limit);
  std::size_t partitions() const { return assigned_.size(); }
  bool is_member() const { return member_; }

 private:
  void open();
  void close();
  void take(const rd_kafka_message_t& message, std::vector<KafkaRecord>& records);
  void take_end(const rd_kafka_message_t& message);
  void drop_what_is_not_ours(std::vector<KafkaRecord>& records) const;
  void ask_for_ends(std::chrono::milliseconds limit);
  rd_kafka_resp_err_t answer_to_commit(rd_kafka_queue_t& answers, const std::stop_token& stop) const;
  const Assigned* assigned(const KafkaRecord& record) const;
  KafkaPartitions list() const;
  void hold_or_let_go() const;
  void given(const rd_kafka_topic_partition_list_t& partitions);
  static void on_rebalance(rd_kafka_t* client, rd_kafka_resp_err_t what, rd_kafka_topic_partition_list_t* partitions,
                           void* opaque);

  const KafkaUrl url_;
  const KafkaConsumerOptions options_;
  std::unique_ptr<KafkaHandle> handle_;
  std::map<PartitionKey, Assigned, ByName> assigned_;
  std::uint64_t assignments_ = 0;  ///< ever; so that each has a number of its own
  std::uint64_t rebalances_ = 0;
  bool member_ = false;
  bool paused_ = false;
};

void KafkaConsumer::Impl::open() {
  KafkaSettings settings(url_);
  settings.set("group.id", options_.group);
  settings.set("enable.auto.commit", "false");
  settings.set("enable.auto.offset.store", "false");
  settings.set("auto.offset.reset", "earliest");
  settings.set("session.timeout.ms", 6s);
  settings.set("heartbeat.interval.ms", 2s);
  settings.set("max.poll.interval.ms", 120s);
  settings.set("allow.auto.create.topics", "false");
  // Says where a partition that has nothing new ends, without which nobody knows how far behind it we are.
  settings.set("enable.partition.eof", "true");
  settings.set("queued.max.messages.kbytes", std::to_string(options_.most_waiting_bytes / 1024));
  settings.set("fetch.error.backoff.ms", "100");
  // How long a question for records may wait at the broker: a part of what a rewind costs.
  settings.set("fetch.wait.max.ms", "100");
  // Everybody gives back everything and gets a new share: what one held is not read on by another before that.
  settings.set("partition.assignment.strategy", "range");
  rd_kafka_conf_set_rebalance_cb(settings.get(), &Impl::on_rebalance);
  handle_ = std::make_unique<KafkaHandle>(RD_KAFKA_CONSUMER, settings, options_.log, this);
  rd_kafka_poll_set_consumer(handle_->get());
  const KafkaPartitions topics(rd_kafka_topic_partition_list_new(static_cast<int>(options_.topics.size())));
  for (const std::string& topic : options_.topics) {
    rd_kafka_topic_partition_list_add(topics.get(), topic.c_str(), RD_KAFKA_PARTITION_UA);
  }
  const rd_kafka_resp_err_t error = rd_kafka_subscribe(handle_->get(), topics.get());
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) throw std::runtime_error("Kafka consumer: " + kafka_sentence(error));
}

/// rd_kafka_consumer_close would wait for the brokers for as long as that takes.
void KafkaConsumer::Impl::close() {
  const KafkaQueue answers(rd_kafka_queue_get_consumer(handle_->get()));
  rd_kafka_error_t* const refused = rd_kafka_consumer_close_queue(handle_->get(), answers.get());
  if (refused != nullptr) rd_kafka_error_destroy(refused);
  const auto deadline = Clock::now() + options_.leaving;
  while (refused == nullptr && rd_kafka_consumer_closed(handle_->get()) == 0 && Clock::now() < deadline) {
    // Only to be served: what is given back. Records that it still holds are nobody's.
    const Received ignored(rd_kafka_consumer_poll(handle_->get(), 20));
  }
  handle_->is_closed();
  handle_.reset();
  assigned_.clear();
  member_ = false;
}

void KafkaConsumer::Impl::on_rebalance(rd_kafka_t* client, rd_kafka_resp_err_t what,
                                       rd_kafka_topic_partition_list_t* partitions, void* opaque) {
  auto& self = *static_cast<Impl*>(KafkaHandle::user_of(opaque));
  ++self.rebalances_;
  if (what == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
    self.given(*partitions);
    self.member_ = true;
    rd_kafka_assign(client, partitions);
    self.hold_or_let_go();
  } else {
    self.assigned_.clear();
    self.member_ = false;
    rd_kafka_assign(client, nullptr);
  }
}

void KafkaConsumer::Impl::given(const rd_kafka_topic_partition_list_t& partitions) {
  assigned_.clear();
  ++assignments_;
  for (int i = 0; i < partitions.cnt; ++i) {
    assigned_[{partitions.elems[i].topic, partitions.elems[i].partition}].assignment = assignments_;
  }
}

KafkaPartitions KafkaConsumer::Impl::list() const {
  KafkaPartitions partitions(rd_kafka_topic_partition_list_new(static_cast<int>(assigned_.size())));
  for (const auto& [key, state] : assigned_) {
    rd_kafka_topic_partition_list_add(partitions.get(), key.topic.c_str(), key.partition);
  }
  return partitions;
}

void KafkaConsumer::Impl::hold_or_let_go() const {
  const KafkaPartitions all = list();
  paused_ ? rd_kafka_pause_partitions(handle_->get(), all.get())
          : rd_kafka_resume_partitions(handle_->get(), all.get());
}

void KafkaConsumer::Impl::set_paused(bool paused) {
  if (paused_ == paused) return;
  paused_ = paused;
  hold_or_let_go();
}

const Assigned* KafkaConsumer::Impl::assigned(const KafkaRecord& record) const {
  const auto found = assigned_.find(record);
  return found != assigned_.end() && found->second.assignment == record.assignment ? &found->second : nullptr;
}

void KafkaConsumer::Impl::take(const rd_kafka_message_t& message, std::vector<KafkaRecord>& records) {
  KafkaRecord record = record_of(message);
  const auto found = assigned_.find(record);
  if (found == assigned_.end()) return;  // it was fetched for an assignment that is over
  Assigned& state = found->second;
  record.assignment = state.assignment;
  if (state.done == unknown_offset) state.done = record.offset;
  state.polled = record.offset + 1;
  records.push_back(std::move(record));
}

/// Everything before it was polled, or was there before we came.
void KafkaConsumer::Impl::take_end(const rd_kafka_message_t& message) {
  const auto found = assigned_.find(PartitionKey{rd_kafka_topic_name(message.rkt), message.partition});
  if (found == assigned_.end()) return;
  Assigned& state = found->second;
  if (state.done == unknown_offset) state.done = message.offset;
  state.polled = std::max(state.polled, message.offset);
}

void KafkaConsumer::Impl::drop_what_is_not_ours(std::vector<KafkaRecord>& records) const {
  std::erase_if(records, [this](const KafkaRecord& record) { return assigned(record) == nullptr; });
}

std::expected<std::vector<KafkaRecord>, std::string> KafkaConsumer::Impl::poll(std::size_t limit,
                                                                               std::chrono::milliseconds timeout) {
  if (const std::string why = handle_->fatal_error(); !why.empty()) {
    if (options_.log) options_.log("the consumer failed for good, a new one goes on: " + why);
    close();
    open();
  }
  const auto deadline = Clock::now() + timeout;
  const std::uint64_t rebalances = rebalances_;
  std::vector<KafkaRecord> records;
  std::string problem;
  std::size_t bytes = 0;
  while (records.size() < limit && bytes < options_.most_polled_bytes && problem.empty()) {
    const Received message(rd_kafka_consumer_poll(handle_->get(), records.empty() ? milliseconds_until(deadline) : 0));
    if (message && message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
      bytes += message->len;
      take(*message, records);
    } else if (message && message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
      take_end(*message);
    } else if (message) {
      problem = fmt::format("Kafka, topic {}: {}", message->rkt != nullptr ? rd_kafka_topic_name(message->rkt) : "?",
                            kafka_sentence(message->err));
      // Errors of the group, or of all topics, have no topic.
      if (message->rkt == nullptr) problem = "Kafka: " + kafka_sentence(message->err);
    } else if (!records.empty() || Clock::now() >= deadline) {
      break;
    }
  }
  if (rebalances != rebalances_) drop_what_is_not_ours(records);
  if (!records.empty()) {
    handle_->clear_problem();
    return records;
  }
  if (problem.empty() && !handle_->problem().empty()) problem = "Kafka: " + handle_->take_problem();
  if (!problem.empty()) return Problem(std::move(problem));
  return records;
}

rd_kafka_resp_err_t KafkaConsumer::Impl::answer_to_commit(rd_kafka_queue_t& answers,
                                                          const std::stop_token& stop) const {
  const auto deadline = Clock::now() + options_.patience;
  KafkaEvent event;
  while (!event && !stop.stop_requested() && Clock::now() < deadline) {
    event.reset(rd_kafka_queue_poll(&answers, std::min(milliseconds_until(deadline), int{longest_wait.count()})));
  }
  if (!event) return RD_KAFKA_RESP_ERR__TIMED_OUT;
  rd_kafka_resp_err_t error = rd_kafka_event_error(event.get());
  const auto* stored = rd_kafka_event_topic_partition_list(event.get());
  for (int i = 0; stored != nullptr && i < stored->cnt && error == RD_KAFKA_RESP_ERR_NO_ERROR; ++i) {
    error = stored->elems[i].err;
  }
  return error;
}

std::expected<void, std::string> KafkaConsumer::Impl::commit(std::span<const KafkaRecord> records,
                                                             const std::stop_token& stop) {
  std::map<PartitionKey, std::int64_t, ByName> next;
  for (const KafkaRecord& record : records) {
    if (assigned(record) == nullptr) continue;
    auto found = next.find(record);
    if (found == next.end()) found = next.emplace(PartitionKey{record.topic, record.partition}, 0).first;
    found->second = std::max(found->second, record.offset + 1);
  }
  if (next.empty()) return {};
  const KafkaPartitions offsets(rd_kafka_topic_partition_list_new(static_cast<int>(next.size())));
  for (const auto& [key, offset] : next) {
    rd_kafka_topic_partition_list_add(offsets.get(), key.topic.c_str(), key.partition)->offset = offset;
  }
  const KafkaQueue answers(rd_kafka_queue_new(handle_->get()));
  rd_kafka_resp_err_t error = rd_kafka_commit_queue(handle_->get(), offsets.get(), answers.get(), nullptr, nullptr);
  if (error == RD_KAFKA_RESP_ERR_NO_ERROR) error = answer_to_commit(*answers, stop);
  if (error == RD_KAFKA_RESP_ERR__TIMED_OUT && stop.stop_requested()) return Problem("stopped");
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
    return Problem(
        fmt::format("Kafka, group {}: offsets may not be committed: {}", options_.group, kafka_sentence(error)));
  }
  for (const auto& [key, offset] : next) assigned_[key].done = std::max(assigned_[key].done, offset);
  return {};
}

void KafkaConsumer::Impl::rewind() {
  const KafkaPartitions back(rd_kafka_topic_partition_list_new(static_cast<int>(assigned_.size())));
  for (auto& [key, state] : assigned_) {
    if (state.done == state.polled) continue;
    rd_kafka_topic_partition_list_add(back.get(), key.topic.c_str(), key.partition)->offset = state.done;
    state.polled = state.done;
  }
  if (back->cnt == 0) return;
  // It fails only for partitions that are not ours, and waits for its own threads only.
  rd_kafka_error_t* const failed =
      rd_kafka_seek_partitions(handle_->get(), back.get(), static_cast<int>(options_.patience.count()));
  if (failed != nullptr) rd_kafka_error_destroy(failed);
}

/// This way of asking keeps to its limit, as rd_kafka_query_watermark_offsets does not: that one waits for as long as a
/// partition's leader is away.
void KafkaConsumer::Impl::ask_for_ends(std::chrono::milliseconds limit) {
  const KafkaPartitions all = list();
  if (all->cnt == 0) return;
  for (int i = 0; i < all->cnt; ++i) all->elems[i].offset = RD_KAFKA_OFFSET_END;
  const auto error = rd_kafka_offsets_for_times(handle_->get(), all.get(), static_cast<int>(limit.count()));
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) return;
  for (int i = 0; i < all->cnt; ++i) {
    const rd_kafka_topic_partition_t& of = all->elems[i];
    if (of.err == RD_KAFKA_RESP_ERR_NO_ERROR && of.offset >= 0) assigned_.at({of.topic, of.partition}).end = of.offset;
  }
}

std::vector<KafkaLag> KafkaConsumer::Impl::lag(std::chrono::milliseconds limit) {
  if (paused_) ask_for_ends(limit);
  std::vector<KafkaLag> all;
  for (const auto& [key, state] : assigned_) {
    std::int64_t low = 0;
    std::int64_t high = unknown_offset;
    rd_kafka_get_watermark_offsets(handle_->get(), key.topic.c_str(), key.partition, &low, &high);
    KafkaLag& lag = all.emplace_back(KafkaLag{key.topic, key.partition, std::nullopt});
    high = std::max(high, state.end);
    if (high < 0) continue;
    // Of a partition from which nothing has come yet, all that it holds counts: at a small rate its turn may come late.
    const std::int64_t from = state.polled != unknown_offset ? state.polled : std::max<std::int64_t>(low, 0);
    lag.records = std::max<std::int64_t>(high - from, 0);
  }
  return all;
}

KafkaConsumer::KafkaConsumer(KafkaUrl url, KafkaConsumerOptions options)
    : impl_(std::make_unique<Impl>(std::move(url), std::move(options))) {}
KafkaConsumer::~KafkaConsumer() = default;

std::expected<std::vector<KafkaRecord>, std::string> KafkaConsumer::poll(std::size_t limit,
                                                                         std::chrono::milliseconds timeout) {
  return impl_->poll(limit, timeout);
}
std::expected<void, std::string> KafkaConsumer::commit(std::span<const KafkaRecord> records,
                                                       const std::stop_token& stop) {
  return impl_->commit(records, stop);
}
void KafkaConsumer::rewind() { impl_->rewind(); }
void KafkaConsumer::pause() { impl_->set_paused(true); }
void KafkaConsumer::resume() { impl_->set_paused(false); }
std::vector<KafkaLag> KafkaConsumer::lag(std::chrono::milliseconds limit) { return impl_->lag(limit); }
std::size_t KafkaConsumer::partitions() const { return impl_->partitions(); }
bool KafkaConsumer::is_member() const { return impl_->is_member(); }

}  // namespace firstcome::net
