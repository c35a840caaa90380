#include "net/kafka/url.hpp"

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>
#include <vector>

namespace firstcome::net {

namespace {

using Problem = std::unexpected<std::string>;

constexpr std::uint16_t kafka_port = 9092;

Problem wrong(std::string_view member, std::string_view rule) {
  return Problem("Kafka URL: " + std::string(member) + " " + std::string(rule));
}

std::string quoted(std::string_view text) { return "\"" + std::string(text) + "\""; }

template <typename Number>
std::optional<Number> number_of(std::string_view text, int base) {
  Number number{};
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number, base);
  if (text.empty() || error != std::errc{} || stop != end) return std::nullopt;
  return number;
}

std::optional<std::string> percent_decoded(std::string_view text) {
  std::string decoded;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      decoded.append(1, text[i]);
      continue;
    }
    const auto code = number_of<unsigned char>(text.substr(i + 1, 2), 16);
    if (text.size() < i + 3 || !code) return std::nullopt;
    decoded.append(1, static_cast<char>(*code));
    i += 2;
  }
  return decoded;
}

bool is_name(std::string_view host) {
  const auto fits = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-' ||
           c == '_';
  };
  return !host.empty() && host.size() <= 253 && std::ranges::all_of(host, fits);
}

bool is_ipv6_in_brackets(std::string_view host) {
  return host.size() > 2 && host.front() == '[' && host.back() == ']' && host.find(':') != std::string_view::npos &&
         host.substr(1, host.size() - 2).find_first_not_of("0123456789abcdefABCDEF:.") == std::string_view::npos;
}

std::expected<std::string, std::string> read_broker(std::string_view text) {
  const std::size_t colon = text.find(':', text.starts_with('[') ? std::min(text.find(']'), text.size()) : 0);
  const std::string_view host = text.substr(0, colon);
  if (!is_name(host) && !is_ipv6_in_brackets(host)) {
    return wrong("host", "must be a name, an address, or an IPv6 address in brackets, not " + quoted(host));
  }
  std::uint16_t port = kafka_port;
  if (colon != std::string_view::npos) {
    const std::string_view digits = text.substr(colon + 1);
    port = number_of<std::uint16_t>(digits, 10).value_or(0);
    if (port == 0) return wrong("port", "must be a number from 1 to 65535, not " + quoted(digits));
  }
  return std::string(host) + ":" + std::to_string(port);
}

std::expected<void, std::string> read_credentials(std::string_view text, KafkaUrl& url) {
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos) {
    return wrong("user", "must be followed by a colon and the password, as in user:password@");
  }
  std::optional<std::string> user = percent_decoded(text.substr(0, colon));
  if (!user) return wrong("user", "must be percent-encoded: a % stands before two hexadecimal digits");
  std::optional<std::string> password = percent_decoded(text.substr(colon + 1));
  if (!password) return wrong("password", "must be percent-encoded: a % stands before two hexadecimal digits");
  if (user->empty()) return wrong("user", "must not be empty where the URL has an @");
  if (password->empty()) return wrong("password", "must not be empty where the URL has an @");
  // They go through a C interface.
  if ((*user + *password).find('\0') != std::string::npos) return wrong("user", "and password must not hold %00");
  url.user = std::move(*user);
  url.password = std::move(*password);
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
