// What the failures of Redis mean for a lock.
#pragma once

#include "net/redis/reply.hpp"

#include <firstcome/lock.hpp>

namespace firstcome::lock {

/// What a failed command means: `broken` only where it may have been carried out.
LockFailure lock_failure(const net::RedisFailure& failure);

}  // namespace firstcome::lock
