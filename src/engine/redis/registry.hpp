// Which sales a store has, as one node knows it: the id, the handle and the phase of each, read again when the list has
// changed. Also whether the store is still the one that this node has served from the beginning.
#pragma once

#include "engine/reservation_id.hpp"
#include "net/redis/client.hpp"

#include <firstcome/engine.hpp>

#include <chrono>
#include <cstdint>
#include <expected>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace firstcome::engine {

/// `making`: entered, its keys may not be there yet. `erasing`: its keys may be gone already.
enum class SalePhase : std::uint8_t { making, open, erasing };

struct RegisteredSale {
  SaleHandle handle{};
  SalePhase phase = SalePhase::making;
};

/// Not thread-safe: on the client's executor only. Its callbacks come from there, never from inside a call.
class Registry {
 public:
  using SteadyTime = std::chrono::steady_clock::time_point;
  using Done = std::move_only_function<void(std::expected<void, Failure>)>;
  using Entered = std::move_only_function<void(std::expected<RegisteredSale, Failure>)>;

  explicit Registry(net::RedisClient& client) : client_(client) {}

  /// Reads the store; makes one, with this id and secret, where there is none.
  void found(const std::string& store, const StoreSecret& secret, SteadyTime deadline, Done done);
  /// Reads the list again. Those who ask while that is under way share the next one's answer.
  /// Failures: store_lost (the store is empty, or another one), store_unavailable.
  void refresh(SteadyTime deadline, Done done);
  /// Gives a sale a handle; the one it has, where it is there.
  void enter(const std::string& id, SteadyTime deadline, Entered done);
  /// Nothing: takes it out.
  void set_phase(const std::string& id, SaleHandle handle, std::optional<SalePhase> phase, SteadyTime deadline,
                 Done done);

  /// Tells one deletion of a sale from another that is begun later.
  using Deletion = std::string;
  /// Asks which deletion of the sale is under way, or was. Not called: no answer came.
  void ask_deletion(const std::string& id, SteadyTime deadline, std::move_only_function<void(Deletion)> done);
  /// Ends a deletion that nobody goes on with: as `set_phase`, only if that very one is still under way. Tells nobody:
  /// `refresh` shows it.
  void end_deletion(const std::string& id, SaleHandle handle, std::optional<SalePhase> phase, const Deletion& deletion,
                    SteadyTime deadline);

  const RegisteredSale* find(const std::string& id) const;
  /// The id of a sale; empty: there is none with that handle.
  const std::string& id_of(SaleHandle handle) const;
  /// By id.
  const std::map<std::string, RegisteredSale>& sales() const { return by_id_; }
  const std::string& store() const { return store_; }
  const StoreSecret& secret() const { return secret_; }

 private:
  void ask(net::RedisCommand command, SteadyTime deadline, Done done);
  std::expected<void, Failure> take(const net::RedisReply& reply);
  void enter_known(const std::string& id, RegisteredSale sale);

  net::RedisClient& client_;
  std::string store_;
  StoreSecret secret_{};
  std::string version_;
  std::map<std::string, RegisteredSale> by_id_;
  std::unordered_map<std::uint64_t, std::string> by_handle_;

  struct Waiter {
    SteadyTime deadline;
    Done done;
  };
  bool refreshing_ = false;
  std::vector<Waiter> waiters_;  // for the next one
  std::shared_ptr<char> alive_ = std::make_shared<char>();
};

/// What a failure of Redis means to those who asked.
Failure failure_of(const net::RedisFailure& failure);
/// The server answers, but serves nobody now; a later attempt may be served.
bool passes(const net::RedisFailure& failure);
/// Of a question that changes nothing: its connection broke, and there is time left.
bool is_worth_repeating(const net::RedisResult& result, Registry::SteadyTime deadline);

}  // namespace firstcome::engine
