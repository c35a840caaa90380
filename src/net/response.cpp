#include "net/response.hpp"

#include <algorithm>
#include <cassert>
#include <charconv>
#include <cstring>

namespace firstcome::net {

namespace {

using namespace std::string_view_literals;

std::string_view status_line(unsigned status) {
  switch (status) {
#define FIRSTCOME_STATUS(code, reason) \
  case code:                           \
    return "HTTP/1.1 " #code " " reason "\r\n"sv
    FIRSTCOME_STATUS(200, "OK");
    FIRSTCOME_STATUS(201, "Created");
    FIRSTCOME_STATUS(202, "Accepted");
    FIRSTCOME_STATUS(204, "No Content");
    FIRSTCOME_STATUS(304, "Not Modified");
    FIRSTCOME_STATUS(400, "Bad Request");
    FIRSTCOME_STATUS(401, "Unauthorized");
    FIRSTCOME_STATUS(402, "Payment Required");
    FIRSTCOME_STATUS(403, "Forbidden");
    FIRSTCOME_STATUS(404, "Not Found");
    FIRSTCOME_STATUS(405, "Method Not Allowed");
    FIRSTCOME_STATUS(408, "Request Timeout");
    FIRSTCOME_STATUS(409, "Conflict");
    FIRSTCOME_STATUS(410, "Gone");
    FIRSTCOME_STATUS(412, "Precondition Failed");
    FIRSTCOME_STATUS(413, "Content Too Large");
    FIRSTCOME_STATUS(414, "URI Too Long");
    FIRSTCOME_STATUS(415, "Unsupported Media Type");
    FIRSTCOME_STATUS(422, "Unprocessable Content");
    FIRSTCOME_STATUS(429, "Too Many Requests");
    FIRSTCOME_STATUS(431, "Request Header Fields Too Large");
    FIRSTCOME_STATUS(500, "Internal Server Error");
    FIRSTCOME_STATUS(501, "Not Implemented");
    FIRSTCOME_STATUS(503, "Service Unavailable");
#undef FIRSTCOME_STATUS
    default:
      return {};
  }
}

constexpr std::size_t fixed_bytes = 256;  // status line, date, length, connection, names and line ends

/// Appends to room that is known to suffice.
struct Pen {
  char* at;

  void put(std::string_view text) { at = std::copy(text.begin(), text.end(), at); }
  void put_number(std::size_t number) { at = std::to_chars(at, at + 20, number).ptr; }
  void put_field_text(std::string_view text) {
    char* const begin = at;
    put(text);
    std::replace_if(begin, at, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }, ' ');
  }
  void put_status(unsigned status) {
    const std::string_view line = status_line(status);
    if (!line.empty()) return put(line);
    put("HTTP/1.1 ");
    put_number(status);
    put(" \r\n");
  }
};

std::size_t bound(const Response& response) {
  std::size_t bytes = fixed_bytes + response.content_type.size() + response.body.size();
  for (const HttpField& field : response.fields) bytes += field.name.size() + field.value.size() + 4;
  return bytes;
}

}  // namespace

char* OutputBuffer::room(std::size_t bytes) {
  if (capacity_ - size_ < bytes) {
    const std::size_t wanted = std::max({size_ + bytes, 2 * capacity_, std::size_t{64} << 10});
    auto larger = std::make_unique_for_overwrite<char[]>(wanted);
    if (size_ > 0) std::memcpy(larger.get(), data_.get(), size_);
    data_ = std::move(larger);
    capacity_ = wanted;
  }
  return data_.get() + size_;
}

void OutputBuffer::clear() {
  size_ = 0;
  if (capacity_ <= kept_bytes) return;
  data_.reset();
  capacity_ = 0;
}

std::string_view DateField::at(std::time_t now) {
  if (now != of_) {
    static constexpr const char* days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static constexpr const char* months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                             "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    std::tm utc{};
    ::gmtime_r(&now, &utc);
    char* to = text_.data();
    const auto put = [&to](std::string_view text) { to = std::copy(text.begin(), text.end(), to); };
    const auto two = [&to](int value) {
      *to++ = static_cast<char>('0' + value / 10 % 10);
      *to++ = static_cast<char>('0' + value % 10);
    };
    put("Date: ");
    put(days[utc.tm_wday]);
    put(", ");
    two(utc.tm_mday);
    put(" ");
    put(months[utc.tm_mon]);
    put(" ");
    two((utc.tm_year + 1900) / 100);
    two(utc.tm_year + 1900);
    put(" ");
    two(utc.tm_hour);
    put(":");
    two(utc.tm_min);
    put(":");
    two(utc.tm_sec);
    put(" GMT\r\n");
    assert(to == text_.data() + text_.size());
    of_ = now;
  }
  return {text_.data(), text_.size()};
}

void append(OutputBuffer& out, const Response& response) {
  char* const begin = out.room(bound(response));
  Pen pen{begin};
  pen.put_status(response.status);
  pen.put(response.date);
  if (!response.content_type.empty()) {
    pen.put("Content-Type: ");
    pen.put_field_text(response.content_type);
    pen.put("\r\n");
  }
  for (const HttpField& field : response.fields) {
    pen.put_field_text(field.name);
    pen.put(": ");
    pen.put_field_text(field.value);
    pen.put("\r\n");
  }
  if (response.connection == Response::Connection::closes) pen.put("Connection: close\r\n");
  if (response.connection == Response::Connection::stays_http_10) pen.put("Connection: keep-alive\r\n");
  const bool bodiless = response.status == 204 || response.status == 304;
  if (!bodiless) {
    pen.put("Content-Length: ");
    pen.put_number(response.body.size());
    pen.put("\r\n");
  }
  pen.put("\r\n");
  if (!bodiless && response.send_body == Response::Body::sent) pen.put(response.body);
  out.grown(static_cast<std::size_t>(pen.at - begin));
}

}  // namespace firstcome::net
