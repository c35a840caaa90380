// The scripts of the Redis engine. Their texts are the .lua files beside this one.
#pragma once

#include "net/redis/command.hpp"

namespace firstcome::engine {

struct SaleScripts {
  net::RedisScript create;    ///< sale_create.lua
  net::RedisScript decide;    ///< sale_decide.lua
  net::RedisScript outbox;    ///< sale_outbox.lua
  net::RedisScript registry;  ///< sale_registry.lua
  net::RedisScript past;      ///< sale_past.lua

  static const SaleScripts& standard();
};

}  // namespace firstcome::engine
