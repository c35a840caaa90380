// TLS between bytes and bytes: no socket, no waiting. The wire carries what this makes.
#pragma once

#include "net/redis/options.hpp"

#include <cstdint>
#include <expected>
#include <memory>
#include <string>
#include <string_view>

struct ssl_ctx_st;
struct ssl_st;

namespace firstcome::net {

/// What connections share: certificates and what is trusted.
class RedisTlsContext {
 public:
  /// The error names the file and what is wrong with it.
  static std::expected<std::shared_ptr<RedisTlsContext>, std::string> make(const RedisTlsOptions& options);

  ssl_ctx_st* native() const { return context_.get(); }
  RedisTlsOptions::Verify verify() const { return verify_; }

 private:
  struct Free {
    void operator()(ssl_ctx_st* context) const;
  };

  RedisTlsContext(std::unique_ptr<ssl_ctx_st, Free> context, RedisTlsOptions::Verify verify)
      : context_(std::move(context)), verify_(verify) {}

  std::unique_ptr<ssl_ctx_st, Free> context_;
  RedisTlsOptions::Verify verify_;
};

/// The client's side of one connection. An error is final and says why, as in "certificate verify failed".
class RedisTlsStream {
 public:
  /// `host` is the name or address that the certificate must be for.
  RedisTlsStream(std::shared_ptr<RedisTlsContext> context, const std::string& host);
  ~RedisTlsStream();
  RedisTlsStream(const RedisTlsStream&) = delete;
  RedisTlsStream& operator=(const RedisTlsStream&) = delete;

  enum class Progress : std::uint8_t { more, done };
  /// Goes on with the handshake after bytes came (or at its start); appends to `line` what must be sent.
  std::expected<Progress, std::string> shake_hands(std::string& line);

  /// Bytes as they came from the server.
  void received(std::string_view bytes);
  /// Appends what they say to `plain`, and to `line` what must be sent.
  std::expected<Progress, std::string> read(std::string& plain, std::string& line);
  /// Encrypts all of `plain`, appended to `line`. REQUIRES: the handshake is done.
  std::expected<void, std::string> write(std::string_view plain, std::string& line);

 private:
  void drain(std::string& line);

  struct Free {
    void operator()(ssl_st* ssl) const;
  };
  std::shared_ptr<RedisTlsContext> context_;
  std::unique_ptr<ssl_st, Free> ssl_;
};

}  // namespace firstcome::net
