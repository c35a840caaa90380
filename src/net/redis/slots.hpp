// Which node of a cluster has which key, and what to do about a cluster's refusals. Pure.
#pragma once

#include "net/redis/reply.hpp"
#include "net/redis/url.hpp"

#include <chrono>
#include <cstdint>
#include <expected>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace firstcome::net {

inline constexpr unsigned redis_slots = 16'384;

/// The slot of a key: CRC16 (XMODEM) of it, or of what stands between its first '{' and the next '}', where that is not
/// empty; modulo 16384. As in the Redis Cluster specification.
unsigned key_slot(std::string_view key);

/// The master of each slot.
class RedisSlotMap {
 public:
  /// Reads the answer to CLUSTER SLOTS. A node without a host of its own is the one that was asked. The error says what
  /// is wrong with it.
  static std::expected<RedisSlotMap, std::string> read(const RedisReply& reply, const RedisAddress& asked);

  /// nullptr: nobody's, as far as is known.
  const RedisAddress* owner(unsigned slot) const;

  using TimePoint = std::chrono::steady_clock::time_point;
  /// Takes what MOVED said at `now`. The server that had the slot knows best who has it.
  void learn(unsigned slot, const RedisAddress& address, TimePoint now);
  /// Takes another map in place of this one, but for what MOVED said in the last seconds: the server that gave the map
  /// may not have heard of that yet.
  void adopt(RedisSlotMap other, TimePoint now);
  /// Forgets what MOVED said of a server that cannot be reached: the next map decides.
  void forget_learnt(const RedisAddress& address);
  std::set<RedisAddress> masters() const;
  bool empty() const { return nodes_.empty(); }

 private:
  struct Learnt {
    RedisAddress address;
    TimePoint at;
  };

  std::uint16_t index_of(const RedisAddress& address);

  std::vector<RedisAddress> nodes_;
  std::map<unsigned, Learnt> learnt_;                                               // by slot
  std::vector<std::uint16_t> owners_ = std::vector<std::uint16_t>(redis_slots, 0);  // index in nodes_, plus one
};

/// What a failure of a command in a cluster asks for. All but `give` are only for commands that surely did not run.
struct RedisVerdict {
  enum class What : std::uint8_t {
    give,     ///< it is the caller's
    moved,    ///< the slot is at `address` from now on: send it there
    ask,      ///< this once send it to `address`, after ASKING
    again,    ///< after a pause: the keys of the command are being moved (TRYAGAIN)
    refresh,  ///< after a pause: the cluster or the node is not ready; find out who has the slot
  };
  What what = What::give;
  unsigned slot = 0;
  RedisAddress address = {};
};

/// `asked` is the node that gave it: MOVED without a host means that node, with another port.
RedisVerdict judge(const RedisFailure& failure, const RedisAddress& asked);

}  // namespace firstcome::net
