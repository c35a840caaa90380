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
  constexpr std::string_view queued = "outcome, ticket, before = 'queued', tail, waiting - 1\n";
  return altered(granted, queued, std::string(queued) + "  call('RPUSH', 'tickets', me)\n");
}

namespace {

std::string micros(BootTime at) { return std::to_string(at.time_since_epoch().count() / 1'000); }

/// KEYS[1] the fence; ARGV[1] the token, empty where there is none, [2] the owner, [3] the process.
const std::string& begin_script() {
  static const std::string script = std::string(fence_lua()) + R"lua(
redis.call('SET', 'holder', ARGV[3])
local may = ARGV[1] ~= '' and firstcome_fence(KEYS[1], ARGV[1], ARGV[2])
return (redis.call('GET', 'plain') or '0') .. ' ' .. (may and redis.call('GET', 'fenced') or '0')
)lua";
  return script;
}

/// Likewise; ARGV[3] and [4] what it read of `plain` and `fenced`.
const std::string& end_script() {
  static const std::string script = std::string(fence_lua()) + R"lua(
local function write(counter, seen)
  if (redis.call('GET', counter) or '0') ~= seen then redis.call('INCR', counter .. '_lost') end
  redis.call('SET', counter, string.format('%.0f', seen + 1))
end
write('plain', ARGV[3])
if ARGV[1] == '' then return 1 end
redis.call('RPUSH', 'unfenced', ARGV[1])
if firstcome_fence(KEYS[1], ARGV[1], ARGV[2]) then
  redis.call('RPUSH', 'accepted', ARGV[1])
  write('fenced', ARGV[4])
else
  redis.call('INCR', 'refused')
end
return 1
)lua";
  return script;
}

void count_down(Wire& wire, LockSpace& space) {
  const auto lock = space.lock(crowd_lock);
  while (true) {
    Acquired lease = acquire_blocking(*lock, {.wait = wait_for_ever});
    if (!lease) std::_Exit(4);
    wire.ask({"RPUSH", "got", lease->owner()});
    const bool enough = std::stoll(wire.ask({"DECR", "left"})) < 0;
    release_blocking(std::move(*lease));
    if (enough) return;
  }
}

void fight(Wire& wire, LockSpace& space, Pace pace, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  const auto lock = space.lock(crowd_lock);
  while (true) {
    const auto dice = random() % 10;
    AcquireOptions options{.wait = wait_for_ever, .lease = 1s};
    if (dice == 0) options.wait = std::chrono::milliseconds(random() % 60);
    if (dice == 1) options.lease.reset();
    Acquired lease = acquire_blocking(*lock, options);
    if (!lease) {
      // allowed: a moment between attempts while a master is looked for
      if (is_failure(lease.error().why)) ::usleep(5'000);
      continue;
    }
    use_lease(wire, *lease, pace);
    if (dice == 2) lease->renew(1s, [](RenewOutcome) {});
    lease->release();
  }
}

}  // namespace

void use_lease(Wire& wire, const Lease& lease, Pace pace) {
  const std::string token = lease.token() ? std::to_string(*lease.token()) : std::string();
  const BootTime from = BootClock::now();
  const bool believed = !lease.lost();
  std::string plain;
  std::string fenced;
  const std::string process = std::to_string(::getpid());
  std::istringstream(wire.ask({"EVAL", begin_script(), "1", "fence", token, lease.owner(), process})) >> plain >>
      fenced;
  for (int work = 0; work < 5; ++work) wire.ask({"PING"});  // time in which to be stopped
  // allowed: the work itself
  if (pace == Pace::slow) ::usleep(20'000);
  wire.ask({"EVAL", end_script(), "1", "fence", token, lease.owner(), plain, fenced});
  const BootTime to = BootClock::now();
  if (!believed || lease.lost()) return;
  wire.ask({"RPUSH", "spans", (token.empty() ? "0" : token) + " " + micros(from) + " " + micros(to)});
}

std::unique_ptr<firstcome::testing::ChildProcess> start_crowd(std::uint16_t port, CrowdWork work) {
  return start_crowd({.url = "redis://127.0.0.1:" + std::to_string(port), .resource = port}, work);
}

std::unique_ptr<firstcome::testing::ChildProcess> start_crowd(const CrowdPlace& place, CrowdWork work) {
  firstcome::testing::ChildOptions options;
  options.program = std::filesystem::read_symlink("/proc/self/exe");
  options.arguments = {"--gtest_filter=FifoCrowdChild.*", "--gtest_also_run_disabled_tests", "--gtest_brief=1"};
  options.environment = {"FIRSTCOME_CROWD=" + place.url + " " + std::to_string(static_cast<int>(place.kind)) + " " +
                         std::to_string(place.resource) + " " + std::to_string(static_cast<int>(work))};
  return std::make_unique<firstcome::testing::ChildProcess>(std::move(options));
}

namespace {

std::unique_ptr<LockSpace> space_of(const CrowdPlace& place, CrowdWork work) {
  const LockSettings settings{.watchdog_lease = 1'500ms};
  if (work != CrowdWork::count) return open_locks(place.url, place.kind, settings).value();
  const FifoOptions options{.scripts = with_tickets_written(FifoScripts::standard())};
  return make_fifo_lock_space(net::parse_redis_url(place.url).value(), settings, options).value();
}

}  // namespace

// Not a test: one of the processes.
TEST(FifoCrowdChild, DISABLED_Works) {
  const char* const given = std::getenv("FIRSTCOME_CROWD");
  if (given == nullptr) GTEST_SKIP() << "started by other tests only";
  std::istringstream words(given);
  CrowdPlace place{};
  int kind = 0;
  int number = 0;
  words >> place.url >> kind >> place.resource >> number;
  place.kind = static_cast<LockKind>(kind);
  const auto work = static_cast<CrowdWork>(number);
  const auto space = space_of(place, work);
  if (work == CrowdWork::hold) {
    const auto lock = space->lock(crowd_lock);
    const Acquired lease = acquire_blocking(*lock, {.wait = wait_for_ever, .lease = 1s});
    if (!lease || ::write(1, "got\n", 4) != 4) std::_Exit(3);
    ::pause();
  }
  std::vector<std::jthread> threads;
  for (int i = 0; i < 16; ++i) {
    threads.emplace_back([&space, port = place.resource, work] {
      Wire wire(port);
      if (work == CrowdWork::count) return count_down(wire, *space);
      const Pace pace = work == CrowdWork::slow ? Pace::slow : Pace::brisk;
      fight(wire, *space, pace, std::hash<std::thread::id>{}(std::this_thread::get_id()) ^ std::uint64_t(::getpid()));
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
  const auto count = [&server](const char* name) {
    const std::string text = server.text({"GET", name});
    return text == "(nil)" ? 0 : std::stoul(text);
  };
  found.refused = count("refused");
  found.fenced_lost = count("fenced_lost");
  found.plain_lost = count("plain_lost");
  return found;
}

}  // namespace firstcome::lock::test
