// What every lock must do, whatever keeps it. Instantiated once per implementation, in a file of its own:
//
//   INSTANTIATE_TEST_SUITE_P(InProcess, LockContract, testing::Values(LockContractOf{"InProcess", make_harness}),
//                            name_of_implementation);
//
// A harness is a place for locks (a server, a database) that begins empty, and of which each space is one user. It
// skips by returning nullptr from `make`, having said why with GTEST_SKIP's message or a failure of its own.
// Tests end by letting everything go; names are used once.
#pragma once

#include "lock/waiting.hpp"

#include <firstcome/lock_mutex.hpp>
#include <firstcome/lock_space.hpp>

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>

/// A clause of the contract that LockTraits leaves to some kinds only. Nothing is missing where it does not apply, so
/// it is no skip; the report says `not_promised`.
#define ONLY_WHERE_PROMISED(trait)          \
  if (!(trait)) {                           \
    RecordProperty("not_promised", #trait); \
    return;                                 \
  }                                         \
  static_assert(true)

namespace firstcome::lock::test {

class LockHarness {
 public:
  virtual ~LockHarness() = default;
  /// One more user of these locks, independent of the others: a client with connections of its own.
  virtual std::unique_ptr<LockSpace> make_space(const LockSettings& settings) = 0;
  /// Takes the lock from its holder without telling, as when the server forgets it. False: cannot be done here.
  virtual bool take_away(const std::string& /*name*/) { return false; }
  /// How many clients at once the place can take.
  virtual int most_threads() const { return 64; }
};

struct LockContractOf {
  std::string name;
  std::function<std::unique_ptr<LockHarness>()> make;
};

inline std::string name_of_implementation(const testing::TestParamInfo<LockContractOf>& info) {
  return info.param.name;
}

class LockContract : public testing::TestWithParam<LockContractOf> {
 protected:
  void SetUp() override;
  void TearDown() override;

  static LockSettings settings();
  /// Skips the rest where this kind of lock does not wait in a queue.
  bool waits() const { return space->traits().waits; }

  Lease get(LockSpace& from, const std::string& name, std::optional<Milliseconds> lease = {});
  static Box<Acquired> ask(LockSpace& from, const std::string& name, AcquireOptions options);
  NotAcquired refused(LockSpace& from, const std::string& name, AcquireOptions options);

  std::unique_ptr<LockHarness> harness;
  std::shared_ptr<CountingObserver> observer;  ///< of `space`
  std::unique_ptr<LockSpace> space;
  std::unique_ptr<LockSpace> other;
};

}  // namespace firstcome::lock::test
