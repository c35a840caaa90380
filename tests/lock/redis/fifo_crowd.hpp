// Processes that fight for one lock, what they do to the resource that it guards, and what is wrong with that.
#pragma once

#include "lock/redis/fifo.hpp"
#include "support/child_process.hpp"
#include "support/redis_server.hpp"

#include <firstcome/open_locks.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

struct redisContext;

namespace firstcome::lock::test {

/// A blocking connection.
class Wire {
 public:
  explicit Wire(std::uint16_t port);
  /// Text, also of a number; empty where it failed.
  std::string ask(const std::vector<std::string>& arguments);

 private:
  struct Free {
    void operator()(redisContext* context) const;
  };
  std::unique_ptr<redisContext, Free> context_;
};

inline constexpr const char* crowd_lock = "crowd";

std::unique_ptr<LockSpace> fifo_space(std::uint16_t port, FifoOptions options = {}, LockSettings settings = {});

/// The scripts, also writing down each owner when it gets its ticket, in the list `tickets`.
FifoScripts with_tickets_written(const FifoScripts& scripts);

/// What a holder does with the resource: reads two counters, takes its time, and writes each plus one; `fenced` only
/// where the fence takes its token both times, `plain` always. A write that undoes somebody else's counts in
/// `fenced_lost` or `plain_lost`. On the way the fence's verdicts go into the list `accepted` and the count `refused`;
/// the token into `unfenced`, as somebody without a fence would take it; the process into `holder`; and, if it still
/// believes in its lease, "TOKEN FROM TO" into `spans`: it believed in it from then to then.
enum class Pace : std::uint8_t { brisk, slow };
void use_lease(Wire& wire, const Lease& lease, Pace pace = Pace::brisk);

/// What a child does.
enum class CrowdWork : std::uint8_t {
  hold,   ///< waits for the lock, says "got", and keeps it
  count,  ///< 16 threads take it in turns and write their owners into `got`, until `left` is 0
  fire,   ///< 16 threads use it and are impatient at times, until killed
  slow,   ///< likewise, each for 20 ms, so that it can be caught at it
};

struct CrowdPlace {
  std::string url;  ///< of the lock
  LockKind kind = LockKind::fifo;
  std::uint16_t resource;  ///< the Redis where it is
};

std::unique_ptr<firstcome::testing::ChildProcess> start_crowd(const CrowdPlace& place, CrowdWork work);
/// With lock and resource on one server.
std::unique_ptr<firstcome::testing::ChildProcess> start_crowd(std::uint16_t port, CrowdWork work);

/// What is wrong in the lists.
struct Findings {
  std::size_t uses = 0;
  std::size_t overlaps = 0;        ///< two leases believed in at one time
  std::size_t lower_tokens = 0;    ///< that the fence let pass
  std::size_t equal_tokens = 0;    ///< given to two
  std::size_t out_of_order = 0;    ///< a lower token believed in later
  std::size_t unfenced_lower = 0;  ///< what a resource without a fence would have taken
  std::size_t refused = 0;
  std::size_t fenced_lost = 0;  ///< writes undone, with a fence
  std::size_t plain_lost = 0;   ///< and without
};
Findings look_at(const firstcome::testing::RedisServer& server);

}  // namespace firstcome::lock::test
