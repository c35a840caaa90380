#include "net/kafka/handle.hpp"

#include <array>
#include <stdexcept>
#include <utility>

namespace firstcome::net {

namespace {

constexpr int warning_level = 4;  // as syslog counts; less is worse

[[noreturn]] void refuse(const std::string& why) { throw std::runtime_error("Kafka client: " + why); }

}  // namespace

KafkaSettings::KafkaSettings(const KafkaUrl& url) : settings_(rd_kafka_conf_new()) {
  try {
    set("bootstrap.servers", url.brokers);
    const bool tls = url.transport == KafkaUrl::Transport::tls;
    const bool user = !url.user.empty();
    set("security.protocol", std::string(user ? "sasl_" : "") + (tls ? "ssl" : "plaintext"));
    if (user) {
      set("sasl.mechanisms", "PLAIN");
      set("sasl.username", url.user);
      set("sasl.password", url.password);
    }
    if (tls && !url.ca_file.empty()) set("ssl.ca.location", url.ca_file);
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
    : log_(std::move(log)), user_(user) {
  rd_kafka_conf_set_opaque(settings.get(), this);
  rd_kafka_conf_set_error_cb(settings.get(), &KafkaHandle::on_error);
  rd_kafka_conf_set_log_cb(settings.get(), &KafkaHandle::on_log);
  std::array<char, 512> why{};
  client_ = rd_kafka_new(type, settings.get(), why.data(), why.size());
  if (client_ == nullptr) refuse(why.data());
  settings.release();
}

KafkaHandle::~KafkaHandle() { rd_kafka_destroy_flags(client_, flags_); }

void KafkaHandle::clear_problem() {
  problem_.clear();
  refused_ = false;
}

std::string KafkaHandle::fatal_error() const {
  std::array<char, 512> why{};
  const rd_kafka_resp_err_t error = rd_kafka_fatal_error(client_, why.data(), why.size());
  if (error == RD_KAFKA_RESP_ERR_NO_ERROR) return {};
  return kafka_sentence(error) + ": " + why.data();
}

void KafkaHandle::on_error(rd_kafka_t* /*client*/, int error, const char* reason, void* opaque) {
  auto& self = *static_cast<KafkaHandle*>(opaque);
  const auto code = static_cast<rd_kafka_resp_err_t>(error);
  self.refused_ = self.refused_ || code == RD_KAFKA_RESP_ERR__AUTHENTICATION;
  // That all are down is told after why the last one is, and says less.
  if (code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN && !self.problem_.empty()) return;
  self.problem_ = kafka_sentence(code) + ": " + reason;
}

void KafkaHandle::on_log(const rd_kafka_t* client, int level, const char* /*facility*/, const char* text) {
  const auto* self = static_cast<const KafkaHandle*>(rd_kafka_opaque(client));
  if (level <= warning_level && self != nullptr && self->log_) self->log_(text);
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
