// An engine whose lock service stands elsewhere: lock commands go to a LockSpace (Redis, say), all others to the engine
// below. So many servers share locks.
//
// A lease that waits and asks again keeps its place, as in the embedded engine. Where the space keeps named leases
// (`fifo` on Redis), every server renews and releases what was acquired through any, and a server that ends leaves them
// as they are. Else whoever acquires through one server renews and releases through the same: elsewhere the lease is
// not known (`lease_lost`); a server that ends leaves its leases to lapse.
#pragma once

#include "engine/client_leases.hpp"

#include <firstcome/engine.hpp>
#include <firstcome/lock_space.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <unordered_map>
#include <vector>

namespace firstcome::engine {

/// Thread safety: as Engine, but lock commands come from one thread only, the one on which `post` runs tasks and on
/// which they are completed.
class EngineWithLocks final : public Engine {
 public:
  using Post = ClientLeases::Post;
  EngineWithLocks(Engine& below, std::unique_ptr<LockSpace> space, Post post);
  ~EngineWithLocks() override;

  void submit(Operation& operation) override;
  Readiness readiness() const override { return below_.readiness(); }
  std::string_view name() const override { return below_.name(); }
  void on_payment_work(std::function<void()> notify) override { below_.on_payment_work(std::move(notify)); }

  /// Ends the space. What was asked for before posts nothing more when this returns: what then still waits for an
  /// answer is completed by nobody. So it is to be called when those who asked are gone, or have answers that were
  /// posted already. Lock commands that come later are answered `store_unavailable`.
  void close();

 private:
  /// One request that waits. The same lease may ask again meanwhile: then both wait in the same place.
  struct Asker {
    Operation* operation = nullptr;
    BootTime until;
  };
  struct Wait {
    std::vector<Asker> askers;  ///< their ends rise
    ClientLeases::Name name;
    Milliseconds length{};  ///< as asked for last; what is under way keeps the length that it was sent with
    std::stop_source stop;
    BootTime until;             ///< when the request that is under way has waited long enough
    std::size_t asked_for = 0;  ///< how many of the askers were there when it was sent
    bool asks_again = false;    ///< it was stopped only to ask again at once
  };
  void apply(Operation& operation, const AcquireLock& command);
  void apply(Operation& operation, const RenewLock& command);
  void apply(Operation& operation, const ReleaseLock& command);
  void apply(Operation& operation, const LeaveLock& command);
  void apply(Operation& operation, const InspectLock& command);
  void apply(Operation& operation, const FreeLock& command);
  void wait_for_lock(std::uint64_t id);
  void waited(std::uint64_t id, ClientLeases::Said said);
  void leave(const ClientLeases::Name& name);
  void ask_again(const ClientLeases::Name& name);
  static std::vector<Asker> take_answered(Wait& wait, const ClientLeases::Said& said);
  static void tell(const std::vector<Asker>& askers, const ClientLeases::Said& said);
  void answer_later(Operation& operation, std::expected<Answer, Failure> answer);

  Engine& below_;
  std::unique_ptr<LockSpace> space_;
  const Post post_;
  const std::unique_ptr<ClientLeases> leases_;
  std::uint64_t last_wait_ = 0;
  std::unordered_map<std::uint64_t, Wait> waits_;
  std::unordered_map<ClientLeases::Name, std::uint64_t, ClientLeases::HashOfName>
      waiting_;  ///< the latest wait of a lease
};

}  // namespace firstcome::engine
