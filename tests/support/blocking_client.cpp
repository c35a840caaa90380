#include "support/blocking_client.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <charconv>

namespace firstcome::testing {
namespace {

std::string lower(std::string_view text) {
  std::string result(text);
  std::ranges::transform(result, result.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return result;
}

std::optional<HttpAnswer> parse_head(std::string_view head) {
  HttpAnswer answer;
  if (!head.starts_with("HTTP/1.1 ") || head.size() < 12) return std::nullopt;
  std::from_chars(head.data() + 9, head.data() + 12, answer.status);
  std::size_t at = head.find("\r\n");
  while (at != std::string_view::npos && at + 2 < head.size()) {
    std::size_t end = std::min(head.find("\r\n", at + 2), head.size());
    std::string_view line = head.substr(at + 2, end - at - 2);
    if (std::size_t colon = line.find(": "); colon != std::string_view::npos) {
      answer.fields[lower(line.substr(0, colon))] = line.substr(colon + 2);
    }
    at = end == head.size() ? std::string_view::npos : end;
  }
  return answer;
}

}  // namespace

BlockingClient::BlockingClient(std::uint16_t port, std::chrono::milliseconds timeout)
    : port_(port), timeout_(timeout) {}

BlockingClient::~BlockingClient() { disconnect(); }

bool BlockingClient::connect() {
  disconnect();
  socket_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (socket_ < 0) return false;
  int on = 1;
  setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  auto seconds = std::chrono::duration_cast<std::chrono::seconds>(timeout_);
  auto rest = std::chrono::duration_cast<std::chrono::microseconds>(timeout_ - seconds);
  timeval limit{seconds.count(), rest.count()};
  setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  setsockopt(socket_, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port_);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0) return true;
  disconnect();
  return false;
}

void BlockingClient::disconnect() {
  if (socket_ >= 0) close(socket_);
  socket_ = -1;
  buffer_.clear();
}

bool BlockingClient::send(std::string_view method, std::string_view target, std::string_view body,
                          const std::vector<std::string>& fields) {
  if (socket_ < 0 && !connect()) return false;
  std::string text;
  text.append(method).append(" ").append(target).append(" HTTP/1.1\r\nHost: localhost\r\n");
  for (const std::string& field : fields) text.append(field).append("\r\n");
  if (!body.empty()) text.append("Content-Type: application/json\r\n");
  if (!body.empty() || method == "POST")
    text.append("Content-Length: ").append(std::to_string(body.size())).append("\r\n");
  text.append("\r\n").append(body);
  for (std::string_view rest = text; !rest.empty();) {
    ssize_t sent = ::send(socket_, rest.data(), rest.size(), MSG_NOSIGNAL);
    if (sent <= 0) {
      disconnect();
      return false;
    }
    rest.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

bool BlockingClient::fill() {
  char chunk[16384];
  ssize_t got = recv(socket_, chunk, sizeof chunk, 0);
  if (got <= 0) {
    disconnect();
    return false;
  }
  buffer_.append(chunk, static_cast<std::size_t>(got));
  return true;
}

std::optional<HttpAnswer> BlockingClient::receive() {
  if (socket_ < 0) return std::nullopt;
  std::size_t head_end;
  while ((head_end = buffer_.find("\r\n\r\n")) == std::string::npos) {
    if (!fill()) return std::nullopt;
  }
  auto answer = parse_head(std::string_view(buffer_).substr(0, head_end));
  if (!answer) return std::nullopt;
  std::size_t length = 0;
  if (auto field = answer->fields.find("content-length"); field != answer->fields.end()) {
    std::from_chars(field->second.data(), field->second.data() + field->second.size(), length);
  }
  while (buffer_.size() < head_end + 4 + length) {
    if (!fill()) return std::nullopt;
  }
  answer->body = buffer_.substr(head_end + 4, length);
  buffer_.erase(0, head_end + 4 + length);
  if (auto field = answer->fields.find("connection"); field != answer->fields.end() && field->second == "close") {
    disconnect();
  }
  return answer;
}

std::optional<HttpAnswer> BlockingClient::request(std::string_view method, std::string_view target,
                                                  std::string_view body, const std::vector<std::string>& fields) {
  if (!send(method, target, body, fields)) return std::nullopt;
  return receive();
}

}  // namespace firstcome::testing
