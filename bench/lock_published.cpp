#include "lock_published.hpp"

#include "lock/ask_on_loop.hpp"
#include "lock/event_loop.hpp"
#include "lock/identity.hpp"
#include "lock/redis/redis_clients.hpp"
#include "lock/redis/redis_failure.hpp"

#include <algorithm>
#include <chrono>
#include <list>
#include <map>
#include <optional>
#include <stdexcept>
#include <utility>

namespace firstcome::bench {
namespace {

using namespace std::chrono_literals;
using lock::Answer;
using lock::Attempt;
using lock::AttemptAnswer;
using net::RedisCommand;
using net::RedisResult;
using net::RedisScript;

constexpr Milliseconds queue_limit{300'000};  // after which a waiter of an RFairLock counts as dead
constexpr Milliseconds latch_life{20'000};

// KEYS[1] the lock. ARGV[1] ms, [2] the owner. Replies nil: it is the owner's; else the ms that are left.
constexpr const char* rlock_acquire = R"lua(
local free = redis.call('exists', KEYS[1]) == 0
if free or redis.call('hexists', KEYS[1], ARGV[2]) == 1 then
  redis.call('hincrby', KEYS[1], ARGV[2], 1)
  redis.call('pexpire', KEYS[1], ARGV[1])
  return nil
end
return redis.call('pttl', KEYS[1])
)lua";

// KEYS[1] the lock, [2] its channel, [3] the latch. ARGV[1] the owner, [2] ms, [3] ms of the latch.
constexpr const char* rlock_release = R"lua(
local before = redis.call('get', KEYS[3])
if before then return tonumber(before) end
if redis.call('hexists', KEYS[1], ARGV[1]) == 0 then return nil end
local left = redis.call('hincrby', KEYS[1], ARGV[1], -1)
if left > 0 then
  redis.call('pexpire', KEYS[1], ARGV[2])
  redis.call('set', KEYS[3], 0, 'px', ARGV[3])
  return 0
end
redis.call('del', KEYS[1])
redis.call('publish', KEYS[2], '0')
redis.call('set', KEYS[3], 1, 'px', ARGV[3])
return 1
)lua";

// Of RFairLock: waiters at the head of the queue whose time is over leave it. KEYS[2] queue, [3] times; `now`.
constexpr const char* drop_the_dead = R"lua(
while true do
  local head = redis.call('lindex', KEYS[2], 0)
  if not head then break end
  if tonumber(redis.call('zscore', KEYS[3], head)) > now then break end
  redis.call('zrem', KEYS[3], head)
  redis.call('lpop', KEYS[2])
end
)lua";

// KEYS[1] the lock, [2] queue, [3] times. ARGV[1] ms, [2] the owner, [3] ms in the queue, [4] now.
constexpr const char* fair_acquire = R"lua(
local head = redis.call('lindex', KEYS[2], 0)
if redis.call('exists', KEYS[1]) == 0 and (not head or head == ARGV[2]) then
  redis.call('lpop', KEYS[2])
  redis.call('zrem', KEYS[3], ARGV[2])
  for _, waiter in ipairs(redis.call('zrange', KEYS[3], 0, -1)) do
    redis.call('zincrby', KEYS[3], -tonumber(ARGV[3]), waiter)
  end
  redis.call('hset', KEYS[1], ARGV[2], 1)
  redis.call('pexpire', KEYS[1], ARGV[1])
  return nil
end
if redis.call('hexists', KEYS[1], ARGV[2]) == 1 then
  redis.call('hincrby', KEYS[1], ARGV[2], 1)
  redis.call('pexpire', KEYS[1], ARGV[1])
  return nil
end
if redis.call('zscore', KEYS[3], ARGV[2]) then return math.max(0, redis.call('pttl', KEYS[1])) end
local last = redis.call('lindex', KEYS[2], -1)
local left
if last then left = tonumber(redis.call('zscore', KEYS[3], last)) - now else left = redis.call('pttl', KEYS[1]) end
if redis.call('zadd', KEYS[3], string.format('%.0f', left + ARGV[3] + now), ARGV[2]) == 1 then
  redis.call('rpush', KEYS[2], ARGV[2])
end
return left
)lua";

