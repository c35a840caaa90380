// See engine/random_api.hpp.
#include "engine/embedded/embedded_harness.hpp"
#include "engine/random_api.hpp"
#include "support/rounds.hpp"

#include <gtest/gtest.h>

namespace firstcome::test {
namespace {

struct EmbeddedSubject {
  static constexpr bool has_locks = true;
  static constexpr bool has_feed = true;

  template <class C>
  auto ask(C command) {
    return harness.ask(std::move(command));
  }
  Instant now() { return harness.clock().now(); }
  void advance(Milliseconds by) { harness.advance(by); }
  void reopen() { harness.reopen(); }

  EmbeddedHarness harness{{}, TemporaryFolder::Where::memory};
};

TEST(RestartProperty, WhateverTheApiAcceptsIsThereAfterARestart) {
  const std::uint64_t first = firstcome::testing::seed();
  const auto rounds = static_cast<std::uint64_t>(firstcome::testing::rounds(40));
  for (std::uint64_t seed = first; seed < first + rounds && !HasFailure(); ++seed) {
    SCOPED_TRACE(fmt::format("repeat with FIRSTCOME_SEED={} FIRSTCOME_ROUNDS=1", seed));
    RandomApi<EmbeddedSubject>{seed}.run(120);
  }
}

}  // namespace
}  // namespace firstcome::test
