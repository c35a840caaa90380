#include "lock/redis/fifo_crowd.hpp"

#include "lock/redis/fifo_bench.hpp"

#include <firstcome/fence.hpp>
#include <firstcome/lock_mutex.hpp>

#include <hiredis/hiredis.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <random>
#include <set>
#include <sstream>
#include <thread>

namespace firstcome::lock::test {

using namespace std::chrono_literals;

void Wire::Free::operator()(redisContext* context) const { redisFree(context); }

Wire::Wire(std::uint16_t port) : context_(redisConnect("127.0.0.1", port)) {}

std::string Wire::ask(const std::vector<std::string>& arguments) {
  std::vector<const char*> texts;
  std::vector<std::size_t> sizes;
  for (const std::string& argument : arguments) {
    texts.push_back(argument.data());
    sizes.push_back(argument.size());
  }
  auto* reply = static_cast<redisReply*>(
      redisCommandArgv(context_.get(), static_cast<int>(texts.size()), texts.data(), sizes.data()));
  if (reply == nullptr) return {};
  std::string text =
      reply->type == REDIS_REPLY_INTEGER ? std::to_string(reply->integer) : std::string(reply->str, reply->len);
  freeReplyObject(reply);
  return text;
}

std::unique_ptr<LockSpace> fifo_space(std::uint16_t port, FifoOptions options, LockSettings settings) {
  const auto url = net::parse_redis_url("redis://127.0.0.1:" + std::to_string(port));
  auto space = make_fifo_lock_space(url.value(), std::move(settings), std::move(options));
  if (!space) throw std::runtime_error(space.error());
  return std::move(*space);
}

FifoScripts with_tickets_written(const FifoScripts& scripts) {
  const FifoScripts granted = altered(scripts, "  tail = tail + 1\n  head = tail\n",
                                      "  tail = tail + 1\n  head = tail\n  call('RPUSH', 'tickets', me)\n");
  return altered(granted, "tail = tail + 1\ncall('HSET'", "tail = tail + 1\ncall('RPUSH', 'tickets', me)\ncall('HSET'");
}

namespace {

std::string micros(BootTime at) { return std::to_string(at.time_since_epoch().count() / 1'000); }

const std::string& fenced_write() {
  static const std::string script = std::string(fence_lua()) +
                                    "redis.call('RPUSH', 'unfenced', ARGV[1])\n"
                                    "if firstcome_fence(KEYS[1], ARGV[1], ARGV[2]) then\n"
                                    "  redis.call('RPUSH', 'accepted', ARGV[1])\n"
                                    "else\n"
                                    "  redis.call('INCR', 'refused')\n"
                                    "end\n"
                                    "return 1\n";
  return script;
}

void count_down(Wire& wire, LockSpace& space) {
  const auto lock = space.lock(crowd_lock);
  while (true) {
    Acquired lease = acquire_blocking(*lock, {.wait = wait_for_ever, .lease = 60s});
    if (!lease) std::_Exit(4);
    wire.ask({"RPUSH", "got", lease->owner()});
    const bool enough = std::stoll(wire.ask({"DECR", "left"})) < 0;
    release_blocking(std::move(*lease));
    if (enough) return;
  }
}

void fight(Wire& wire, LockSpace& space, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  const auto lock = space.lock(crowd_lock);
  while (true) {
    const auto dice = random() % 10;
    AcquireOptions options{.wait = wait_for_ever, .lease = 1s};
    if (dice == 0) options.wait = std::chrono::milliseconds(random() % 60);
    if (dice == 1) options.lease.reset();
    Acquired lease = acquire_blocking(*lock, options);
    if (!lease) continue;
    use_lease(wire, *lease);
    if (dice == 2) lease->renew(1s, [](RenewOutcome) {});
    lease->release();
  }
}

}  // namespace

void use_lease(Wire& wire, const Lease& lease) {
  const std::string token = std::to_string(*lease.token());
  const BootTime from = BootClock::now();
  const bool believed = !lease.lost();
  for (int work = 0; work < 5; ++work) wire.ask({"PING"});  // time in which to be stopped
  wire.ask({"EVAL", fenced_write(), "1", "fence", token, lease.owner()});
  const BootTime to = BootClock::now();
  if (believed && !lease.lost()) wire.ask({"RPUSH", "spans", token + " " + micros(from) + " " + micros(to)});
}

std::unique_ptr<firstcome::testing::ChildProcess> start_crowd(std::uint16_t port, CrowdWork work) {
  firstcome::testing::ChildOptions options;
  options.program = std::filesystem::read_symlink("/proc/self/exe");
  options.arguments = {"--gtest_filter=FifoCrowdChild.*", "--gtest_also_run_disabled_tests", "--gtest_brief=1"};
  options.environment = {"FIRSTCOME_CROWD=" + std::to_string(port) + " " + std::to_string(static_cast<int>(work))};
  return std::make_unique<firstcome::testing::ChildProcess>(std::move(options));
}

// Not a test: one of the processes.
TEST(FifoCrowdChild, DISABLED_Works) {
  const char* const given = std::getenv("FIRSTCOME_CROWD");
  if (given == nullptr) GTEST_SKIP() << "started by other tests only";
  std::istringstream words(given);
  std::uint16_t port = 0;
  int work = 0;
  words >> port >> work;
  FifoOptions options;
  if (static_cast<CrowdWork>(work) == CrowdWork::count) options.scripts = with_tickets_written(options.scripts);
  const auto space = fifo_space(port, options, {.watchdog_lease = 1'500ms});
  if (static_cast<CrowdWork>(work) == CrowdWork::hold) {
    const auto lock = space->lock(crowd_lock);
    const Acquired lease = acquire_blocking(*lock, {.wait = wait_for_ever, .lease = 1s});
    if (!lease || ::write(1, "got\n", 4) != 4) std::_Exit(3);
    ::pause();
  }
  std::vector<std::jthread> threads;
  for (int i = 0; i < 16; ++i) {
    threads.emplace_back([&space, port, work] {
      Wire wire(port);
      if (static_cast<CrowdWork>(work) == CrowdWork::count) {
        count_down(wire, *space);
      } else {
        fight(wire, *space, std::hash<std::thread::id>{}(std::this_thread::get_id()) ^ std::uint64_t(::getpid()));
      }
    });
  }
}

Findings look_at(const firstcome::testing::RedisServer& server) {
  const auto list = [&server](const char* name) { return server.command({"LRANGE", name, "0", "-1"}).elements; };
  Findings found;
  std::uint64_t highest = 0;
  for (const auto& entry : list("accepted")) {
    const std::uint64_t token = std::stoull(entry.text);
    if (token < highest) ++found.lower_tokens;
    highest = std::max(highest, token);
  }
  highest = 0;
  for (const auto& entry : list("unfenced")) {
    const std::uint64_t token = std::stoull(entry.text);
    if (token < highest) ++found.unfenced_lower;
    highest = std::max(highest, token);
  }
  struct Span {
    std::int64_t from, to;
    std::uint64_t token;
  };
  std::vector<Span> spans;
  std::set<std::uint64_t> tokens;
  for (const auto& entry : list("spans")) {
    Span span{};
    std::istringstream(entry.text) >> span.token >> span.from >> span.to;
    if (!tokens.insert(span.token).second) ++found.equal_tokens;
    spans.push_back(span);
  }
  found.uses = spans.size();
  std::ranges::sort(spans, {}, &Span::from);
  std::int64_t until = 0;
  std::uint64_t last = 0;
  for (const Span& span : spans) {
    if (span.from < until) ++found.overlaps;
    if (span.token < last) ++found.out_of_order;
    until = std::max(until, span.to);
    last = std::max(last, span.token);
  }
  const std::string refused = server.text({"GET", "refused"});
  found.refused = refused == "(nil)" ? 0 : std::stoul(refused);
  return found;
}

}  // namespace firstcome::lock::test
