// Beast's response parser, filling a ClientResponse.
#pragma once

#include "net/http_client.hpp"

#include <boost/beast/core/string.hpp>
#include <boost/beast/http/basic_parser.hpp>

#include <algorithm>
#include <cstdint>

namespace firstcome::net {

inline constexpr std::size_t response_read_bytes = 16'384;        // more than Beast allows a head
inline constexpr std::uint64_t response_body_bytes = 64U << 20U;  // at most

class ResponseReader final : public boost::beast::http::basic_parser<false> {
 public:
  ResponseReader() {
    eager(true);
    body_limit(response_body_bytes);
  }

  ClientResponse response;

 private:
  using View = boost::beast::string_view;

  void on_request_impl(boost::beast::http::verb, View, View, int, boost::system::error_code&) override {}
  void on_response_impl(int code, View, int, boost::system::error_code&) override {
    response.status = static_cast<unsigned>(code);
  }
  void on_field_impl(boost::beast::http::field, View name, View value, boost::system::error_code&) override {
    response.fields_.append(name.data(), name.size()).append(1, ':').append(value.data(), value.size()).append(1, '\n');
  }
  void on_header_impl(boost::system::error_code&) override {}
  void on_body_init_impl(const boost::optional<std::uint64_t>& length, boost::system::error_code&) override {
    if (length) response.body.reserve(std::min<std::uint64_t>(*length, response_read_bytes));
  }
  std::size_t on_body_impl(View body, boost::system::error_code&) override {
    response.body.append(body.data(), body.size());
    return body.size();
  }
  void on_chunk_header_impl(std::uint64_t, View, boost::system::error_code&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t, View body, boost::system::error_code& ec) override {
    return on_body_impl(body, ec);
  }
  void on_finish_impl(boost::system::error_code&) override {}
};

}  // namespace firstcome::net
