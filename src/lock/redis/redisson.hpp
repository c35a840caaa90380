// Locks that are shared with Java programs which use Redisson's RLock: both exclude each other and wake each other up.
//
// The lock is a hash named NAME with one field, `UUID:NUMBER` of its owner, whose value is how often that owner holds
// it; its life is the lease. A release publishes `0` on `redisson_lock__channel:{NAME}`. Ours is a new owner for each
// acquisition and its count is always 1: `Lease::again` is counted here, so that a request that is sent twice never
// counts twice. No order, no tokens, as there.
//
// A waiter is woken by the message, as Redisson's are; where one is lost it looks again at the end of the holder's
// lease and at least every second. A holder that dies is waited for until its lease ends (Redisson's: 30 s by default).
#pragma once

#include "lock/redis/owned_key.hpp"

namespace firstcome::lock {

/// As make_owned_key_locks.
std::expected<std::shared_ptr<LockBackend>, std::string> make_redisson_locks(const net::RedisUrl& url,
                                                                             RedisLockOptions options = {});

}  // namespace firstcome::lock
