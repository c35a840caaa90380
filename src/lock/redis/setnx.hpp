// The lock that most people write first: SET key owner NX PX. Whoever finds it taken tries again after a random pause,
// or not at all.
//
// The key is `firstcome:setnx:{NAME}`, its value the owner. It promises exclusion while the lease lasts and nothing
// else: no order, no tokens (those would need a second key), and a waiter polls. An uncontended acquisition is one
// command, a release another. Needs Redis 7.0 (NX and GET in one SET, which finds the lock that an unanswered try
// took).
#pragma once

#include "lock/redis/owned_key.hpp"

namespace firstcome::lock {

enum class SetnxWait : std::uint8_t { tried_once, spinning };

/// As make_owned_key_locks.
std::expected<std::shared_ptr<LockBackend>, std::string> make_setnx_locks(const net::RedisUrl& url, SetnxWait wait,
                                                                          RedisLockOptions options = {});

/// How it is written, under keys of another kind: `PREFIX{NAME}`.
std::unique_ptr<OwnedKey> make_setnx_key(LockTraits traits, std::string prefix);

}  // namespace firstcome::lock
