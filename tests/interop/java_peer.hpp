// The real Redisson, in a Java process that a test tells what to do.
#pragma once

#include "support/child_process.hpp"
#include "support/redis_server.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>

/// At the start of a test that needs Redisson: a skip where it cannot be had, a failure where all must run.
#define FIRSTCOME_NEEDS_REDISSON()                                                            \
  FIRSTCOME_NEEDS_REDIS();                                                                    \
  if (const std::string why = ::firstcome::interop::build_java_peer(); !why.empty()) {        \
    if (::firstcome::testing::all_is_required()) FAIL() << "REDISSON CANNOT BE HAD: " << why; \
    GTEST_SKIP() << "THE REAL REDISSON IS NOT TESTED AGAINST: " << why;                       \
  }                                                                                           \
  static_assert(true)

namespace firstcome::interop {

/// Compiles it with Maven into the build folder, where its libraries are kept too, unless that was done before. Empty,
/// or why it cannot be done.
std::string build_java_peer();

/// `firstcome.Peer`; see there for the commands.
class JavaPeer {
 public:
  /// Returns when it is connected. Throws std::runtime_error where it does not start.
  JavaPeer(const firstcome::testing::RedisServer& server, std::string name);

  void say(const std::string& command) const;
  /// The answer to the oldest command without one; "(none)" where none comes in time.
  std::string answer(std::chrono::milliseconds limit = std::chrono::seconds{20});
  std::string ask(const std::string& command) {
    say(command);
    return answer();
  }
  /// SIGKILL.
  void kill() { process_->kill(); }

 private:
  const firstcome::testing::RedisServer& server_;
  const std::string name_;
  std::unique_ptr<firstcome::testing::ChildProcess> process_;
};

}  // namespace firstcome::interop
