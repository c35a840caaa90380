// Redlock: a lock on N independent Redis servers, which is held by whoever has it on most of them.
//
// As published: SET NX PX on all of them at once; held where a majority said yes within the time that counts, which is
// the lease less what asking took, less 1 % and 2 ms for drifting clocks; else, and at the end, released on all of
// them. What is asked of a server that is slow or gone costs nothing as long as the others are a majority.
//
// There are no tokens, and LockTraits says so: no server sees every grant, so nothing that rises can be counted. A
// holder that is paused beyond its lease cannot be fenced off. And it holds only as long as no server forgets a lock
// that it granted: each must sync its append-only file always, or stay away for the longest lease after a restart.
// The key on each server is `firstcome:redlock:{NAME}`, its value the owner and the number of the
// attempt. Who finds it taken tries again after a
// random pause.
#pragma once

#include "lock/redis/owned_key.hpp"

#include <vector>

namespace firstcome::lock {

struct RedlockOptions {
  RedisLockOptions each = {};
  Milliseconds round_limit{1'000};  ///< for a majority; who has not answered by then counts as down
  /// The same of an acquire: longer than connecting takes, so that it is known what is wrong.
  Milliseconds attempt_limit{2'500};
};

/// For `redlock://h1,h2,h3`. The error: the URL is of another kind, or TLS files cannot be read.
std::expected<std::shared_ptr<LockBackend>, std::string> make_redlock_locks(const net::RedisUrl& url,
                                                                            RedlockOptions options = {});

}  // namespace firstcome::lock
