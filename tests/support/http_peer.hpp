// The server's end of an HTTP connection, blocking, for tests that say byte by byte what a server does.
#pragma once

#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/write.hpp>

#include <string>
#include <string_view>
#include <utility>

namespace firstcome::testing {

class HttpPeer {
 public:
  explicit HttpPeer(boost::asio::ip::tcp::socket socket) : socket_(std::move(socket)) {}

  /// The head and the body of the next request; empty: the client closed.
  std::string read() {
    namespace asio = boost::asio;
    boost::system::error_code ec;
    const std::size_t head = asio::read_until(socket_, asio::dynamic_buffer(in_), "\r\n\r\n", ec);
    if (ec) return {};
    std::size_t size = head;
    const std::size_t length = in_.find("Content-Length: ");
    if (length < head) size += std::stoul(in_.substr(length + 16));
    if (in_.size() < size) {
      asio::read(socket_, asio::dynamic_buffer(in_), asio::transfer_exactly(size - in_.size()), ec);
    }
    std::string request = in_.substr(0, size);
    in_.erase(0, size);
    return request;
  }

  void write(std::string_view bytes) {
    boost::system::error_code ignored;  // the client may have gone
    boost::asio::write(socket_, boost::asio::buffer(bytes.data(), bytes.size()), ignored);
  }

  void answer(std::string_view body, std::string_view status = "200 OK") {
    std::string head = "HTTP/1.1 ";
    head.append(status).append("\r\nContent-Length: ").append(std::to_string(body.size())).append("\r\n\r\n");
    write(head.append(body));
  }

  /// Makes `read` and `write` end, from another thread.
  void cut() {
    boost::system::error_code ignored;
    socket_.shutdown(boost::asio::ip::tcp::socket::shutdown_both, ignored);
  }

 private:
  boost::asio::ip::tcp::socket socket_;
  std::string in_;
};

}  // namespace firstcome::testing
