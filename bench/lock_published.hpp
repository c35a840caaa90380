// The locks of Redisson as published, RLock and RFairLock, over our own transport: what ours are compared with.
//
// They do what the Java client does, command by command: a try, a subscription, another try, a wait for a message or
// the end of the holder's lease, one waiter woken in each process by each message; at a release the latch that makes it
// repeatable, and the latch's deletion. RFairLock adds its queue and a channel of each waiter's own, which is
// subscribed for one wait. Nothing is done here about failures: the benchmark has none.
#pragma once

#include "lock/backend.hpp"

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

namespace firstcome::bench {

enum class PublishedKind : std::uint8_t { rlock, rfairlock };

/// A space like any other, on a thread of its own. `deletions` counts the DELs it sends, which a server's statistics
/// cannot tell from those inside scripts; it must outlive the space.
std::unique_ptr<LockSpace> open_published_locks(const std::string& url, PublishedKind kind,
                                                std::atomic<std::uint64_t>& deletions);

}  // namespace firstcome::bench
