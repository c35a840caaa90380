// See engine/random_api.hpp. On Redis a restart is another node.
#include "engine/random_api.hpp"
#include "engine/redis/redis_harness.hpp"
#include "support/rounds.hpp"

#include <gtest/gtest.h>

#include <utility>

namespace firstcome::test {
namespace {

struct RedisSubject {
  static constexpr bool has_locks = false;
  static constexpr bool has_feed = false;

  RedisSubject() { harness.stop_clocks(); }

  template <class C>
  std::expected<typename C::Answer, Failure> ask(C command) {
    Asked asked;
    asked.command = std::move(command);
    harness.engine().submit(asked);
    harness.finish(asked);
    if (!asked.answer) return std::unexpected(asked.answer.error());
    return std::get<typename C::Answer>(std::move(*asked.answer));
  }
  Instant now() const { return harness.now(); }
  void advance(Milliseconds by) { harness.advance(by); }
  void reopen() { harness.reopen(); }

  RedisHarness harness;
};

TEST(RedisRestartProperty, WhateverTheApiAcceptsIsSeenByAnotherNode) {
  FIRSTCOME_NEEDS_REDIS();
  const std::uint64_t first = testing::seed();
  const auto rounds = static_cast<std::uint64_t>(testing::rounds(10));
  for (std::uint64_t seed = first; seed < first + rounds && !HasFailure(); ++seed) {
    SCOPED_TRACE(fmt::format("repeat with FIRSTCOME_SEED={} FIRSTCOME_ROUNDS=1", seed));
    RandomApi<RedisSubject>{seed}.run(120);
  }
}

}  // namespace
}  // namespace firstcome::test
