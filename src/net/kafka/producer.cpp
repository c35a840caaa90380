#include "net/kafka/producer.hpp"

#include "net/kafka/handle.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <optional>
#include <utility>

namespace firstcome::net {

namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr auto longest_poll = 50ms;       // a stop is noticed after that
constexpr auto patience_of_purging = 2s;  // for the reports of messages that were thrown away

/// Once a producer believes that a topic is not there, it believes so for minutes.
bool is_missing(rd_kafka_resp_err_t error) {
  return error == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC || error == RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION ||
         error == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
}

}  // namespace

class KafkaProducer::Impl {
 public:
  Impl(KafkaUrl url, KafkaProducerOptions options) : url_(std::move(url)), options_(std::move(options)) { open(); }
  ~Impl() { close(); }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  std::expected<void, std::string> send_all(std::span<const KafkaMessage> messages, Clock::time_point deadline,
                                            const std::stop_token& stop);

  std::atomic<std::uint64_t> sent = 0;
  std::atomic<std::uint64_t> fatal_errors = 0;

 private:
  void open();
  void close();
  rd_kafka_topic_t* topic(std::string_view name);
  bool hand_over(const KafkaMessage& message);
  std::string reason_to_end(Clock::time_point deadline, const std::stop_token& stop) const;
  void abandon();
  static void on_report(rd_kafka_t* client, const rd_kafka_message_t* message, void* opaque);

  const KafkaUrl url_;
  const KafkaProducerOptions options_;
  std::unique_ptr<KafkaHandle> handle_;
  std::map<std::string, KafkaTopicHandle, std::less<>> topics_;
  bool worn_out_ = false;  ///< the next call begins with a new producer

  // Of the present call. Reports of an earlier one, that was given up, are known by its number.
  std::uintptr_t call_ = 0;
  std::size_t waiting_ = 0;
  std::string failure_;
};

void KafkaProducer::Impl::open() {
  KafkaSettings settings(url_);
  settings.set("enable.idempotence", "true");
  settings.set("acks", "all");
  settings.set("linger.ms", options_.linger);
  settings.set("message.max.bytes", std::to_string(options_.most_message_bytes));
  settings.set("queue.buffering.max.kbytes", std::to_string(options_.most_waiting_bytes / 1024));
  // Until the caller's deadline: then the messages are thrown away by hand.
  settings.set("message.timeout.ms", "0");
  settings.set("retry.backoff.ms", "50");
  // As the clients in Java choose, so that one key has one partition whoever writes it.
  settings.set("partitioner", "murmur2_random");
  settings.try_set("compression.codec", "lz4");
  rd_kafka_conf_set_dr_msg_cb(settings.get(), &Impl::on_report);
  handle_ = std::make_unique<KafkaHandle>(RD_KAFKA_PRODUCER, settings, options_.log, this);
  worn_out_ = false;
}

void KafkaProducer::Impl::close() {
  rd_kafka_purge(handle_->get(), RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
  ++call_;  // whose reports nobody waits for
  topics_.clear();
  handle_.reset();
}

rd_kafka_topic_t* KafkaProducer::Impl::topic(std::string_view name) {
  auto found = topics_.find(name);
  if (found == topics_.end()) {
    std::string owned(name);
    KafkaTopicHandle made(rd_kafka_topic_new(handle_->get(), owned.c_str(), nullptr));
    if (!made) return nullptr;
    found = topics_.emplace(std::move(owned), std::move(made)).first;
  }
  return found->second.get();
}

void KafkaProducer::Impl::on_report(rd_kafka_t* /*client*/, const rd_kafka_message_t* message, void* opaque) {
  auto& self = *static_cast<Impl*>(KafkaHandle::user_of(opaque));
  if (reinterpret_cast<std::uintptr_t>(message->_private) != self.call_) return;
  --self.waiting_;
  if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
    self.sent.fetch_add(1, std::memory_order_relaxed);
  } else if (self.failure_.empty()) {
    self.failure_ = fmt::format("Kafka, topic {}: {}", rd_kafka_topic_name(message->rkt), kafka_sentence(message->err));
    self.worn_out_ = is_missing(message->err);
  }
}

