#include "support/certificates.hpp"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <cstdio>
#include <stdexcept>

namespace firstcome::testing {

namespace {

constexpr long day_seconds = 86'400;

struct Free {
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
  void operator()(X509* certificate) const { X509_free(certificate); }
  void operator()(std::FILE* file) const { std::fclose(file); }
};
using Key = std::unique_ptr<EVP_PKEY, Free>;
using Signed = std::unique_ptr<X509, Free>;

void must(bool good) {
  if (!good) throw std::runtime_error("OpenSSL cannot make a certificate");
}

Key new_key() {
  Key key(EVP_EC_gen("P-256"));
  must(key != nullptr);
  return key;
}

void extend(X509* certificate, X509* issuer, int kind, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* const extension = X509V3_EXT_conf_nid(nullptr, &context, kind, value.c_str());
  must(extension != nullptr && X509_add_ext(certificate, extension, -1) == 1);
  X509_EXTENSION_free(extension);
}

/// Not signed yet; `issuer` is nullptr for the authority's own.
Signed new_certificate(const std::string& name, EVP_PKEY* key, X509* issuer, int days) {
  Signed certificate(X509_new());
  must(certificate != nullptr);
  X509* const raw = certificate.get();
  X509_set_version(raw, 2);
  ASN1_INTEGER_set(X509_get_serialNumber(raw), issuer == nullptr ? 1 : 2);
  X509_gmtime_adj(X509_getm_notBefore(raw), -2 * day_seconds);
  X509_gmtime_adj(X509_getm_notAfter(raw), days * day_seconds);
  must(X509_set_pubkey(raw, key) == 1);
  const auto* text = reinterpret_cast<const unsigned char*>(name.c_str());
  X509_NAME_add_entry_by_txt(X509_get_subject_name(raw), "CN", MBSTRING_UTF8, text, -1, -1, 0);
  X509_set_issuer_name(raw, X509_get_subject_name(issuer == nullptr ? raw : issuer));
  return certificate;
}

std::string write_certificate(const std::filesystem::path& path, X509* certificate) {
  const std::unique_ptr<std::FILE, Free> file(std::fopen(path.c_str(), "w"));
  must(file != nullptr && PEM_write_X509(file.get(), certificate) == 1);
  return path.string();
}

std::string write_key(const std::filesystem::path& path, EVP_PKEY* key) {
  const std::unique_ptr<std::FILE, Free> file(std::fopen(path.c_str(), "w"));
  must(file != nullptr && PEM_write_PrivateKey(file.get(), key, nullptr, nullptr, 0, nullptr, nullptr) == 1);
  return path.string();
}

}  // namespace

struct CertificateAuthority::Keys {
  Key key;
  Signed certificate;
};

CertificateAuthority::CertificateAuthority(std::filesystem::path folder, const std::string& name)
    : folder_(std::move(folder)), keys_(std::make_unique<Keys>()) {
  keys_->key = new_key();
  keys_->certificate = new_certificate(name, keys_->key.get(), nullptr, 2);
  X509* const raw = keys_->certificate.get();
  extend(raw, raw, NID_basic_constraints, "critical,CA:TRUE");
  extend(raw, raw, NID_key_usage, "critical,keyCertSign");
  must(X509_sign(raw, keys_->key.get(), EVP_sha256()) > 0);
  file_ = write_certificate(folder_ / (name + ".pem"), raw);
}

CertificateAuthority::~CertificateAuthority() = default;

CertificateAuthority::Certificate CertificateAuthority::sign(const std::string& name,
                                                             const std::string& alternative_names, int days) const {
  const Key key = new_key();
  X509* const issuer = keys_->certificate.get();
  const Signed certificate = new_certificate(name, key.get(), issuer, days);
  extend(certificate.get(), issuer, NID_subject_alt_name, alternative_names);
  must(X509_sign(certificate.get(), keys_->key.get(), EVP_sha256()) > 0);
  return {write_certificate(folder_ / (name + ".pem"), certificate.get()),
          write_key(folder_ / (name + ".key"), key.get())};
}

}  // namespace firstcome::testing
