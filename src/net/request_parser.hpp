// One HTTP/1 request, parsed where it lies in its connection's buffer.
//
// Mechanism: Beast's basic_parser does the parsing; this class keeps only what the routes need, as offsets into the
// buffer, so that the buffer may move while a request is incomplete. Nothing is allocated. The chunks of a chunked body
// are moved together, over the chunk headers between them.
//
// Beast 1.81 is lenient where two readers of one stream could disagree on where a request ends (request smuggling).
// What it lets pass is refused here: a Transfer-Encoding that is not exactly `chunked`, or that comes with HTTP/1.0 or
// with a Content-Length; a Content-Length that is repeated, or a list; folded fields; a missing or repeated Host.
//
// Sans I/O: it is given bytes, and says what it made of them.
#pragma once

#include "net/http_server.hpp"

#include <boost/beast/http/basic_parser.hpp>

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace firstcome::net {

struct RequestLimits {
  std::size_t header_bytes = 0;  ///< of the request line and all fields, with their line ends
  std::size_t target_bytes = 0;
  std::size_t body_bytes = 0;

  /// A buffer of this size holds every request within the limits.
  std::size_t buffer_bytes() const { return 3 * header_bytes + body_bytes; }
};

/// Good for one request. Not thread-safe. `limits` must outlive it.
class RequestParser final : private boost::beast::http::basic_parser<true> {
 public:
  enum class Progress : std::uint8_t { need_more, complete, refused };

  explicit RequestParser(const RequestLimits& limits);

  /// Goes on with the request that begins at `data`, of which `size` bytes have come, those of earlier calls included.
  /// REQUIRES: need_more so far. May change bytes that were parsed.
  Progress parse(char* data, std::size_t size);

  /// Why, after `refused`.
  BadRequest why() const { return why_; }
  /// The field that may come once, and came again; static text. Empty: that is not why.
  std::string_view repeated_field() const { return repeated_field_; }

  bool header_done() const { return header_done_; }
  /// The client waits for a 100 before it sends the body.
  bool expects_continue() const { return expects_continue_; }
  /// After `complete`: the client may send another request. `http_10`: it must be told that it may.
  bool keep_alive() const { return keep_alive_; }
  bool http_10() const { return http_10_; }
  /// After `complete`: what the request takes of the buffer.
  std::size_t consumed() const { return position_; }
  /// After `complete`: the request, as views of the buffer.
  HttpRequest request(const char* data) const;

  /// Makes room in a full buffer where a chunked body left gaps. Returns the new size.
  std::size_t compact(char* data, std::size_t size);

 private:
  using ErrorCode = boost::beast::error_code;
  using View = boost::beast::string_view;
  struct Slice {
    std::uint32_t begin = 0;
    std::uint32_t size = 0;
  };

  void on_request_impl(boost::beast::http::verb verb, View method, View target, int version, ErrorCode& error) override;
  void on_field_impl(boost::beast::http::field field, View name, View value, ErrorCode& error) override;
  void on_header_impl(ErrorCode& error) override;
  void on_body_init_impl(const boost::optional<std::uint64_t>& length, ErrorCode& error) override;
  std::size_t on_body_impl(View piece, ErrorCode& error) override;
  void on_chunk_header_impl(std::uint64_t size, View extensions, ErrorCode& error) override;
  std::size_t on_chunk_body_impl(std::uint64_t remain, View piece, ErrorCode& error) override;
  void on_finish_impl(ErrorCode& error) override;
  void on_response_impl(int, View, int, ErrorCode&) override {}

  Progress refuse(BadRequest why);
  Progress refused_by(const ErrorCode& error);
  void fail(BadRequest why, ErrorCode& error);
  void keep_field(boost::beast::http::field field, View name, View value, ErrorCode& error);
  void keep_once(Slice& kept, std::string_view name, View value, ErrorCode& error);
  void fail_repeated(std::string_view name, ErrorCode& error);
  bool is_folded(View name, View value) const;
  bool split_target(std::string_view target);
  Slice slice(View view) const;

  const RequestLimits& limits_;
  char* base_ = nullptr;      // the buffer, during parse
  std::size_t size_ = 0;      // of what came
  std::size_t start_ = 0;     // after an empty line that precedes the request
  std::size_t position_ = 0;  // up to here it is parsed
  Slice target_, path_, query_, content_type_, content_encoding_, idempotency_key_, authorization_, if_match_, body_;
  std::size_t trailer_bytes_ = 0;
  unsigned hosts_ = 0;
  unsigned content_lengths_ = 0;
  unsigned idempotency_keys_ = 0;
  Method method_ = Method::other;
  BadRequest why_ = BadRequest::malformed;
  std::string_view repeated_field_;
  bool failed_ = false;  // why_ is ours, not Beast's
  bool header_done_ = false;
  bool http_10_ = false;
  bool has_transfer_encoding_ = false;
  bool has_expectation_ = false;
  bool expects_continue_ = false;
  bool keep_alive_ = false;
  bool bare_authority_ = false;  // an absolute target without a path
};

}  // namespace firstcome::net
