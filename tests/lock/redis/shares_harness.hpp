// Read-write locks and semaphores of one redis-server, and short ways to get leases there.
#pragma once

#include "lock/redis/fifo_bench.hpp"
#include "lock/redis/fifo_crowd.hpp"
#include "lock/waiting.hpp"

#include <firstcome/lock_mutex.hpp>

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <stdexcept>
#include <string>

namespace firstcome::lock::test {

/// The same scripts with another text; throws where none has the old one.
inline PermitScripts altered(const PermitScripts& scripts, std::string_view old_text, std::string_view new_text) {
  return {altered(scripts.same, old_text, new_text), scripts.capacity};
}

class SharesTest : public ::testing::Test {
 protected:
  using Why = NotAcquired::Why;

  void SetUp() override {
    FIRSTCOME_NEEDS_REDIS();
    server = std::make_unique<firstcome::testing::RedisServer>();
  }

  std::unique_ptr<LockSpace> space(FifoOptions options = {}, LockSettings settings = {}) const {
    return fifo_space(server->port(), std::move(options), std::move(settings));
  }
  static Box<Acquired> ask(Lock& lock, AcquireOptions options = {.wait = patience, .lease = std::chrono::seconds(60)}) {
    Box<Acquired> box;
    lock.acquire(std::move(options), box.setter());
    return box;
  }
  static Box<Acquired> read(LockSpace& from) { return ask(*from.read_write_lock("L")->reader()); }
  static Box<Acquired> write(LockSpace& from) { return ask(*from.read_write_lock("L")->writer()); }
  /// Of a semaphore of 5.
  static Box<Acquired> want(LockSpace& from, std::uint32_t count) {
    return ask(*from.semaphore("L", 5)->permits(count));
  }
  static Lease got(Box<Acquired> box) {
    Acquired acquired = box.take();
    if (!acquired) {
      throw std::runtime_error(std::string(text_of(acquired.error().why)) + ": " + acquired.error().detail);
    }
    return std::move(*acquired);
  }
  static NotAcquired refused(Lock& lock, AcquireOptions options) {
    Acquired acquired = ask(lock, std::move(options)).take();
    if (acquired) throw std::runtime_error("it was granted");
    return std::move(acquired.error());
  }

  template <typename Named>
  static SharesView view(Named& of) {
    Box<SharesViewed> box;
    of.inspect(box.setter());
    return box.take().value();
  }
  static SharesView permits(LockSpace& at) { return view(*at.semaphore("L", 5)); }
  static SharesView readers(LockSpace& at) { return view(*at.read_write_lock("L")); }
  static bool waiting(LockSpace& at, std::size_t count) {
    return firstcome::testing::eventually([&] { return permits(at).waiting == count; });
  }
  static bool queued(LockSpace& at, std::size_t count) {
    return firstcome::testing::eventually([&] { return readers(at).waiting == count; });
  }
  static bool used(LockSpace& at, std::uint32_t count) {
    return firstcome::testing::eventually([&] { return permits(at).used == count; });
  }

  std::unique_ptr<firstcome::testing::RedisServer> server;
};

}  // namespace firstcome::lock::test
