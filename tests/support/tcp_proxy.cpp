#include "support/tcp_proxy.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <list>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

namespace firstcome::testing {

namespace {

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

void reset(int fd) {
  const linger now{1, 0};
  ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
  ::close(fd);
}

bool send_all(int fd, const char* bytes, std::size_t size) {
  while (size > 0) {
    const ssize_t sent = ::send(fd, bytes, size, MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes += sent;
    size -= static_cast<std::size_t>(sent);
  }
  return true;
}

}  // namespace

// One thread forwards; calls change the state under the mutex and wake it, so it never forwards by an old state.
struct TcpProxy::Impl {
  struct Pair {
    int client;
    int server;
    bool torn = false;           ///< bytes of it have vanished, so that nothing more may follow
    bool stalled_there = false;  ///< to the server
    bool stalled_back = false;   ///< to the client
  };

  explicit Impl(std::uint16_t port) : target(port), listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address = loopback(0);
    socklen_t size = sizeof address;
    if (::bind(listener, reinterpret_cast<sockaddr*>(&address), size) != 0 || ::listen(listener, 128) != 0 ||
        ::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
      throw std::runtime_error("the proxy cannot listen");
    }
    own = ntohs(address.sin_port);
    thread = std::thread([this] { run(); });
  }

  ~Impl() {
    {
      const std::lock_guard hold(mutex);
      ended = true;
    }
    notify();
    thread.join();
    reset_all();
    ::close(listener);
    ::close(wake);
  }

  void notify() const {
    const std::uint64_t one = 1;
    [[maybe_unused]] const ssize_t written = ::write(wake, &one, sizeof one);
  }

  void reset_all() {
    for (const Pair& pair : pairs) {
      reset(pair.client);
      reset(pair.server);
    }
    pairs.clear();
  }

  void reset_torn() {
    std::erase_if(pairs, [](const Pair& pair) {
      if (!pair.torn) return false;
      reset(pair.client);
      reset(pair.server);
      return true;
    });
  }

