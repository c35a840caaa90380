// What an encrypted connection to Redis needs beside the address.
#pragma once

#include <cstdint>
#include <string>

namespace firstcome::net {

/// For rediss://. The server's certificate must be signed by an authority of `ca_file` and name the host that was asked
/// for (a name, or an address).
struct RedisTlsOptions {
  enum class Verify : std::uint8_t {
    peer,
    nobody,  ///< encrypted, but with whom is not known; for tests
  };
  Verify verify = Verify::peer;
  std::string ca_file = {};           ///< PEM; empty: what the system trusts
  std::string certificate_file = {};  ///< PEM, our own, where the server asks for one
  std::string key_file = {};          ///< PEM, of that certificate

  bool operator==(const RedisTlsOptions&) const = default;

  /// Returns these options with the files that `other` names in their place.
  RedisTlsOptions with(const RedisTlsOptions& other) const;
};

}  // namespace firstcome::net
