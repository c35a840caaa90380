// Where Kafka is, as people write it.
//
//     kafka[s]://[user:password@]host[:9092],host,...
//
// kafkas:// speaks TLS. User and password are percent-encoded and given to the brokers with SASL PLAIN. IPv6 addresses
// stand in brackets. The hosts are where to begin; the brokers tell of each other.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

namespace firstcome::net {

struct KafkaUrl {
  enum class Transport : std::uint8_t { plain, tls };

  Transport transport = Transport::plain;
  std::string user = {};  ///< empty: nobody in particular
  std::string password = {};
  std::string brokers = {};  ///< host:port,host:port
  std::string ca_file = {};  ///< not of the text: PEM of who signs the brokers' certificates; empty: the system's

  bool operator==(const KafkaUrl&) const = default;
};

/// The error says in one sentence which member is wrong and the rule for it. It never shows the password.
std::expected<KafkaUrl, std::string> parse_kafka_url(std::string_view text);

/// As it was written, with *** for the password: for logs.
std::string to_string(const KafkaUrl& url);

}  // namespace firstcome::net
