// What one node knows of the incarnations of the sales on one Redis, and how it finds out that Redis went back.
//
// A sale has an incarnation from its creation on. It takes a new one when the server that has it was started anew or
// has become another one, because that may have lost answers; and when a node, or another witness, remembers more than
// the sale knows. Then the loss is noted too, and numbers and sequences go on above what is remembered.
//
// `look` does all of that for one sale: before a node's first call, when its connection was made anew, when the sale
// says that it remembers less than the node was answered, and when it says that another node has begun an incarnation.
#pragma once

#include "engine/past.hpp"
#include "engine/redis/registry.hpp"

#include <chrono>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

namespace firstcome::engine {

/// What is to be found out about one sale.
struct PastQuestion {
  SaleHandle sale{};
  std::string sale_id = {};
  std::vector<Memory> memories = {};  ///< of the witness, all of this sale
  std::string witness = {};
  /// When, by the sale's clock, a call was kept that the sale remembers no more. Unless it may have forgotten the node
  /// meanwhile, answers are lost, and an incarnation begins whatever the memories say.
  std::optional<Instant> forgotten_call = {};
  /// An operator deals with the losses.
  std::optional<Loss::Settled> settle = {};
};

struct PastFound {
  bool has_lost_answers = false;  ///< `forgotten_call` should have been remembered
  std::vector<Loss> now;          ///< losses that were found, or settled, just now
  std::vector<Loss> all;
};

/// Not thread-safe, but for what `identity` gives: on the client's executor only.
class RedisPast {
 public:
  using SteadyTime = std::chrono::steady_clock::time_point;
  using Done = std::move_only_function<void(std::expected<PastFound, Failure>)>;

  RedisPast(net::RedisClient& client, const Registry& registry) : client_(client), registry_(registry) {}

  /// Once the store is known. `done` is called once, later.
  void begin(SteadyTime deadline, std::move_only_function<void()> done);
  const std::shared_ptr<StoreIdentity>& identity() const { return identity_; }

  /// `done` is called once, later. Failures: store_unavailable, store_lost where the sale's keys are not there.
  void look(PastQuestion question, SteadyTime deadline, Done done);

  /// Of the server that has the list of sales, as it was last heard; empty: it does not say.
  const std::string& run() const { return run_; }
  /// As it was last looked at.
  Incarnation incarnation_of(SaleHandle sale) const { return incarnations_.last_of(sale).incarnation; }
  ToldNumber told(ReservationRef ref) const { return incarnations_.told(ref); }
  /// What this node remembers, which has counted so far. REQUIRES: looked at before.
  Memory memory_of(SaleHandle sale, const Reached& reached) const;
  const std::vector<Loss>& losses_of(SaleHandle sale) const;
  /// Of all sales, that nobody has settled.
  std::size_t open_losses() const;
  void forget(SaleHandle sale) { known_.erase(value(sale)); }

 private:
  struct Look;
  struct Known {
    std::string eras;  ///< as they stand in the hash
    std::vector<Loss> losses;
  };

  void ask_run(std::shared_ptr<Look> look);
  void ask_sale(std::shared_ptr<Look> look);
  void compare(const std::shared_ptr<Look>& look, const net::RedisReply& reply);
  void change(std::shared_ptr<Look> look);
  void know(const std::shared_ptr<Look>& look);

  net::RedisClient& client_;
  const Registry& registry_;
  std::shared_ptr<StoreIdentity> identity_;
  std::string run_;
  Incarnations incarnations_;
  std::unordered_map<std::uint64_t, Known> known_;  ///< by handle
  std::shared_ptr<char> alive_ = std::make_shared<char>();
};

/// From the system. Never 0.
Incarnation random_incarnation();

}  // namespace firstcome::engine
