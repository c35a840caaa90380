// How the leases are kept that clients of the lock service name: by this server alone, or where the locks are, so that
// every server knows them.
#pragma once

#include <firstcome/engine.hpp>
#include <firstcome/lock_space.hpp>

#include <cstddef>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>

namespace firstcome::engine {

/// Not thread-safe: lives on the thread on which `Post` runs tasks, where everything is answered, later than the call.
class ClientLeases {
 public:
  using Post = std::function<void(std::move_only_function<void()>)>;
  using Said = std::expected<Answer, Failure>;
  using Done = std::move_only_function<void(Said)>;
  static constexpr Milliseconds usual_retry{1'000};  ///< of `locked`

  struct Name {
    std::string lock;
    std::string lease;
    bool operator==(const Name&) const = default;
  };
  struct HashOfName {
    std::size_t operator()(const Name& name) const {
      return std::hash<std::string>()(name.lock) ^ (std::hash<std::string>()(name.lease) << 1U);
    }
  };
  struct Wanted {
    Name name;
    Milliseconds length{};
    Milliseconds wait{};
    std::stop_token stop;
  };

  ClientLeases() = default;
  ClientLeases(const ClientLeases&) = delete;
  ClientLeases& operator=(const ClientLeases&) = delete;
  virtual ~ClientLeases() = default;

  /// Its grant, where it is known here that it has the lock.
  virtual std::optional<LockAnswer> known(const Name& name) = 0;
  /// The grant, `locked`, or a failure.
  virtual void acquire(Wanted wanted, Done done) = 0;
  /// The grant, prolonged by its length; `lease_lost`, or a failure.
  virtual void renew(const Name& name, Done done) = 0;
  /// `done`, `lease_lost`, or a failure.
  virtual void release(const Name& name, Done done) = 0;
};

/// Returns leases that are kept where the locks are, if this kind of lock can do that (`LockTraits::named_leases`).
/// Otherwise this server keeps them, and they are unknown to other servers. REQUIRES: not used after the space has
/// gone.
std::unique_ptr<ClientLeases> make_client_leases(LockSpace& space, ClientLeases::Post post);

}  // namespace firstcome::engine
