#include "net/redis/tls.hpp"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>

#include <array>
#include <limits>
#include <new>
#include <utility>

namespace firstcome::net {

namespace {

/// What OpenSSL last complained of, for people.
std::string complaint(const ssl_st* ssl) {
  if (ssl != nullptr) {
    if (const long verified = SSL_get_verify_result(ssl); verified != X509_V_OK) {
      return std::string("the server's certificate is not accepted: ") + X509_verify_cert_error_string(verified);
    }
  }
  const unsigned long code = ERR_get_error();
  const char* reason = code == 0 ? nullptr : ERR_reason_error_string(code);
  ERR_clear_error();
  return reason == nullptr ? std::string("the TLS handshake failed") : std::string("TLS: ") + reason;
}

bool is_address(const std::string& host) {
  return host.find(':') != std::string::npos || host.find_first_not_of("0123456789.") == std::string::npos;
}

}  // namespace

void RedisTlsContext::Free::operator()(ssl_ctx_st* context) const { SSL_CTX_free(context); }

std::expected<std::shared_ptr<RedisTlsContext>, std::string> RedisTlsContext::make(const RedisTlsOptions& options) {
  using Problem = std::unexpected<std::string>;
  ERR_clear_error();
  std::unique_ptr<ssl_ctx_st, Free> context(SSL_CTX_new(TLS_client_method()));
  if (!context) throw std::bad_alloc();
  ssl_ctx_st* const raw = context.get();
  SSL_CTX_set_min_proto_version(raw, TLS1_2_VERSION);
  SSL_CTX_set_mode(raw, SSL_MODE_AUTO_RETRY);
  if (options.ca_file.empty()) {
    SSL_CTX_set_default_verify_paths(raw);
  } else if (SSL_CTX_load_verify_locations(raw, options.ca_file.c_str(), nullptr) != 1) {
    return Problem("cannot read the authority's certificates in " + options.ca_file + ": " + complaint(nullptr));
  }
  if (!options.certificate_file.empty()) {
    if (SSL_CTX_use_certificate_chain_file(raw, options.certificate_file.c_str()) != 1) {
      return Problem("cannot read the certificate in " + options.certificate_file + ": " + complaint(nullptr));
    }
    if (SSL_CTX_use_PrivateKey_file(raw, options.key_file.c_str(), SSL_FILETYPE_PEM) != 1 ||
        SSL_CTX_check_private_key(raw) != 1) {
      return Problem("cannot use the key in \"" + options.key_file + "\": " + complaint(nullptr));
    }
  }
  const bool peer = options.verify == RedisTlsOptions::Verify::peer;
  SSL_CTX_set_verify(raw, peer ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, nullptr);
  return std::shared_ptr<RedisTlsContext>(new RedisTlsContext(std::move(context), options.verify));
}

void RedisTlsStream::Free::operator()(ssl_st* ssl) const { SSL_free(ssl); }

RedisTlsStream::RedisTlsStream(std::shared_ptr<RedisTlsContext> context, const std::string& host)
    : context_(std::move(context)), ssl_(SSL_new(context_->native())) {
  BIO* const in = BIO_new(BIO_s_mem());
  BIO* const out = BIO_new(BIO_s_mem());
  if (!ssl_ || in == nullptr || out == nullptr) throw std::bad_alloc();
  BIO_set_mem_eof_return(in, -1);  // empty means: more will come
  BIO_set_mem_eof_return(out, -1);
  SSL_set_bio(ssl_.get(), in, out);  // which now owns them
  SSL_set_connect_state(ssl_.get());
  if (is_address(host)) {
    X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl_.get()), host.c_str());
  } else {
    SSL_set1_host(ssl_.get(), host.c_str());
    SSL_set_tlsext_host_name(ssl_.get(), host.c_str());
  }
  if (context_->verify() == RedisTlsOptions::Verify::nobody) SSL_set_verify(ssl_.get(), SSL_VERIFY_NONE, nullptr);
}

RedisTlsStream::~RedisTlsStream() = default;

void RedisTlsStream::drain(std::string& line) {
  BIO* const out = SSL_get_wbio(ssl_.get());
  std::array<char, 16'384> bytes;
  for (int size = 0; (size = BIO_read(out, bytes.data(), static_cast<int>(bytes.size()))) > 0;) {
    line.append(bytes.data(), static_cast<std::size_t>(size));
  }
}

void RedisTlsStream::received(std::string_view bytes) {
  BIO_write(SSL_get_rbio(ssl_.get()), bytes.data(), static_cast<int>(bytes.size()));
}

std::expected<RedisTlsStream::Progress, std::string> RedisTlsStream::shake_hands(std::string& line) {
  ERR_clear_error();
  const int done = SSL_do_handshake(ssl_.get());
  drain(line);  // an alert, too
  if (done == 1) return Progress::done;
  const int error = SSL_get_error(ssl_.get(), done);
  if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) return Progress::more;
  return std::unexpected(complaint(ssl_.get()));
}

std::expected<RedisTlsStream::Progress, std::string> RedisTlsStream::read(std::string& plain, std::string& line) {
  ERR_clear_error();
  std::array<char, 16'384> bytes;
  for (;;) {
    const int size = SSL_read(ssl_.get(), bytes.data(), static_cast<int>(bytes.size()));
    if (size > 0) {
      plain.append(bytes.data(), static_cast<std::size_t>(size));
      continue;
    }
    drain(line);
    const int error = SSL_get_error(ssl_.get(), size);
    if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) return Progress::more;
    if (error == SSL_ERROR_ZERO_RETURN) return Progress::done;  // the server said goodbye
    return std::unexpected(complaint(nullptr));
  }
}

std::expected<void, std::string> RedisTlsStream::write(std::string_view plain, std::string& line) {
  constexpr std::size_t most = std::numeric_limits<int>::max() / 2;
  while (!plain.empty()) {
    ERR_clear_error();
    const std::string_view part = plain.substr(0, most);
    const int size = SSL_write(ssl_.get(), part.data(), static_cast<int>(part.size()));
    if (size <= 0) return std::unexpected(complaint(nullptr));
    plain.remove_prefix(static_cast<std::size_t>(size));
  }
  drain(line);
  return {};
}

}  // namespace firstcome::net
