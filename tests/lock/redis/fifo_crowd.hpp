// Processes that fight for one FIFO lock, what they leave behind in Redis, and what is wrong with it.
#pragma once

#include "lock/redis/fifo.hpp"
#include "support/child_process.hpp"
#include "support/redis_server.hpp"

#include <firstcome/lock_space.hpp>

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

/// What a holder does: offers its token to the fence, which writes accepted ones into the list `accepted` and counts
/// the others in `refused`; writes its token into `unfenced` as somebody without a fence would; then, if it still
/// believes in its lease, writes "TOKEN FROM TO" into `spans`: it believed in it from then to then.
void use_lease(Wire& wire, const Lease& lease);

/// What a child does. As FIRSTCOME_CROWD in the environment: "PORT WHAT".
enum class CrowdWork : std::uint8_t {
  hold,   ///< waits for the lock, says "got", and keeps it
  count,  ///< 16 threads take it in turns and write their owners into `got`, until `left` is 0
  fire,   ///< 16 threads use it and are impatient at times, until killed
};

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
};
Findings look_at(const firstcome::testing::RedisServer& server);

}  // namespace firstcome::lock::test
