#include "net/host_lookup.hpp"

#include <boost/asio/error.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <map>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>

namespace firstcome::net {

namespace asio = boost::asio;

namespace {

boost::system::error_code error_of(int code) {
  if (code == EAI_SYSTEM) return {errno, boost::system::system_category()};
  if (code == EAI_MEMORY) return asio::error::no_memory;
  if (code == EAI_AGAIN) return asio::error::host_not_found_try_again;
  return asio::error::host_not_found;
}

std::optional<asio::ip::address> address_of(const sockaddr& socket) {
  if (socket.sa_family == AF_INET) {
    sockaddr_in in{};
    std::memcpy(&in, &socket, sizeof in);
    return asio::ip::address_v4(ntohl(in.sin_addr.s_addr));
  }
  if (socket.sa_family != AF_INET6) return std::nullopt;
  sockaddr_in6 in{};
  std::memcpy(&in, &socket, sizeof in);
  asio::ip::address_v6::bytes_type bytes{};
  std::memcpy(bytes.data(), &in.sin6_addr, bytes.size());
  return asio::ip::address_v6(bytes, in.sin6_scope_id);
}

HostAddresses ask_system(const std::string& host) {
  addrinfo wanted{};
  wanted.ai_socktype = SOCK_STREAM;
  wanted.ai_flags = AI_ADDRCONFIG;
  addrinfo* found = nullptr;
  if (const int code = ::getaddrinfo(host.c_str(), nullptr, &wanted, &found); code != 0)
    return {.error = error_of(code)};
  HostAddresses result;
  for (const addrinfo* one = found; one != nullptr; one = one->ai_next) {
    if (const auto address = address_of(*one->ai_addr)) result.addresses.push_back(*address);
  }
  ::freeaddrinfo(found);
  if (result.addresses.empty()) result.error = asio::error::host_not_found;
  return result;
}

}  // namespace

/// Whoever waits for an answer. Shared by the look-up's thread.
struct HostLookup::Asker {
  Asker(IoExecutor executor, Found given) : found(std::move(given)), work(asio::make_work_guard(executor)) {}

  std::mutex mutex;  // protects what follows; an io_context that is posted to lives as long as the asker has not gone
  Found found;       // empty: it has gone, or has its answer
  asio::executor_work_guard<IoExecutor> work;
};

/// The look-ups that run in this process. Never destroyed: their threads may outlive the end of `main`.
class HostLookups {
 public:
  static HostLookups& all() {
    static auto* const instance = new HostLookups;
    return *instance;
  }

  void ask(const std::string& host, std::shared_ptr<HostLookup::Asker> asker, LookUpHost look_up) {
    const Key key{::getpid(), host};  // a child that was forked has no thread of its parent's
    {
      const std::lock_guard guard(mutex_);
      auto& askers = running_[key];
      askers.push_back(asker);
      if (askers.size() > 1) return;
    }
    try {
      std::thread([this, key, look_up = std::move(look_up)] {
        answer(key, look_up ? look_up(key.second) : ask_system(key.second));
      }).detach();
    } catch (const std::system_error&) {
      answer(key, {.error = asio::error::no_memory});
    }
  }

 private:
  using Key = std::pair<pid_t, std::string>;

  void answer(const Key& key, const HostAddresses& found) {
    std::vector<std::shared_ptr<HostLookup::Asker>> askers;
    {
      const std::lock_guard guard(mutex_);
      askers = std::move(running_[key]);
      running_.erase(key);
    }
    for (const auto& asker : askers) tell(asker, found);
  }

  static void tell(const std::shared_ptr<HostLookup::Asker>& asker, const HostAddresses& found) {
    const std::lock_guard guard(asker->mutex);
    if (!asker->found) return;
    asio::post(asker->work.get_executor(), [asker, found] {
      HostLookup::Found wanted;
      {
        const std::lock_guard inner(asker->mutex);
        wanted = std::exchange(asker->found, nullptr);
        asker->work.reset();
      }
      if (wanted) wanted(found);
    });
  }

  std::mutex mutex_;
  std::map<Key, std::vector<std::shared_ptr<HostLookup::Asker>>> running_;  // guarded by mutex_
};

HostLookup::HostLookup(IoExecutor executor, const std::string& host, Found found, LookUpHost look_up)
    : asker_(std::make_shared<Asker>(executor, std::move(found))) {
  HostLookups::all().ask(host, asker_, std::move(look_up));
}

HostLookup& HostLookup::operator=(HostLookup&& other) noexcept {
  HostLookup old(std::move(other));
  std::swap(asker_, old.asker_);
  return *this;
}

HostLookup::~HostLookup() {
  if (!asker_) return;
  Found given_up;
  const std::lock_guard guard(asker_->mutex);
  given_up = std::exchange(asker_->found, nullptr);
  asker_->work.reset();
}

}  // namespace firstcome::net
