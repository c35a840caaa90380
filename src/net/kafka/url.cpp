#include "net/kafka/url.hpp"

#include "net/url_parts.hpp"

#include <algorithm>
#include <array>
#include <fstream>
#include <map>
#include <utility>
#include <vector>

namespace firstcome::net {

namespace {

using Problem = std::unexpected<std::string>;

constexpr std::uint16_t kafka_port = 9092;

Problem wrong(std::string_view member, std::string_view rule) {
  return Problem("Kafka URL: " + std::string(member) + " " + std::string(rule));
}

std::expected<std::string, std::string> read_broker(std::string_view text) {
  const std::size_t colon = text.find(':', text.starts_with('[') ? std::min(text.find(']'), text.size()) : 0);
  const std::string_view host = text.substr(0, colon);
  const bool brackets = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (!(brackets ? is_ipv6(host.substr(1, host.size() - 2)) : is_host_name(host))) {
    return wrong("host", "must be a name, an address, or an IPv6 address in brackets, not " + quoted(host));
  }
  std::uint16_t port = kafka_port;
  if (colon != std::string_view::npos) {
    const std::string_view digits = text.substr(colon + 1);
    port = number_of<std::uint16_t>(digits).value_or(0);
    if (port == 0) return wrong("port", "must be a number from 1 to 65535, not " + quoted(digits));
  }
  return std::string(host) + ":" + std::to_string(port);
}

/// What follows the question mark, decoded.
using Parameters = std::map<std::string, std::string, std::less<>>;

std::expected<Parameters, std::string> read_parameters(std::string_view text) {
  constexpr std::array known{"mechanism", "password_file", "ca", "certificate", "key"};
  Parameters parameters;
  while (!text.empty()) {
    const std::string_view one = text.substr(0, text.find('&'));
    text.remove_prefix(std::min(one.size() + 1, text.size()));
    const std::string name(one.substr(0, one.find('=')));
    if (std::ranges::find(known, name) == known.end()) {
      return wrong("parameter " + name, "is not known; there are mechanism, password_file, ca, certificate and key");
    }
    const auto value = percent_decoded(one.substr(std::min(name.size() + 1, one.size())));
    if (!value || value->empty() || value->find('\0') != std::string::npos) {
      return wrong(name, "must have a value, percent-encoded");
    }
    if (!parameters.emplace(name, *value).second) return wrong(name, "must not be given twice");
  }
  return parameters;
}

std::string value_of(const Parameters& parameters, std::string_view name) {
  const auto found = parameters.find(name);
  return found == parameters.end() ? std::string() : found->second;
}

std::expected<void, std::string> read_mechanism(const std::string& text, KafkaUrl& url) {
  if (text.empty()) return {};
  if (url.user.empty()) return wrong("mechanism", "needs a user");
  for (const auto mechanism :
       {KafkaUrl::Mechanism::plain, KafkaUrl::Mechanism::scram_sha_256, KafkaUrl::Mechanism::scram_sha_512}) {
    if (text == word(mechanism)) {
      url.mechanism = mechanism;
      return {};
    }
  }
  return wrong("mechanism", "must be PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512, not " + quoted(text));
}

std::expected<void, std::string> read_files(const Parameters& parameters, KafkaUrl& url) {
  for (const char* name : {"ca", "certificate", "key"}) {
    if (parameters.contains(name) && url.transport != KafkaUrl::Transport::tls) return wrong(name, "needs kafkas://");
  }
  url.ca_file = value_of(parameters, "ca");
  url.certificate_file = value_of(parameters, "certificate");
  url.key_file = value_of(parameters, "key");
  if (url.certificate_file.empty() != url.key_file.empty()) {
    return wrong("certificate", "and key must be given together");
  }
  return {};
}

std::expected<void, std::string> read_password_file(std::string_view user, const std::string& path, KafkaUrl& url) {
  if (user.find(':') != std::string_view::npos) return wrong("password", "must not be given beside a password_file");
  std::ifstream file(path);
  if (!std::getline(file, url.password) || url.password.empty()) {
    return wrong("password_file", "must be a file whose first line is the password, not " + quoted(path));
  }
  if (url.password.ends_with('\r')) url.password.pop_back();
  const auto decoded = percent_decoded(user);
  if (!decoded || decoded->empty()) return wrong("user", "must not be empty, and percent-encoded");
  url.user = *decoded;
  return {};
}

std::expected<void, std::string> read_credentials(std::string_view text, KafkaUrl& url) {
  auto read = parse_credentials(text, "user:password@");
  if (!read) return Problem("Kafka URL: " + read.error());
  if (read->user.empty()) return wrong("user", "must not be empty where the URL has an @");
  // They go through a C interface.
  if ((read->user + read->password).find('\0') != std::string::npos)
    return wrong("user", "and password must not hold %00");
  url.user = std::move(read->user);
  url.password = std::move(read->password);
  return {};
}

std::expected<void, std::string> read_brokers(std::string_view text, KafkaUrl& url) {
  std::vector<std::string> brokers;
  for (;;) {
    const std::size_t comma = text.find(',');
    auto broker = read_broker(text.substr(0, comma));
    if (!broker) return Problem(broker.error());
    if (std::ranges::find(brokers, *broker) != brokers.end()) {
      return wrong("host", "must not be named twice: " + *broker);
    }
    url.brokers += (brokers.empty() ? "" : ",") + *broker;
    brokers.push_back(std::move(*broker));
    if (comma == std::string_view::npos) return {};
    text.remove_prefix(comma + 1);
  }
}

}  // namespace

std::string_view word(KafkaUrl::Mechanism mechanism) {
  switch (mechanism) {
    case KafkaUrl::Mechanism::plain:
      return "PLAIN";
    case KafkaUrl::Mechanism::scram_sha_256:
      return "SCRAM-SHA-256";
    case KafkaUrl::Mechanism::scram_sha_512:
      break;
  }
  return "SCRAM-SHA-512";
}

std::expected<KafkaUrl, std::string> parse_kafka_url(std::string_view text) {
  KafkaUrl url;
  const std::size_t colon = text.find("://");
  const std::string_view scheme = text.substr(0, colon);
  if (colon == std::string_view::npos || (scheme != "kafka" && scheme != "kafkas")) {
    return wrong("scheme", "must be kafka:// or kafkas://");
  }
  if (scheme == "kafkas") url.transport = KafkaUrl::Transport::tls;
  text.remove_prefix(colon + 3);
  const std::size_t question = std::min(text.find('?'), text.size());
  const auto parameters = read_parameters(text.substr(std::min(question + 1, text.size())));
  if (!parameters) return Problem(parameters.error());
  text = text.substr(0, question);
  const std::string password_file = value_of(*parameters, "password_file");
  const std::size_t at = text.rfind('@');
  if (at != std::string_view::npos) {
    const auto read = password_file.empty() ? read_credentials(text.substr(0, at), url)
                                            : read_password_file(text.substr(0, at), password_file, url);
    if (!read) return Problem(read.error());
    text.remove_prefix(at + 1);
  } else if (!password_file.empty()) {
    return wrong("password_file", "needs a user before an @");
  }
  if (text.ends_with('/')) text.remove_suffix(1);
  if (text.find_first_of("/#") != std::string_view::npos) {
    return wrong("end", "must be the hosts, without a path; in a password / ? # are written %2F %3F %23");
  }
  if (const auto read = read_mechanism(value_of(*parameters, "mechanism"), url); !read) return Problem(read.error());
  if (const auto read = read_files(*parameters, url); !read) return Problem(read.error());
  if (const auto read = read_brokers(text, url); !read) return Problem(read.error());
  return url;
}

std::string to_string(const KafkaUrl& url) {
  std::string text = url.transport == KafkaUrl::Transport::tls ? "kafkas://" : "kafka://";
  if (!url.user.empty()) text += url.user + ":***@";
  return text + url.brokers;
}

}  // namespace firstcome::net
