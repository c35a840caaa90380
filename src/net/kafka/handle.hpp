// One client of librdkafka's, and what all kinds of clients of ours set alike. Private to net/kafka.
//
// librdkafka has threads of its own; what it has to tell waits until it is polled. Errors of connections are told that
// way too: the last one is kept, because it is the reason behind a time-out.
#pragma once

#include "net/kafka/url.hpp"

#include <librdkafka/rdkafka.h>

#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace firstcome::net {

/// Called with a sentence, from any thread.
using KafkaLog = std::function<void(std::string_view)>;

/// Settings that become a client. Throws std::runtime_error where librdkafka refuses one of ours.
class KafkaSettings {
 public:
  explicit KafkaSettings(const KafkaUrl& url);
  ~KafkaSettings();
  KafkaSettings(const KafkaSettings&) = delete;
  KafkaSettings& operator=(const KafkaSettings&) = delete;

  void set(const char* name, const std::string& value);
  void set(const char* name, std::chrono::milliseconds value) { set(name, std::to_string(value.count())); }
  /// Sets it where this build of the library can do it.
  void try_set(const char* name, const std::string& value);
  rd_kafka_conf_t* get() const { return settings_; }
  rd_kafka_conf_t* release();

 private:
  rd_kafka_conf_t* settings_;
};

/// Counts on being polled by one thread.
class KafkaHandle {
 public:
  /// Settings may have callbacks; their opaque is `user`, to be got with `user_of`. Throws std::runtime_error where the
  /// settings do not fit together.
  KafkaHandle(rd_kafka_type_t type, KafkaSettings& settings, KafkaLog log, void* user = nullptr);
  /// Cost: some milliseconds. The library waits for answers that are on their way, for ten seconds, and for a name that
  /// is being resolved, for as long as that takes: it is left alone with that after a second (given_up.hpp).
  ~KafkaHandle();
  KafkaHandle(const KafkaHandle&) = delete;
  KafkaHandle& operator=(const KafkaHandle&) = delete;

  rd_kafka_t* get() const { return client_; }
  static void* user_of(void* opaque) { return static_cast<Listener*>(opaque)->user; }

  /// The last error of a connection since it was taken; empty: none.
  const std::string& problem() const { return listener_->problem; }
  std::string take_problem() { return std::exchange(listener_->problem, {}); }
  /// The brokers refuse who we are.
  bool is_refused() const { return listener_->refused; }
  void clear_problem();
  /// It can do nothing any more, and another one must be made: why; empty: it can.
  std::string fatal_error() const;

  /// On destruction: a consumer that has already left its group.
  void is_closed() { flags_ = RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE; }

 private:
  /// What the library's callbacks see. It lives as long as the library's client, which may be longer than ours.
  struct Listener {
    explicit Listener(KafkaLog its_log, void* its_user) : user(its_user), log(std::move(its_log)) {}
    void* const user;
    std::string problem;
    bool refused = false;
    std::mutex mutex;  ///< protects what follows
    KafkaLog log;
  };

  static void on_error(rd_kafka_t* client, int error, const char* reason, void* opaque);
  static void on_log(const rd_kafka_t* client, int level, const char* facility, const char* text);

  const std::shared_ptr<Listener> listener_;
  int flags_ = 0;
  rd_kafka_t* client_ = nullptr;
};

/// "unknown topic firstcome.orders", "authentication failed: ..."
std::string kafka_sentence(rd_kafka_resp_err_t error);

/// Of a C object of librdkafka's: std::unique_ptr<T, KafkaFree<destroy>>.
template <auto destroy>
struct KafkaFree {
  void operator()(auto* object) const { destroy(object); }
};
using KafkaPartitions =
    std::unique_ptr<rd_kafka_topic_partition_list_t, KafkaFree<rd_kafka_topic_partition_list_destroy>>;
using KafkaQueue = std::unique_ptr<rd_kafka_queue_t, KafkaFree<rd_kafka_queue_destroy>>;
using KafkaEvent = std::unique_ptr<rd_kafka_event_t, KafkaFree<rd_kafka_event_destroy>>;
using KafkaTopicHandle = std::unique_ptr<rd_kafka_topic_t, KafkaFree<rd_kafka_topic_destroy>>;

}  // namespace firstcome::net
