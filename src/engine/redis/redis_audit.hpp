// Counts a sale in Redis again, from its stored reservations, while it goes on selling.
//
// Mechanism: pages of records are read one after the other, each as it is at its own instant. Then, again and again,
// the records that the outbox tells changed meanwhile; the last of these replies also has the sale's counters, and all
// records together are what they were at its instant. Where events that tell so were trimmed meanwhile, it begins
// again.
#pragma once

#include "engine/redis/sale_desk.hpp"

#include <cstdint>
#include <memory>
#include <vector>

namespace firstcome::engine {

/// Not thread-safe: on the client's executor only. Destroy it only when it is done, or when its desk is gone.
class RedisAudit : public std::enable_shared_from_this<RedisAudit> {
 public:
  using Done = std::move_only_function<void(std::expected<AuditAnswer, Failure>)>;
  RedisAudit(std::shared_ptr<SaleDesk> desk, AuditSale::Depth depth, Done done);

  /// `done` is called once. Cost: about 2 us of the server's time a reservation, in pieces of a millisecond; 32 bytes a
  /// reservation here meanwhile.
  void start();

 private:
  class Page;
  /// What of a record is counted.
  struct Fact {
    Instant created_at{};
    std::uint64_t customer = 0;  ///< a hash
    std::uint32_t quantity = 0;
    ReservationState state{};  ///< none: it was not there
  };

  void ask();
  void take(const CountedPage& page, const CallHead& head);
  void finish(const CountedPage& page, const CallHead& head);
  void begin_again();
  void fail(const Failure& failure);

  const std::shared_ptr<SaleDesk> desk_;
  const AuditSale::Depth depth_;
  Done done_;
  std::vector<Fact> facts_;
  std::uint64_t next_ = 1;           // the first that was not read
  std::uint64_t last_ = UINT64_MAX;  // the last there is, from the first reply on
  int attempts_ = 0;
  std::uint64_t events_seen_ = 0;  // all that changed up to it is in the facts
};

}  // namespace firstcome::engine
