// The FIFO lock on Redis: whoever finds it taken gets a ticket; who releases hands it to the first live ticket, in one
// script, and tells that waiter. What the scripts do is in fifo_common.lua, what a client makes of it in fifo_line.hpp.
// Read-write locks and semaphores are the same with many holders (permits_common.lua).
//
// What it cannot promise: exclusion and rising tokens where the server itself loses or repeats a grant (a failover, two
// masters, a step of its clock), or where the holder's process is stopped for longer than its lease; the fence is for
// these (firstcome/fence.hpp). Places in the queue over a failover: the wait goes on with a new ticket.
#pragma once

#include "lock/backend.hpp"
#include "lock/redis/fifo_scripts.hpp"
#include "net/redis/client.hpp"

#include <expected>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace firstcome::lock {

struct FifoOptions {
  net::RedisOptions redis = {};
  FifoTimes times = {};
  std::size_t replicas = 0;                       ///< see LockSettings::replicas
  Milliseconds request_limit{3'000};              ///< for each command; an answer that comes later is none
  FifoScripts scripts = FifoScripts::standard();  ///< for tests
  PermitScripts permit_scripts = PermitScripts::standard();
};

/// A backend with one thread, one connection for commands and one inbox. Connects by itself. The error: the URL is none
/// for one client, or its TLS files cannot be read.
std::expected<std::shared_ptr<LockBackend>, std::string> make_fifo_locks(const net::RedisUrl& url,
                                                                         FifoOptions options = {});

/// A space of its own over it. Thread safety, and what its end does: as LockSpace says.
std::expected<std::unique_ptr<LockSpace>, std::string> make_fifo_lock_space(const net::RedisUrl& url,
                                                                            LockSettings settings = {},
                                                                            FifoOptions options = {});

/// Returns the names of all FIFO locks, read-write locks and semaphores there, held or not: one is remembered for an
/// hour after it was last held. Sorted by kind, then by name. Blocks for `limit` at most. Cost: looks at all keys of
/// the server, in small steps.
std::expected<std::vector<ShareName>, LockFailure> list_fifo_locks(const net::RedisUrl& url,
                                                                   Milliseconds limit = Milliseconds{5'000});

}  // namespace firstcome::lock