// KEYS[1] the lock, [2] queue, [3] times, [4] channels, [5] the latch. ARGV[1] the owner, [2] ms, [3] ms of the latch,
// [4] now.
constexpr const char* fair_release = R"lua(
local function tell_the_next()
  local head = redis.call('lindex', KEYS[2], 0)
  if head then redis.call('publish', KEYS[4] .. ':' .. head, '0') end
end
if redis.call('exists', KEYS[1]) == 0 then
  redis.call('set', KEYS[5], 1, 'px', ARGV[3])
  tell_the_next()
  return 1
end
if redis.call('hexists', KEYS[1], ARGV[1]) == 0 then return nil end
local left = redis.call('hincrby', KEYS[1], ARGV[1], -1)
if left > 0 then
  redis.call('pexpire', KEYS[1], ARGV[2])
  redis.call('set', KEYS[5], 0, 'px', ARGV[3])
  return 0
end
redis.call('del', KEYS[1])
redis.call('set', KEYS[5], 1, 'px', ARGV[3])
tell_the_next()
return 1
)lua";

std::string with_the_dead_dropped(const char* now, const char* before, const char* script) {
  return std::string("local now = tonumber(") + now + ")\n" + before + drop_the_dead + script;
}

constexpr const char* latch_first = R"lua(
local before = redis.call('get', KEYS[5])
if before then return tonumber(before) end
)lua";

