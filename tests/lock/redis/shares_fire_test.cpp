// Several processes that fight for the permits of one semaphore and for one read-write lock, some of which are killed
// and stopped: what is held at any time is never more than there is. And that this would be noticed.
#include "lock/redis/shares_harness.hpp"

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <random>
#include <sstream>
#include <thread>
#include <vector>

namespace firstcome::lock::test {
namespace {

using namespace std::chrono_literals;
using firstcome::testing::ChildProcess;
using firstcome::testing::eventually;

constexpr std::uint32_t capacity = 6;
constexpr int threads = 8;

enum class Scripts : std::uint8_t { ours, generous };

struct Crowd {
  std::uint16_t port = 0;
  std::uint64_t seed = 0;
  Scripts scripts = Scripts::ours;
};

std::unique_ptr<ChildProcess> start(const Crowd& crowd) {
  firstcome::testing::ChildOptions options;
  options.program = std::filesystem::read_symlink("/proc/self/exe");
  options.arguments = {"--gtest_filter=SharesCrowdChild.*", "--gtest_also_run_disabled_tests", "--gtest_brief=1"};
  options.environment = {"FIRSTCOME_SHARES=" + std::to_string(crowd.port) + " " + std::to_string(crowd.seed) + " " +
                         std::to_string(static_cast<int>(crowd.scripts))};
  return std::make_unique<ChildProcess>(std::move(options));
}

std::string micros(BootTime at) { return std::to_string(at.time_since_epoch().count() / 1'000); }

/// Uses a lease; if it still believes in it then, writes down "WEIGHT FROM TO": it had so much from then to then.
void use(Wire& wire, const Lease& lease, const std::string& list, std::uint32_t weight) {
  const BootTime from = BootClock::now();
  const bool believed = !lease.lost();
  for (int work = 0; work < 3; ++work) wire.ask({"PING"});  // time in which to be stopped
  const BootTime to = BootClock::now();
  if (!believed || lease.lost()) return;
  wire.ask({"RPUSH", list, std::to_string(weight) + " " + micros(from) + " " + micros(to)});
}

void fight(Wire& wire, LockSpace& space, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  const auto semaphore = space.semaphore("S", capacity);
  const auto lock = space.read_write_lock("L");
  while (true) {
    const auto dice = random() % 12;
    AcquireOptions options{.wait = wait_for_ever, .lease = 1s};
    if (dice == 0) options.wait = std::chrono::milliseconds(random() % 60);
    if (dice == 1) options.lease.reset();
    const bool writes = random() % 4 == 0;
    const auto weight = static_cast<std::uint32_t>(1 + random() % capacity);
    const bool of_semaphore = random() % 2 == 0;
    const auto wanted = of_semaphore ? semaphore->permits(weight) : writes ? lock->writer() : lock->reader();
    Acquired lease = acquire_blocking(*wanted, options);
    if (!lease) continue;
    const std::string list = of_semaphore ? "permits" : "readers";
    const std::uint32_t all = of_semaphore ? weight : writes ? 1'000 : 1;
    use(wire, *lease, list, all);
    if (dice == 2 && shrink_blocking(*lease, 1) == ShrinkOutcome::shrunk) use(wire, *lease, list, 1);
    lease->release();
  }
}

// Not a test: one of the processes.
TEST(SharesCrowdChild, DISABLED_Fights) {
  const char* const given = std::getenv("FIRSTCOME_SHARES");
  if (given == nullptr) GTEST_SKIP() << "started by other tests only";
  std::istringstream words(given);
  Crowd crowd;
  int scripts = 0;
  words >> crowd.port >> crowd.seed >> scripts;
  FifoOptions options;
  if (static_cast<Scripts>(scripts) == Scripts::generous) {
    options.permit_scripts =
        altered(options.permit_scripts, "not too_big and used + weight > capacity", "not too_big and used > capacity");
  }
  const auto space = fifo_space(crowd.port, options, {.watchdog_lease = 1'500ms});
  std::vector<std::jthread> all;
  for (int i = 0; i < threads; ++i) {
    all.emplace_back([&space, &crowd, i] {
      Wire wire(crowd.port);
      fight(wire, *space, crowd.seed + static_cast<std::uint64_t>(i));
    });
  }
}

struct Found {
  std::size_t uses = 0;
  std::size_t too_much = 0;  ///< times at which more was held than there is
  std::int64_t most = 0;     ///< held at a time
  std::size_t together = 0;  ///< most holders at a time
};

/// Goes through the beginnings and ends in the order of time.
Found look_at(const firstcome::testing::RedisServer& server, const char* list, std::int64_t there_are) {
  struct Change {
    std::int64_t at, weight;
  };
  Found found;
  std::vector<Change> changes;
  for (const auto& entry : server.command({"LRANGE", list, "0", "-1"}).elements) {
    std::int64_t weight = 0, from = 0, to = 0;
    std::istringstream(entry.text) >> weight >> from >> to;
    changes.push_back({from, weight});
    changes.push_back({to, -weight});
    ++found.uses;
  }
  // What ends and begins in one microsecond: first the end.
  std::ranges::sort(
      changes, [](const Change& a, const Change& b) { return std::pair(a.at, a.weight) < std::pair(b.at, b.weight); });
  std::int64_t held = 0;
  std::size_t holders = 0;
  for (const Change& change : changes) {
    held += change.weight;
    holders += change.weight > 0 ? 1U : std::size_t(-1);
    found.most = std::max(found.most, held);
    found.together = std::max(found.together, holders);
    if (change.weight > 0 && held > there_are) ++found.too_much;
  }
  return found;
}

class SharesFire : public SharesTest {
 protected:
  std::string count(const char* list) const { return server->text({"LLEN", list}); }
  bool reaches(const char* list, std::int64_t uses) const {
    return eventually([&] { return std::stoll(count(list)) >= uses; });
  }
  const std::uint64_t seed = std::random_device{}();
};

TEST_F(SharesFire, NeverMoreIsHeldThanThereIsWhoeverIsKilledOrStopped) {
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  std::vector<std::unique_ptr<ChildProcess>> crowd;
  std::uint64_t started = 0;
  const auto one_more = [&] { return start({server->port(), random() + 1'000 * ++started, Scripts::ours}); };
  for (int i = 0; i < 3; ++i) crowd.push_back(one_more());
  ASSERT_TRUE(reaches("permits", 200) && reaches("readers", 200));
  const BootTime until = BootClock::now() + 8s;
  while (BootClock::now() < until) {
    auto& one = crowd[random() % crowd.size()];
    if (random() % 2 == 0) {
      one->kill();
      one = one_more();
    } else {
      one->signal(SIGSTOP);
      const auto length = std::chrono::milliseconds(random() % 2'500);
      eventually([] { return false; }, length);
      one->signal(SIGCONT);
    }
    const std::int64_t now = std::stoll(count("permits"));
    ASSERT_TRUE(reaches("permits", now + 50)) << "they are stuck";
  }
  for (auto& one : crowd) one->kill();
  const Found permits_found = look_at(*server, "permits", capacity);
  EXPECT_EQ(permits_found.too_much, 0U) << permits_found.most;
  EXPECT_GE(permits_found.together, 2U);
  const Found readers_found = look_at(*server, "readers", 1'000);
  EXPECT_EQ(readers_found.too_much, 0U) << readers_found.most;
  EXPECT_GE(readers_found.together, 2U);
  RecordProperty("uses", static_cast<int>(permits_found.uses + readers_found.uses));
  // What the killed ones held is free again.
  const auto at = space();
  const auto semaphore = at->semaphore("S", capacity);
  const auto lock = at->read_write_lock("L");
  EXPECT_FALSE(got(ask(*semaphore->permits(capacity))).lost());
  EXPECT_FALSE(got(ask(*lock->writer())).lost());
}

TEST_F(SharesFire, TheSameRunFindsScriptsThatGrantTooMuch) {
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::vector<std::unique_ptr<ChildProcess>> crowd;
  for (std::uint64_t i = 0; i < 2; ++i) crowd.push_back(start({server->port(), seed + 1'000 * i, Scripts::generous}));
  EXPECT_TRUE(eventually([&] {
    return look_at(*server, "permits", capacity).too_much > 0 && look_at(*server, "readers", 1'000).too_much > 0;
  }));
  for (auto& one : crowd) one->kill();
}

}  // namespace
}  // namespace firstcome::lock::test