/// False: the library is full. A failure of the message itself is left in `failure_`.
bool KafkaProducer::Impl::hand_over(const KafkaMessage& message) {
  rd_kafka_topic_t* const to = topic(message.topic);
  if (to == nullptr) {
    failure_ = fmt::format("Kafka, topic {}: {}", message.topic, kafka_sentence(rd_kafka_last_error()));
    return true;
  }
  const void* const key = message.key.empty() ? nullptr : message.key.data();
  const int refused =
      rd_kafka_produce(to, RD_KAFKA_PARTITION_UA, RD_KAFKA_MSG_F_COPY, const_cast<char*>(message.payload.data()),
                       message.payload.size(), key, message.key.size(), reinterpret_cast<void*>(call_));
  if (refused == 0) {
    ++waiting_;
    return true;
  }
  const rd_kafka_resp_err_t error = rd_kafka_last_error();
  if (error == RD_KAFKA_RESP_ERR__QUEUE_FULL) return false;
  failure_ = fmt::format("Kafka, topic {}: {}", message.topic, kafka_sentence(error));
  if (error == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE) {
    failure_ += fmt::format(", {} bytes with at most {}", message.payload.size() + message.key.size(),
                            options_.most_message_bytes);
  }
  worn_out_ = is_missing(error);
  return true;
}

/// Empty: it goes on.
std::string KafkaProducer::Impl::reason_to_end(Clock::time_point deadline, const std::stop_token& stop) const {
  if (std::string why = handle_->fatal_error(); !why.empty()) return "Kafka: the producer failed for good: " + why;
  if (!failure_.empty()) return failure_;
  if (handle_->is_refused()) return "Kafka: " + handle_->problem();
  if (stop.stop_requested()) return "stopped";
  if (Clock::now() < deadline) return {};
  const std::string& problem = handle_->problem();
  return fmt::format("Kafka did not acknowledge in time{}{}", problem.empty() ? "" : ": ", problem);
}

/// Throws away what the call left in the library, and hears that it did.
void KafkaProducer::Impl::abandon() {
  if (!handle_->fatal_error().empty()) worn_out_ = true;
  rd_kafka_purge(handle_->get(), RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
  const auto until = Clock::now() + patience_of_purging;
  while (waiting_ > 0 && Clock::now() < until) rd_kafka_poll(handle_->get(), longest_poll.count());
  if (waiting_ > 0) worn_out_ = true;
}

std::expected<void, std::string> KafkaProducer::Impl::send_all(std::span<const KafkaMessage> messages,
                                                               Clock::time_point deadline,
                                                               const std::stop_token& stop) {
  if (const std::string why = handle_->fatal_error(); worn_out_ || !why.empty()) {
    if (!why.empty()) {
      fatal_errors.fetch_add(1, std::memory_order_relaxed);
      if (options_.log) options_.log("the producer failed for good, a new one goes on: " + why);
    }
    close();
    open();
  }
  ++call_;
  waiting_ = 0;
  failure_.clear();
  if (handle_->is_refused()) handle_->clear_problem();
  const auto poll = [&] {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
    rd_kafka_poll(handle_->get(), static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, longest_poll.count())));
  };
  std::string why;
  for (const KafkaMessage& message : messages) {
    while (!hand_over(message) && (why = reason_to_end(deadline, stop)).empty()) poll();
    if (!failure_.empty() || !why.empty()) break;
  }
  why = failure_.empty() ? why : failure_;
  while (waiting_ > 0 && why.empty()) {
    poll();
    // What arrived last may have arrived in time.
    if (waiting_ > 0 || !failure_.empty()) why = reason_to_end(deadline, stop);
  }
  if (why.empty()) {
    handle_->clear_problem();
    return {};
  }
  abandon();
  return std::unexpected(std::move(why));
}

KafkaProducer::KafkaProducer(KafkaUrl url, KafkaProducerOptions options)
    : impl_(std::make_unique<Impl>(std::move(url), std::move(options))) {}
KafkaProducer::~KafkaProducer() = default;

std::expected<void, std::string> KafkaProducer::send_all(std::span<const KafkaMessage> messages,
                                                         Clock::time_point deadline, const std::stop_token& stop) {
  return impl_->send_all(messages, deadline, stop);
}

std::uint64_t KafkaProducer::sent() const { return impl_->sent.load(std::memory_order_relaxed); }
std::uint64_t KafkaProducer::fatal_errors() const { return impl_->fatal_errors.load(std::memory_order_relaxed); }

}  // namespace firstcome::net