std::int64_t wall_clock_ms() {
  return std::chrono::duration_cast<Milliseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

/// What the acquisitions of a process share; on the loop's thread.
struct Home {
  Home(PublishedKind of, std::atomic<std::uint64_t>& count) : kind(of), deletions(count) {}

  const PublishedKind kind;
  std::atomic<std::uint64_t>& deletions;
  const std::string client = lock::random_identity();
  lock::EventLoop loop;
  lock::RedisClients clients{loop.executor()};
  const RedisScript acquire{kind == PublishedKind::rlock ? rlock_acquire
                                                         : with_the_dead_dropped("ARGV[4]", "", fair_acquire)};
  const RedisScript release{kind == PublishedKind::rlock ? rlock_release
                                                         : with_the_dead_dropped("ARGV[4]", latch_first, fair_release)};
  /// As of the Java client: who waits for messages of a channel, and messages that found nobody waiting.
  struct Entry {
    std::size_t users = 0;
    std::size_t permits = 0;
    std::list<std::weak_ptr<lock::ContenderEvents>> waiting;
  };
  std::map<std::string, Entry, std::less<>> entries;

  void execute(RedisCommand command, net::RedisDone done) {
    clients.execute(0, "", std::move(command), BootClock::now() + 10s, std::move(done));
  }
  void message(std::string_view channel) {
    const auto at = entries.find(channel);
    if (at == entries.end()) return;
    Entry& entry = at->second;
    while (!entry.waiting.empty()) {
      const auto next = entry.waiting.front().lock();
      entry.waiting.pop_front();
      if (next) return next->worth_trying();
    }
    ++entry.permits;
  }
};

/// One acquisition, on the loop's thread.
class Claim : public std::enable_shared_from_this<Claim> {
 public:
  Claim(std::shared_ptr<Home> home, const lock::Contention& contention, std::uint64_t number,
        std::weak_ptr<lock::ContenderEvents> events)
      : home_(std::move(home)),
        key_(contention.name),
        channel_("redisson_lock__channel:{" + key_ + "}"),
        lease_(contention.lease),
        owner_(home_->client + ":" + std::to_string(number)),
        own_channel_(home_->kind == PublishedKind::rlock ? channel_ : channel_ + ":" + owner_),
        events_(std::move(events)) {}

  lock::EventLoop& loop() const { return home_->loop; }
  const std::string& owner() const { return owner_; }

  void attempt(const Attempt& attempt, Answer<AttemptAnswer> done) {
    done_ = std::move(done);
    waits_ = attempt.mode == Attempt::Mode::wait;
    ask();
  }

  void release(Answer<lock::ReleaseAnswer> done) {
    const std::string latch = "redisson_unlock_latch:{" + key_ + "}:" + lock::random_identity();
    RedisCommand command =
        home_->kind == PublishedKind::rlock
            ? RedisCommand(home_->release, {key_, channel_, latch}, owner_, lease_.count(), latch_life.count())
            : RedisCommand(home_->release, {key_, queue(), times(), channel_, latch}, owner_, lease_.count(),
                           latch_life.count(), wall_clock_ms());
    home_->execute(std::move(command),
                   [self = shared_from_this(), latch, done = std::move(done)](const RedisResult& result) mutable {
                     if (!result) return done(std::unexpected(lock::lock_failure(result.error())));
                     self->home_->deletions.fetch_add(1, std::memory_order_relaxed);
                     self->home_->execute(RedisCommand("DEL", latch), [](const RedisResult&) {});
                     done(result->to_integer() == 1 ? ReleaseOutcome::released : ReleaseOutcome::lost);
                   });
  }

  /// A wait is given up: out of the queue, and what was granted meanwhile is given back.
  void cancel(Answer<lock::CancelAnswer> done) {
    cancelled_ = true;
    end();
    release([done = std::move(done)](const lock::ReleaseAnswer&) mutable { done({}); });
  }

  /// Nobody asks for it any more: it must not stand in the queue, where all others would wait for it.
  void end() {
    leave();
    if (!std::exchange(queued_, false)) return;
    home_->execute(RedisCommand("ZREM", times(), owner_), [](const RedisResult&) {});
    home_->execute(RedisCommand("LREM", queue(), 0, owner_), [](const RedisResult&) {});
  }

  void leave() {
    if (!std::exchange(listens_, false)) return;
    const auto at = home_->entries.find(own_channel_);
    if (at == home_->entries.end() || --at->second.users > 0) return;
    home_->entries.erase(at);
    if (!home_->clients.closed()) home_->clients.at(0).unsubscribe(own_channel_);
  }

 private:
  std::string queue() const { return "redisson_lock_queue:{" + key_ + "}"; }
  std::string times() const { return "redisson_lock_timeout:{" + key_ + "}"; }

  void ask() {
    const BootTime sent = BootClock::now();
    RedisCommand command = home_->kind == PublishedKind::rlock
                               ? RedisCommand(home_->acquire, {key_}, lease_.count(), owner_)
                               : RedisCommand(home_->acquire, {key_, queue(), times()}, lease_.count(), owner_,
                                              queue_limit.count(), wall_clock_ms());
    home_->execute(std::move(command),
                   [self = shared_from_this(), sent](const RedisResult& result) { self->answered(sent, result); });
  }

  void answered(BootTime sent, const RedisResult& result) {
    if (!result) return answer(lock::lock_failure(result.error()));
    queued_ = !result->is_nil() && home_->kind == PublishedKind::rfairlock;
    if (result->is_nil()) {
      leave();
      return answer(lock::Grant{.token = {}, .base = sent, .length = lease_});
    }
    if (!waits_ || cancelled_) return answer(lock::Busy{.retry_in = 1s});
    if (!listens_) return listen();
    Home::Entry& entry = home_->entries[own_channel_];
    if (entry.permits > 0) {  // a message came meanwhile
      --entry.permits;
      return ask();
    }
    entry.waiting.push_back(events_);
    answer(lock::Busy{.retry_in = Milliseconds{std::max<std::int64_t>(result->to_integer().value_or(0), 1)}});
  }

  /// Subscribes where nobody in this process has; then tries again in any case.
  void listen() {
    listens_ = true;
    if (++home_->entries[own_channel_].users > 1 && home_->kind == PublishedKind::rlock) return ask();
    home_->clients.at(0).subscribe(own_channel_, std::chrono::steady_clock::now() + 10s,
                                   [self = shared_from_this()](const auto&) {
                                     if (!self->cancelled_) return self->ask();
                                     self->answer(lock::Busy{.retry_in = 1s});
                                   });
  }

  void answer(AttemptAnswer answer) { std::exchange(done_, nullptr)(std::move(answer)); }

  const std::shared_ptr<Home> home_;
  const std::string key_;
  const std::string channel_;
  const Milliseconds lease_;
  const std::string owner_;
  const std::string own_channel_;
  const std::weak_ptr<lock::ContenderEvents> events_;
  Answer<AttemptAnswer> done_;
  bool waits_ = false;
  bool listens_ = false;
  bool cancelled_ = false;
  bool queued_ = false;
};

class PublishedContender final : public lock::Contender {
 public:
  explicit PublishedContender(std::shared_ptr<Claim> claim) : claim_(std::move(claim)) {}
  ~PublishedContender() override {
    claim_->loop().post([claim = claim_] { claim->end(); });
  }

  const std::string& owner() const override { return claim_->owner(); }
  void attempt(const Attempt& attempt, Answer<AttemptAnswer> done) override {
    lock::ask_on_loop(claim_, std::move(done),
                      [attempt](Claim& claim, Answer<AttemptAnswer> to) { claim.attempt(attempt, std::move(to)); });
  }
  void cancel(lock::Try /*repeat*/, Answer<lock::CancelAnswer> done) override {
    lock::ask_on_loop(claim_, std::move(done),
                      [](Claim& claim, Answer<lock::CancelAnswer> to) { claim.cancel(std::move(to)); });
  }
  void renew(Milliseconds length, BootTime /*useless_after*/, Answer<lock::RenewAnswer> done) override {
    done(lock::Renewed{BootClock::now(), length});  // no run is as long as a third of a lease
  }
  void release(lock::Try /*repeat*/, Answer<lock::ReleaseAnswer> done) override {
    lock::ask_on_loop(claim_, std::move(done),
                      [](Claim& claim, Answer<lock::ReleaseAnswer> to) { claim.release(std::move(to)); });
  }

 private:
  const std::shared_ptr<Claim> claim_;
};

class PublishedLocks final : public lock::LockBackend {
 public:
  explicit PublishedLocks(std::shared_ptr<Home> home) : home_(std::move(home)) {}

  const LockTraits& traits() const override {
    static constexpr LockTraits all{.kind = "published"};
    return all;
  }
  std::shared_ptr<lock::Contender> contend(lock::Contention contention,
                                           std::weak_ptr<lock::ContenderEvents> events) override {
    return std::make_shared<PublishedContender>(
        std::make_shared<Claim>(home_, contention, ++last_number_, std::move(events)));
  }
  void inspect(const std::string& /*name*/, Answer<std::expected<LockView, LockFailure>> done) override {
    done(LockView{});
  }
  void close() override {
    home_->loop.close([home = home_] { home->clients.close(); });
  }

 private:
  const std::shared_ptr<Home> home_;
  std::atomic<std::uint64_t> last_number_ = 0;
};

}  // namespace

std::unique_ptr<LockSpace> open_published_locks(const std::string& url, PublishedKind kind,
                                                std::atomic<std::uint64_t>& deletions) {
  auto home = std::make_shared<Home>(kind, deletions);
  net::RedisClientEvents events;
  events.message = [home = home.get()](std::string_view channel, std::string_view) { home->message(channel); };
  auto client = net::make_redis_client(home->loop.executor(), *net::parse_redis_url(url), std::move(events));
  if (!client) throw std::runtime_error(client.error());
  home->clients.add(std::move(*client));
  home->loop.start();
  return lock::make_lock_space(std::make_shared<PublishedLocks>(std::move(home)), {});
}

}  // namespace firstcome::bench
