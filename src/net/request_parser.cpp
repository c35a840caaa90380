#include "net/request_parser.hpp"

#include <boost/beast/http/error.hpp>

#include <algorithm>
#include <cassert>
#include <cstring>
#include <limits>

namespace firstcome::net {

namespace http = boost::beast::http;
using boost::beast::iequals;

namespace {

constexpr std::size_t chunk_extension_bytes = 256;

/// What is left of a chunked body has at least this size. Beast 1.81 is not asked with less: it asserts that it has got
/// that much once it has seen the size of the last chunk, which a client that sends byte by byte would make it fail.
constexpr std::size_t last_chunk_bytes = std::string_view{"0\r\n\r\n"}.size();

std::string_view standard(boost::beast::string_view view) { return {view.data(), view.size()}; }

bool is_decimal(char c) { return c >= '0' && c <= '9'; }

bool is_control(char c) { return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f; }

/// Bytes that no target may have, though Beast lets them pass.
bool is_foreign_to_target(char c) { return static_cast<unsigned char>(c) >= 0x80 || c == '#'; }

Method method_of(http::verb verb) {
  switch (verb) {
    case http::verb::get:
      return Method::get;
    case http::verb::head:
      return Method::head;
    case http::verb::post:
      return Method::post;
    case http::verb::put:
      return Method::put;
    case http::verb::patch:
      return Method::patch;
    case http::verb::delete_:
      return Method::del;
    case http::verb::options:
      return Method::options;
    default:
      return Method::other;
  }
}

std::size_t scheme_length(std::string_view target) {
  for (const std::string_view scheme : {std::string_view{"http://"}, std::string_view{"https://"}})
    if (iequals(target.substr(0, scheme.size()), scheme)) return scheme.size();
  return 0;
}

}  // namespace

RequestParser::RequestParser(const RequestLimits& limits) : limits_(limits) {
  header_limit(std::numeric_limits<std::uint32_t>::max());  // ours is exact however the header comes in pieces
  body_limit(limits.body_bytes);
  eager(true);
}

RequestParser::Progress RequestParser::parse(char* data, std::size_t size) {
  base_ = data;
  size_ = size;
  if (!got_some() && start_ == 0 && size >= 2 && data[0] == '\r' && data[1] == '\n') start_ = position_ = 2;
  if (!got_some() && size == 1 && data[0] == '\r') return Progress::need_more;

  ErrorCode error;
  if (!header_done_) {
    const std::size_t end = std::min(size, start_ + limits_.header_bytes);
    if (position_ < end) position_ += put({data + position_, end - position_}, error);
    if (error && error != http::error::need_more) return refused_by(error);
    if (!header_done_) {
      if (end - start_ < limits_.header_bytes) return Progress::need_more;
      return refuse(std::memchr(data + start_, '\n', end - start_) ? BadRequest::header_too_large
                                                                   : BadRequest::uri_too_long);
    }
  }
  const std::size_t least = chunked() ? last_chunk_bytes : 1;
  while (size - position_ >= least && !is_done()) {
    position_ += put({data + position_, size - position_}, error);
    if (!error) continue;
    if (error != http::error::need_more) return refused_by(error);
    if (size - position_ > limits_.header_bytes) return refuse(BadRequest::header_too_large);
    break;
  }
  return is_done() ? Progress::complete : Progress::need_more;
}

HttpRequest RequestParser::request(const char* data) const {
  const auto view = [data](Slice slice) { return std::string_view{data + slice.begin, slice.size}; };
  HttpRequest request;
  request.method = method_;
  request.target = view(target_);
  request.path = bare_authority_ ? std::string_view{"/"} : view(path_);
  request.query = view(query_);
  request.content_type = view(content_type_);
  request.content_encoding = view(content_encoding_);
  request.idempotency_key = view(idempotency_key_);
  request.authorization = view(authorization_);
  // An empty list of tags is not the same as no list: it matches nothing. A comma alone is such a list, too.
  const bool names_no_tag = if_match_.begin != 0 && if_match_.size == 0;
  request.if_match = names_no_tag ? std::string_view{","} : view(if_match_);
  request.idempotency_keys = idempotency_keys_;
  request.body = view(body_);
  return request;
}

std::size_t RequestParser::compact(char* data, std::size_t size) {
  const std::size_t body_end = body_.begin + body_.size;
  if (body_.size == 0 || body_end == position_) return size;
  std::memmove(data + body_end, data + position_, size - position_);
  const std::size_t gap = position_ - body_end;
  position_ = body_end;
  return size - gap;
}

RequestParser::Progress RequestParser::refuse(BadRequest why) {
  why_ = why;
  return Progress::refused;
}

RequestParser::Progress RequestParser::refused_by(const ErrorCode& error) {
  if (failed_) return Progress::refused;
  // Beast itself looks at those lines, before it shows them.
  if (error == http::error::bad_content_length && content_lengths_ > 0) repeated_field_ = "Content-Length";
  if (error == http::error::bad_transfer_encoding && has_transfer_encoding_) repeated_field_ = "Transfer-Encoding";
  return refuse(error == http::error::body_limit ? BadRequest::body_too_large : BadRequest::malformed);
}

void RequestParser::fail(BadRequest why, ErrorCode& error) {
  failed_ = true;
  why_ = why;
  error = http::error::bad_value;
}

RequestParser::Slice RequestParser::slice(View view) const {
  return {static_cast<std::uint32_t>(view.data() - base_), static_cast<std::uint32_t>(view.size())};
}

void RequestParser::on_request_impl(http::verb verb, View, View target, int version, ErrorCode& error) {
  method_ = method_of(verb);
  http_10_ = version < 11;
  target_ = slice(target);
  if (target.size() > limits_.target_bytes) return fail(BadRequest::uri_too_long, error);
  const bool foreign = std::any_of(target.begin(), target.end(), is_foreign_to_target);
  if (verb == http::verb::connect)
    path_ = target_;
  else if (foreign || !split_target(standard(target)))
    fail(BadRequest::malformed, error);
}

bool RequestParser::split_target(std::string_view target) {
  std::size_t path = 0;
  if (target.front() != '/') {
    if (target == "*") {
      path_ = target_;
      return method_ == Method::options;
    }
    const std::size_t scheme = scheme_length(target);
    if (scheme == 0) return false;
    path = std::min(target.find_first_of("/?", scheme), target.size());
    if (path == scheme) return false;
  }
  const std::size_t path_end = std::min(target.find('?', path), target.size());
  const std::size_t query = std::min(path_end + 1, target.size());
  bare_authority_ = path == path_end;
  const auto part = [this](std::size_t begin, std::size_t end) {
    return Slice{target_.begin + static_cast<std::uint32_t>(begin), static_cast<std::uint32_t>(end - begin)};
  };
  path_ = part(path, path_end);
  query_ = part(query, target.size());
  return true;
}

/// Beast unfolds into a buffer of its own, unless the first line was empty: then the value begins on a later line.
bool RequestParser::is_folded(View name, View value) const {
  const char* const name_end = name.data() + name.size();
  if (value.data() < name_end || value.data() > base_ + size_) return true;
  return std::memchr(name_end, '\r', static_cast<std::size_t>(value.data() - name_end)) != nullptr;
}

void RequestParser::on_field_impl(http::field field, View name, View value, ErrorCode& error) {
  if (is_folded(name, value)) return fail(BadRequest::malformed, error);
  if (!header_done_) return keep_field(field, name, value, error);
  trailer_bytes_ += name.size() + value.size() + 4;  // trailers are read and forgotten
  if (trailer_bytes_ > limits_.header_bytes) fail(BadRequest::header_too_large, error);
}

void RequestParser::fail_repeated(std::string_view name, ErrorCode& error) {
  repeated_field_ = name;
  fail(BadRequest::malformed, error);
}

void RequestParser::keep_once(Slice& kept, std::string_view name, View value, ErrorCode& error) {
  if (kept.begin != 0) return fail_repeated(name, error);
  kept = slice(value);
}

void RequestParser::keep_field(http::field field, View name, View value, ErrorCode& error) {
  switch (field) {
    case http::field::host:
      if (++hosts_ > 1) fail_repeated("Host", error);
      break;
    case http::field::content_length:
      if (++content_lengths_ > 1) return fail_repeated("Content-Length", error);
      if (!std::all_of(value.begin(), value.end(), is_decimal)) fail(BadRequest::malformed, error);
      break;
    case http::field::transfer_encoding:
      if (has_transfer_encoding_) return fail_repeated("Transfer-Encoding", error);
      has_transfer_encoding_ = true;
      if (!iequals(value, "chunked")) fail(BadRequest::not_implemented, error);
      break;
    case http::field::expect:
      has_expectation_ = iequals(value, "100-continue");
      break;
    case http::field::content_type:
      keep_once(content_type_, "Content-Type", value, error);
      break;
    case http::field::content_encoding:
      keep_once(content_encoding_, "Content-Encoding", value, error);
      break;
    case http::field::authorization:
      keep_once(authorization_, "Authorization", value, error);
      break;
    case http::field::if_match:
      keep_once(if_match_, "If-Match", value, error);
      break;
    case http::field::unknown:
      if (!iequals(name, "idempotency-key")) break;
      ++idempotency_keys_;
      idempotency_key_ = slice(value);
      break;
    default:
      break;
  }
}

void RequestParser::on_header_impl(ErrorCode& error) {
  header_done_ = true;
  keep_alive_ = basic_parser::keep_alive();
  expects_continue_ = has_expectation_ && !http_10_ && (chunked() || content_length().value_or(0) > 0);
  const bool smuggles = has_transfer_encoding_ && (http_10_ || content_lengths_ > 0 || !chunked());
  const bool no_host = hosts_ == 0 && !http_10_;
  if (smuggles || no_host) fail(BadRequest::malformed, error);
}

void RequestParser::on_body_init_impl(const boost::optional<std::uint64_t>&, ErrorCode&) {}

std::size_t RequestParser::on_body_impl(View piece, ErrorCode&) {
  if (body_.size == 0) body_.begin = slice(piece).begin;
  char* const end = base_ + body_.begin + body_.size;
  if (end != piece.data()) std::memmove(end, piece.data(), piece.size());
  body_.size += static_cast<std::uint32_t>(piece.size());
  return piece.size();
}

void RequestParser::on_chunk_header_impl(std::uint64_t, View extensions, ErrorCode& error) {
  if (extensions.size() > chunk_extension_bytes || std::any_of(extensions.begin(), extensions.end(), is_control))
    fail(BadRequest::malformed, error);
}

std::size_t RequestParser::on_chunk_body_impl(std::uint64_t, View piece, ErrorCode& error) {
  return on_body_impl(piece, error);
}

void RequestParser::on_finish_impl(ErrorCode&) { assert(body_.size <= limits_.body_bytes); }

}  // namespace firstcome::net
