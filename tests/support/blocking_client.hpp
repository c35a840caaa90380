// One keep-alive HTTP connection for tests: blocking, with a time-out, nothing hidden.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace firstcome::testing {

struct HttpAnswer {
  unsigned status = 0;
  std::map<std::string, std::string> fields;  ///< names in lower case
  std::string body;
};

class BlockingClient {
 public:
  explicit BlockingClient(std::uint16_t port, std::chrono::milliseconds timeout = std::chrono::seconds{30});
  ~BlockingClient();
  BlockingClient(const BlockingClient&) = delete;
  BlockingClient& operator=(const BlockingClient&) = delete;

  /// Nothing when the connection broke or the time was over: whether the server did it is not known. Connects (again)
  /// where needed.
  std::optional<HttpAnswer> request(std::string_view method, std::string_view target, std::string_view body = {},
                                    const std::vector<std::string>& fields = {});

  /// The two halves of `request`, for tests that act in between.
  bool send(std::string_view method, std::string_view target, std::string_view body = {},
            const std::vector<std::string>& fields = {});
  std::optional<HttpAnswer> receive();

  bool connect();
  void disconnect();
  int socket() const { return socket_; }

 private:
  bool fill();

  std::uint16_t port_;
  std::chrono::milliseconds timeout_;
  int socket_ = -1;
  std::string buffer_;
};

}  // namespace firstcome::testing
