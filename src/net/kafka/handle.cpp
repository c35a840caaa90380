#include "net/kafka/handle.hpp"

#include "net/kafka/given_up.hpp"

#include <array>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <stdexcept>
#include <thread>
#include <utility>

namespace firstcome::net {

namespace {

constexpr int warning_level = 4;  // as syslog counts; less is worse

constexpr std::chrono::seconds patience_of_ending{1};

std::atomic<std::size_t> given_up = 0;

/// The end of a client, which its thread and whoever waits for it share.
struct Ending {
  std::mutex mutex;  ///< protects what follows
  std::condition_variable changed;
  bool is_over = false;
  bool is_given_up = false;
};

[[noreturn]] void refuse(const std::string& why) { throw std::runtime_error("Kafka client: " + why); }

}  // namespace

KafkaSettings::KafkaSettings(const KafkaUrl& url) : settings_(rd_kafka_conf_new()) {
  try {
    set("bootstrap.servers", url.brokers);
    const bool tls = url.transport == KafkaUrl::Transport::tls;
    const bool user = !url.user.empty();
    set("security.protocol", std::string(user ? "sasl_" : "") + (tls ? "ssl" : "plaintext"));
    if (user) {
      set("sasl.mechanisms", std::string(word(url.mechanism)));
      set("sasl.username", url.user);
      set("sasl.password", url.password);
    }
    if (tls && !url.ca_file.empty()) set("ssl.ca.location", url.ca_file);
    if (tls && !url.certificate_file.empty()) {
      set("ssl.certificate.location", url.certificate_file);
      set("ssl.key.location", url.key_file);
    }
    set("client.id", "firstcome");
    // Who was away is found again within a second, and who does not answer is left after ten.
    set("reconnect.backoff.ms", "50");
    set("reconnect.backoff.max.ms", "1000");
    set("socket.timeout.ms", "10000");
    set("socket.connection.setup.timeout.ms", "5000");
    set("socket.nagle.disable", "true");
    set("topic.metadata.propagation.max.ms", "3000");
    set("log.connection.close", "false");
  } catch (...) {
    rd_kafka_conf_destroy(settings_);
    throw;
  }
}

KafkaSettings::~KafkaSettings() {
  if (settings_ != nullptr) rd_kafka_conf_destroy(settings_);
}

void KafkaSettings::set(const char* name, const std::string& value) {
  std::array<char, 256> why{};
  if (rd_kafka_conf_set(settings_, name, value.c_str(), why.data(), why.size()) != RD_KAFKA_CONF_OK) {
    refuse(why.data());
  }
}

void KafkaSettings::try_set(const char* name, const std::string& value) {
  rd_kafka_conf_set(settings_, name, value.c_str(), nullptr, 0);
}

rd_kafka_conf_t* KafkaSettings::release() { return std::exchange(settings_, nullptr); }

KafkaHandle::KafkaHandle(rd_kafka_type_t type, KafkaSettings& settings, KafkaLog log, void* user)
    : listener_(std::make_shared<Listener>(std::move(log), user)) {
  rd_kafka_conf_set_opaque(settings.get(), listener_.get());
  rd_kafka_conf_set_error_cb(settings.get(), &KafkaHandle::on_error);
  rd_kafka_conf_set_log_cb(settings.get(), &KafkaHandle::on_log);
  std::array<char, 512> why{};
  client_ = rd_kafka_new(type, settings.get(), why.data(), why.size());
  if (client_ == nullptr) refuse(why.data());
  settings.release();
}

KafkaHandle::~KafkaHandle() {
  const auto ending = std::make_shared<Ending>();
  std::thread([ending, client = client_, flags = flags_, listener = listener_] {
    rd_kafka_destroy_flags(client, flags);
    const std::lock_guard guard(ending->mutex);
    ending->is_over = true;
    if (ending->is_given_up) given_up.fetch_sub(1);
    ending->changed.notify_all();
  }).detach();
  std::unique_lock guard(ending->mutex);
  if (ending->changed.wait_for(guard, patience_of_ending, [&] { return ending->is_over; })) return;
  ending->is_given_up = true;
  given_up.fetch_add(1);
  const std::lock_guard nobody_listens(listener_->mutex);
  listener_->log = nullptr;
}

std::size_t kafka_clients_given_up() { return given_up.load(); }

void KafkaHandle::clear_problem() {
  listener_->problem.clear();
  listener_->refused = false;
}

std::string KafkaHandle::fatal_error() const {
  std::array<char, 512> why{};
  const rd_kafka_resp_err_t error = rd_kafka_fatal_error(client_, why.data(), why.size());
  if (error == RD_KAFKA_RESP_ERR_NO_ERROR) return {};
  return kafka_sentence(error) + ": " + why.data();
}

void KafkaHandle::on_error(rd_kafka_t* /*client*/, int error, const char* reason, void* opaque) {
  auto& self = *static_cast<Listener*>(opaque);
  const auto code = static_cast<rd_kafka_resp_err_t>(error);
  self.refused = self.refused || code == RD_KAFKA_RESP_ERR__AUTHENTICATION;
  // That all are down is told after why the last one is, and says less.
  if (code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN && !self.problem.empty()) return;
  self.problem = kafka_sentence(code) + ": " + reason;
}

void KafkaHandle::on_log(const rd_kafka_t* client, int level, const char* /*facility*/, const char* text) {
  auto* const self = static_cast<Listener*>(rd_kafka_opaque(client));
  if (level > warning_level || self == nullptr) return;
  const std::lock_guard guard(self->mutex);
  if (self->log) self->log(text);
}

std::string kafka_sentence(rd_kafka_resp_err_t error) {
  switch (error) {
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
    case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
      return "the topic or partition does not exist";
    case RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION:
      return "this is no name of a topic";
    case RD_KAFKA_RESP_ERR__AUTHENTICATION:
    case RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED:
      return "authentication failed";
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
      return "this user has no right to the topic";
    case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
      return "this user has no right to the consumer group";
    case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
      return "this user has no right to that on the cluster";
    case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN:
      return "no broker can be reached";
    case RD_KAFKA_RESP_ERR__TRANSPORT:
    case RD_KAFKA_RESP_ERR__RESOLVE:
      return "a broker cannot be reached";
    case RD_KAFKA_RESP_ERR__SSL:
      return "TLS failed";
    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
      return "the message is too large";
    case RD_KAFKA_RESP_ERR__MSG_TIMED_OUT:
    case RD_KAFKA_RESP_ERR__TIMED_OUT:
    case RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT:
      return "no answer in time";
    default:
      return std::string(rd_kafka_err2str(error)) + " (" + rd_kafka_err2name(error) + ")";
  }
}

}  // namespace firstcome::net
