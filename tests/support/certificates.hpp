// A certificate authority of a test's own, and certificates that it signs, as PEM files.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

namespace firstcome::testing {

class CertificateAuthority {
 public:
  /// Writes `name`.pem, its certificate, into the folder.
  CertificateAuthority(std::filesystem::path folder, const std::string& name);
  ~CertificateAuthority();

  std::string file() const { return file_; }

  struct Certificate {
    std::string file;
    std::string key_file;
  };
  /// Signs one for "DNS:localhost,IP:127.0.0.1" or the like, valid for a day; `days` < 0: it has ended.
  Certificate sign(const std::string& name, const std::string& alternative_names, int days = 1) const;

 private:
  struct Keys;
  std::filesystem::path folder_;
  std::string file_;
  std::unique_ptr<Keys> keys_;
};

}  // namespace firstcome::testing
