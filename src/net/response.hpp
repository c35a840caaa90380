// Writes responses, one after the other, into a buffer that is used again each round.
#pragma once

#include "net/http_server.hpp"

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <memory>
#include <span>
#include <string_view>

namespace firstcome::net {

/// Bytes to be sent. Grows, and is emptied, but does not give memory back unless it became very large.
class OutputBuffer {
 public:
  std::size_t size() const { return size_; }
  std::string_view view(std::size_t begin, std::size_t size) const { return {data_.get() + begin, size}; }

  /// Room for `bytes` more, at the end; `grown` says how many of them were used.
  char* room(std::size_t bytes);
  void grown(std::size_t bytes) { size_ += bytes; }
  void clear();

 private:
  static constexpr std::size_t kept_bytes = std::size_t{4} << 20;
  std::unique_ptr<char[]> data_;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
};

/// The Date field, made once a second.
class DateField {
 public:
  /// "Date: Fri, 02 Jan 2026 03:04:05 GMT\r\n"
  std::string_view at(std::time_t now);

 private:
  std::array<char, 37> text_{};
  std::time_t of_ = -1;
};

struct Response {
  enum class Connection : std::uint8_t { stays, stays_http_10, closes };
  enum class Body : std::uint8_t { sent, head_only };
  unsigned status = 200;
  std::string_view content_type;
  std::string_view body;
  std::span<const HttpField> fields;
  std::string_view date;
  Connection connection = Connection::stays;
  Body send_body = Body::sent;
};

/// Control characters in fields become spaces, so that no value can end a line.
void append(OutputBuffer& out, const Response& response);

}  // namespace firstcome::net
