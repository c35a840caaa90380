// Finding the addresses of a host, in a way that can be given up at any moment.
//
// The system's resolver cannot be interrupted: where a name server does not answer, it blocks its thread for half a
// minute. So each look-up runs in a thread of its own, which nobody waits for, and whoever asks again for the same name
// meanwhile shares it.
#pragma once

#include "net/http_client.hpp"

#include <boost/asio/ip/address.hpp>
#include <boost/system/error_code.hpp>

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace firstcome::net {

struct HostAddresses {
  boost::system::error_code error = {};  ///< set: there are no addresses
  std::vector<boost::asio::ip::address> addresses = {};
};

/// Blocks until the addresses of a host are known, or are known not to be. Called from any thread.
using LookUpHost = std::function<HostAddresses(const std::string& host)>;

/// One look-up. Its end gives up the answer at once. Not thread-safe: use on the executor's thread only.
class HostLookup {
 public:
  using Found = std::move_only_function<void(HostAddresses found)>;

  /// Begins. `found` is called once, from the executor, unless this object has ended before. `look_up` empty: the
  /// system's resolver.
  HostLookup(IoExecutor executor, const std::string& host, Found found, LookUpHost look_up = {});
  ~HostLookup();
  HostLookup(HostLookup&&) noexcept = default;
  HostLookup& operator=(HostLookup&& other) noexcept;

 private:
  friend class HostLookups;
  struct Asker;
  std::shared_ptr<Asker> asker_;
};

}  // namespace firstcome::net
