// One customer at a time: what a durable reservation costs beside the least it could cost.
//
// Each round measures, one after the other, an append of one page with its fdatasync on the file system of the server's
// data, a GET /healthz and a POST reservation over one keep-alive connection. The least a reservation can cost is the
// first two together; the figure is the third over that, in medians.
//
//   bench_single PORT FILE ROUNDS     a server listens on 127.0.0.1:PORT and has a sale `bench`; FILE is written
#include "figure.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/core.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;
using Microseconds = std::chrono::duration<double, std::micro>;

int checked(int result, const char* what) {
  if (result < 0) throw std::system_error(errno, std::generic_category(), what);
  return result;
}

/// A file that grows by one page at a time, each on disk before `append` returns.
class DurableFile {
 public:
  explicit DurableFile(const char* path) : file_(checked(open(path, O_CREAT | O_TRUNC | O_WRONLY, 0600), path)) {}
  ~DurableFile() { close(file_); }
  DurableFile(const DurableFile&) = delete;
  DurableFile& operator=(const DurableFile&) = delete;

  void append() {
    static constexpr std::array<char, 4096> page{};
    if (write(file_, page.data(), page.size()) != std::ssize(page)) throw std::runtime_error("a short write");
    checked(fdatasync(file_), "fdatasync");
  }

 private:
  int file_;
};

/// One keep-alive connection, one request at a time.
class Connection {
 public:
  explicit Connection(std::uint16_t port) : socket_(checked(socket(AF_INET, SOCK_STREAM, 0), "socket")) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    checked(connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address), "connect");
    const int yes = 1;
    checked(setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes), "TCP_NODELAY");
  }
  ~Connection() { close(socket_); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  /// Sends `request` and waits for the whole answer, whose status must be `status`.
  void exchange(std::string_view request, std::string_view status) {
    if (send(socket_, request.data(), request.size(), MSG_NOSIGNAL) != std::ssize(request)) {
      throw std::runtime_error("the request was not sent");
    }
    std::size_t have = 0;
    while (!is_complete({buffer_.data(), have})) {
      const ssize_t got = recv(socket_, buffer_.data() + have, buffer_.size() - have, 0);
      if (got <= 0) throw std::runtime_error("the connection broke");
      have += static_cast<std::size_t>(got);
    }
    const std::string_view answer{buffer_.data(), have};
    if (answer.substr(9, 3) != status)
      throw std::runtime_error("not answered with " + std::string(status) + ": " + std::string(answer));
  }

 private:
  static bool is_complete(std::string_view answer) {
    const auto head = answer.find("\r\n\r\n");
    if (head == std::string_view::npos) return false;
    std::size_t length = 0;
    for (const std::string_view name : {"\r\nContent-Length: ", "\r\ncontent-length: "}) {
      const auto field = answer.find(name);
      if (field < head) length = std::stoul(std::string(answer.substr(field + name.size(), 9)));
    }
    return answer.size() >= head + 4 + length;
  }

  int socket_;
  std::array<char, 16384> buffer_{};
};

std::string reservation_request(std::size_t number) {
  const std::string body = fmt::format(R"({{"customer":"single-{}","quantity":1}})", number);
  return fmt::format(
      "POST /v1/sales/bench/reservations HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
      "Idempotency-Key: key-{}\r\nContent-Length: {}\r\n\r\n{}",
      number, body.size(), body);
}

double median(std::vector<double> values) {
  const auto middle = values.begin() + std::ssize(values) / 2;
  std::ranges::nth_element(values, middle);
  return *middle;
}

double microseconds_of(const auto& work) {
  const Clock::time_point before = Clock::now();
  work();
  return Microseconds(Clock::now() - before).count();
}

void measure(std::uint16_t port, const char* path, std::size_t rounds) {
  DurableFile file(path);
  Connection connection(port);
  std::vector<double> syncs;
  std::vector<double> healths;
  std::vector<double> reservations;
  for (std::size_t round = 0; round < rounds; ++round) {
    const std::string request = reservation_request(round);
    syncs.push_back(microseconds_of([&] { file.append(); }));
    healths.push_back(
        microseconds_of([&] { connection.exchange("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n", "200"); }));
    reservations.push_back(microseconds_of([&] { connection.exchange(request, "201"); }));
  }
  const double least = median(syncs) + median(healths);
  firstcome::bench::figure("single.fdatasync_us", median(syncs));
  firstcome::bench::figure("single.healthz_us", median(healths));
  firstcome::bench::figure("single.reservation_us", median(reservations));
  firstcome::bench::figure_at_most("single.ratio", median(reservations) / least, 1.5);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    fmt::print(stderr, "usage: bench_single PORT FILE ROUNDS\n");
    return 64;
  }
  try {
    measure(static_cast<std::uint16_t>(std::stoul(argv[1])), argv[2], std::stoul(argv[3]));
  } catch (const std::exception& error) {
    fmt::print(stderr, "bench_single: {}\n", error.what());
    return 1;
  }
  return 0;
}
