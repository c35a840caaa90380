// Stock and orders in plain Redis keys, those of a sale with one hash tag.
#pragma once

#include "engine/guarded/guard.hpp"
#include "engine/guarded/inventory.hpp"
#include "engine/guarded/redis/redis_caller.hpp"

#include <memory>

namespace firstcome::engine {

/// REQUIRES: the inventory is a RedisUrl that fits the guard (problem_of). `redis` is shared by the sessions of a node.
std::unique_ptr<InventorySession> make_redis_inventory(const NodeParts& parts, std::shared_ptr<RedisCaller> redis);

}  // namespace firstcome::engine