  void accept_one() {
    const int client = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
    if (client < 0) return;
    ++accepted;
    if (refusing) return reset(client);
    const int server = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const sockaddr_in address = loopback(target);
    if (::connect(server, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
      ::close(server);
      return reset(client);
    }
    const int on = 1;
    ::setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    ::setsockopt(server, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    pairs.push_back({client, server});
  }

  /// False: that connection is at its end.
  bool forward(Pair& pair, Direction direction) {
    const int from = direction == Direction::to_server ? pair.client : pair.server;
    const int to = direction == Direction::to_server ? pair.server : pair.client;
    std::array<char, 65'536> bytes;
    std::size_t most = bytes.size();
    const bool counting = cut_left && cut_direction == direction;
    if (counting && *cut_left < most) most = *cut_left + 1;
    const bool stalls = stall_left && stall_direction == direction;
    if (stalls) most = std::min(most, *stall_left);
    const ssize_t got = ::recv(from, bytes.data(), most, 0);
    if (got <= 0) return false;
    if (dropping == direction) {
      pair.torn = true;
      return true;
    }
    auto size = static_cast<std::size_t>(got);
    if (stalls && (*stall_left -= size) == 0) {
      stall_left.reset();
      (direction == Direction::to_server ? pair.stalled_there : pair.stalled_back) = true;
    }
    if (counting && size > *cut_left) {
      send_all(to, bytes.data(), *cut_left);
      cut_left.reset();
      cut_now = true;
      return true;
    }
    if (counting) *cut_left -= size;
    return send_all(to, bytes.data(), size);
  }

  /// What has come already, and was to vanish, vanishes: this thread may not have got round to it yet.
  void drop_what_has_come() {
    std::array<char, 65'536> bytes;
    for (Pair& pair : pairs) {
      const int from = dropping == Direction::to_server ? pair.client : pair.server;
      while (::recv(from, bytes.data(), bytes.size(), MSG_DONTWAIT) > 0) pair.torn = true;
    }
  }

  void forward_ready(const std::vector<pollfd>& ready) {
    std::size_t at = 2;
    for (auto pair = pairs.begin(); pair != pairs.end() && at + 1 < ready.size(); at += 2) {
      bool alive = true;
      if (ready[at].revents != 0) alive = forward(*pair, Direction::to_server);
      if (alive && ready[at + 1].revents != 0) alive = forward(*pair, Direction::to_client);
      if (alive) {
        ++pair;
        continue;
      }
      reset(pair->client);
      reset(pair->server);
      pair = pairs.erase(pair);
    }
    if (std::exchange(cut_now, false)) reset_all();
  }

  void run() {
    for (;;) {
      std::vector<pollfd> waits{{wake, POLLIN, 0}, {listener, POLLIN, 0}};
      std::uint64_t seen = 0;
      {
        const std::lock_guard hold(mutex);
        if (ended) return;
        seen = changes;
        for (const Pair& pair : pairs) {
          if (stalled) break;
          constexpr int nobody = -1;
          waits.push_back({pair.stalled_there ? nobody : pair.client, POLLIN, 0});
          waits.push_back({pair.stalled_back ? nobody : pair.server, POLLIN, 0});
        }
      }
      ::poll(waits.data(), waits.size(), -1);
      std::uint64_t count = 0;
      if (waits[0].revents != 0) [[maybe_unused]]
        const ssize_t got = ::read(wake, &count, sizeof count);
      const std::lock_guard hold(mutex);
      if (changes != seen) continue;  // what was waited for may have gone
      forward_ready(waits);
      if (waits[1].revents != 0) accept_one();
    }
  }

  template <typename Change>
  void change(Change what) {
    {
      const std::lock_guard hold(mutex);
      what();
      ++changes;
    }
    notify();
  }

  std::mutex mutex;  // protects what follows, but for what never changes
  std::uint16_t target;
  const int listener;
  const int wake = ::eventfd(0, EFD_CLOEXEC);
  std::uint16_t own = 0;
  std::list<Pair> pairs;
  std::uint64_t changes = 0;
  std::size_t accepted = 0;
  bool stalled = false;
  bool refusing = false;
  bool ended = false;
  bool cut_now = false;
  std::optional<Direction> dropping;
  std::optional<std::size_t> cut_left;
  Direction cut_direction = Direction::to_server;
  std::optional<std::size_t> stall_left;
  Direction stall_direction = Direction::to_server;
  std::thread thread;
};

TcpProxy::TcpProxy(std::uint16_t server_port) : impl_(std::make_unique<Impl>(server_port)) {}
TcpProxy::~TcpProxy() = default;

std::uint16_t TcpProxy::port() const { return impl_->own; }

void TcpProxy::cut() {
  impl_->change([this] { impl_->reset_all(); });
}

void TcpProxy::cut_after(std::size_t bytes, Direction direction) {
  impl_->change([this, bytes, direction] {
    impl_->cut_left = bytes;
    impl_->cut_direction = direction;
  });
}

void TcpProxy::stall_after(std::size_t bytes, Direction direction) {
  impl_->change([this, bytes, direction] {
    impl_->stall_left = bytes;
    impl_->stall_direction = direction;
  });
}

void TcpProxy::stall() {
  impl_->change([this] { impl_->stalled = true; });
}

void TcpProxy::drop(Direction direction) {
  impl_->change([this, direction] { impl_->dropping = direction; });
}

void TcpProxy::refuse() {
  impl_->change([this] { impl_->refusing = true; });
}

void TcpProxy::resume() {
  impl_->change([this] {
    if (impl_->dropping) impl_->drop_what_has_come();
    impl_->stalled = impl_->refusing = false;
    impl_->dropping.reset();
    impl_->reset_torn();
    impl_->cut_left.reset();
    impl_->stall_left.reset();
    for (Impl::Pair& pair : impl_->pairs) pair.stalled_there = pair.stalled_back = false;
  });
}

void TcpProxy::aim_at(std::uint16_t server_port) {
  impl_->change([this, server_port] { impl_->target = server_port; });
}

std::size_t TcpProxy::standing_still() const {
  const std::lock_guard hold(impl_->mutex);
  const auto stands = [](const Impl::Pair& pair) { return pair.stalled_there || pair.stalled_back; };
  return static_cast<std::size_t>(std::ranges::count_if(impl_->pairs, stands));
}

std::size_t TcpProxy::accepted() const {
  const std::lock_guard hold(impl_->mutex);
  return impl_->accepted;
}

}  // namespace firstcome::testing
