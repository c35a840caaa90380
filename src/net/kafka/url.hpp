// Where Kafka is, as people write it.
//
//     kafka[s]://[user:password@]host[:9092],host,...[?name=value&name=value...]
//
// kafkas:// speaks TLS. User and password are percent-encoded. IPv6 addresses stand in brackets. The hosts are where to
// begin; the brokers tell of each other. The parameters, whose values are percent-encoded:
//
//     mechanism      how the brokers are told who we are: PLAIN (if not said), SCRAM-SHA-256 or SCRAM-SHA-512
//     password_file  a file whose first line is the password; then only the user stands before the @
//     ca             a PEM file of who signs the brokers' certificates; if not said, what the system trusts
//     certificate    a PEM file of our own certificate, for brokers that ask for one; with
//     key            a PEM file of its key
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

namespace firstcome::net {

struct KafkaUrl {
  enum class Transport : std::uint8_t { plain, tls };
  enum class Mechanism : std::uint8_t { plain, scram_sha_256, scram_sha_512 };

  Transport transport = Transport::plain;
  std::string user = {};  ///< empty: nobody in particular
  std::string password = {};
  std::string brokers = {};  ///< host:port,host:port
  Mechanism mechanism = Mechanism::plain;
  std::string ca_file = {};           ///< empty: what the system trusts
  std::string certificate_file = {};  ///< empty: none
  std::string key_file = {};          ///< of `certificate_file`

  bool operator==(const KafkaUrl&) const = default;
};

/// Reads `password_file` where there is one. The error says in one sentence which member is wrong and the rule for it.
/// It never shows the password.
std::expected<KafkaUrl, std::string> parse_kafka_url(std::string_view text);

/// As SASL names it.
std::string_view word(KafkaUrl::Mechanism mechanism);

/// Returns scheme, user and brokers, with *** for the password: for logs.
std::string to_string(const KafkaUrl& url);

}  // namespace firstcome::net
