// What tests of the leases of clients over many servers share: two servers over one Redis.
#pragma once

#include "engine/lock_server.hpp"
#include "support/redis_server.hpp"

#include <firstcome/open_locks.hpp>

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

namespace firstcome::test {

inline constexpr auto ann = "ann-0123456789-abcdef";
inline constexpr auto bob = "bob-0123456789-abcdef";
inline constexpr auto cid = "cid-0123456789-abcdef";

class SharedLeases : public ::testing::Test {
 protected:
  void SetUp() override {
    FIRSTCOME_NEEDS_REDIS();
    redis = std::make_unique<firstcome::testing::RedisServer>();
    one = server();
    two = server();
  }
  std::unique_ptr<LockServer> server(LockKind kind = LockKind::fifo) { return server_at(redis->port(), kind); }
  std::unique_ptr<LockServer> server_at(std::uint16_t port, LockKind kind = LockKind::fifo) {
    auto space = open_locks("redis://127.0.0.1:" + std::to_string(port), kind);
    return std::make_unique<LockServer>(tasks, std::move(space.value()));
  }
  static AcquireLock acquire(std::string lease, Milliseconds wait = Milliseconds{0},
                             Milliseconds length = Milliseconds{30'000}) {
    return {"a", std::move(lease), length, wait};
  }
  /// Asks until so many wait.
  void wait_for_waiters(std::uint64_t count) {
    EXPECT_TRUE(firstcome::testing::eventually([&] { return two->ask(InspectLock{"a"}).waiting == count; }));
  }
  void expect_free() {
    const LockAnswer seen = two->ask(InspectLock{"a"});
    EXPECT_FALSE(seen.held);
    EXPECT_EQ(seen.waiting, 0U);
  }

  std::unique_ptr<firstcome::testing::RedisServer> redis;
  Tasks tasks;
  std::unique_ptr<LockServer> one;
  std::unique_ptr<LockServer> two;
};

}  // namespace firstcome::test
