#include "net/kafka/url.hpp"

#include "net/url_parts.hpp"

#include <algorithm>
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

std::expected<KafkaUrl, std::string> parse_kafka_url(std::string_view text) {
  KafkaUrl url;
  const std::size_t colon = text.find("://");
  const std::string_view scheme = text.substr(0, colon);
  if (colon == std::string_view::npos || (scheme != "kafka" && scheme != "kafkas")) {
    return wrong("scheme", "must be kafka:// or kafkas://");
  }
  if (scheme == "kafkas") url.transport = KafkaUrl::Transport::tls;
  text.remove_prefix(colon + 3);
  if (const std::size_t at = text.rfind('@'); at != std::string_view::npos) {
    if (const auto read = read_credentials(text.substr(0, at), url); !read) return Problem(read.error());
    text.remove_prefix(at + 1);
  }
  if (text.ends_with('/')) text.remove_suffix(1);
  if (text.find_first_of("/?#") != std::string_view::npos) {
    return wrong("end", "must be the hosts, without a path; in a password / ? # are written %2F %3F %23");
  }
  if (const auto read = read_brokers(text, url); !read) return Problem(read.error());
  return url;
}

std::string to_string(const KafkaUrl& url) {
  std::string text = url.transport == KafkaUrl::Transport::tls ? "kafkas://" : "kafka://";
  if (!url.user.empty()) text += url.user + ":***@";
  return text + url.brokers;
}

}  // namespace firstcome::net
