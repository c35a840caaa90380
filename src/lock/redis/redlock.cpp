#include "lock/redis/redlock.hpp"

#include "lock/ask_on_loop.hpp"
#include "lock/event_loop.hpp"
#include "lock/identity.hpp"
#include "lock/lease_state.hpp"
#include "lock/redis/late_arrivals.hpp"
#include "lock/redis/redis_clients.hpp"
#include "lock/redis/redis_failure.hpp"
#include "lock/redis/redlock_round.hpp"
#include "lock/redis/setnx.hpp"

#include <algorithm>
#include <atomic>
#include <cassert>
#include <map>
#include <utility>

namespace firstcome::lock {

namespace {

using net::RedisCommand;
using net::RedisFailure;
using net::RedisResult;
using Votes = RedlockVotes;
using Until = RedlockRound::Until;

/// Stands between the owner and the number of the attempt in the value of a key. No owner has it.
constexpr char before_attempt = '/';

constexpr LockTraits redlock_traits{.kind = "redlock"};

/// What the acquisitions of one backend share. On the loop's thread, but for `loop` and `how`.
struct Servers {
  explicit Servers(RedlockOptions given) : options(std::move(given)) {}

  std::expected<void, std::string> open(const net::RedisUrl& url);
  /// `each` hears of every answer, also of those that come after the round.
  struct Round {
    Until until;
    Milliseconds limit;
  };
  Round round(Until until) const { return {until, options.round_limit}; }
  void ask_all(const std::string& name, const RedisCommand& command, Round terms,
               std::function<void(RedlockRound& round, std::size_t server, const RedisResult& result)> each,
               RedlockRound::Done done);
  void close();

  BootTime limit() const { return BootClock::now() + options.each.request_limit; }

  EventLoop loop;
  const RedlockOptions options;
  const std::unique_ptr<OwnedKey> how = make_setnx_key(redlock_traits, "firstcome:redlock:");
  RedisClients clients{loop.executor()};
  std::vector<std::unique_ptr<LateArrivals>> late;  ///< of each server
};

std::expected<void, std::string> Servers::open(const net::RedisUrl& url) {
  if (url.topology != net::RedisUrl::Topology::redlock)
    return std::unexpected("a Redlock needs redlock://host,host,...");
  for (const net::RedisEndpoint& endpoint : url.endpoints()) {
    net::RedisOptions redis = options.each.redis;
    redis.seed = random_number();
    const std::size_t server = clients.size();
    clients.add(net::make_redis_client(loop.executor(), endpoint, {}, redis));
    late.push_back(std::make_unique<LateArrivals>(
        loop.executor(), [this, server](const LateArrivals::Owned& owned, std::move_only_function<void()> done) {
          clients.execute(server, owned.name, how->release(owned.name, owned.owner, {}), limit(),
                          [done = std::move(done)](const RedisResult&) mutable { done(); });
        }));
  }
  loop.start();
  return {};
}

void Servers::ask_all(const std::string& name, const RedisCommand& command, Round terms,
                      std::function<void(RedlockRound&, std::size_t, const RedisResult&)> each,
                      RedlockRound::Done done) {
  const std::size_t count = late.size();
  auto round = std::make_shared<RedlockRound>(count, terms.until, std::move(done));
  round->start(loop.executor(), terms.limit);
  for (std::size_t server = 0; server < count; ++server) {
    clients.execute(server, name, command, limit(),
                    [round, each, server](const RedisResult& result) { each(*round, server, result); });
  }
}

void Servers::close() {
  for (const auto& one : late) one->close();
  clients.close();
}

/// A script's 1 or 0.
void count_integer(RedlockRound& round, const RedisResult& result) {
  if (!result) return round.failed(result.error());
  result->to_integer() == 1 ? round.yes() : round.no();
}

/// Most did not answer, or not in time.
LockFailure failure_of(const Votes& votes) {
  LockFailure failure = lock_failure(votes.last);
  if (votes.maybe) failure.kind = LockFailure::Kind::broken;
  return failure;
}

/// One acquisition, on the loop's thread.
class RedlockClaim : public std::enable_shared_from_this<RedlockClaim> {
 public:
  RedlockClaim(std::shared_ptr<Servers> servers, const Contention& contention, std::string owner)
      : servers_(std::move(servers)),
        name_(contention.name),
        lease_(contention.lease),
        owner_(std::move(owner)),
        at_(servers_->late.size()) {}

  void attempt(Answer<AttemptAnswer> done);
  void cancel(Answer<CancelAnswer> done);
  void renew(Milliseconds length, Answer<RenewAnswer> done);
  void release(Try repeat, Answer<ReleaseAnswer> done);
  void end();

  EventLoop& loop() const { return servers_->loop; }
  const std::string& owner() const { return owner_; }

 private:
  /// What is known of one server.
  struct At {
    bool maybe = false;     ///< it may have our lock
    bool doubtful = false;  ///< it may get it yet: an acquire was not answered
    bool released = false;  ///< it said so
  };

  void voted(RedlockRound& round, std::size_t server, const std::string& value, const RedisResult& result);
  void look_for_doubtful();
  void decided(BootTime sent, const Votes& votes);
  void answer(AttemptAnswer answer);
  void release_all(Until until, RedlockRound::Done done);

  const std::shared_ptr<Servers> servers_;
  const std::string name_;
  const Milliseconds lease_;
  const std::string owner_;
  /// Of the key, on all servers: another for each attempt, so that a release of an earlier one that comes late does not
  /// end what this one took.
  std::string value_ = owner_;
  std::vector<At> at_;
  std::uint64_t attempt_ = 0;
  Answer<AttemptAnswer> asking_;
};

void RedlockClaim::attempt(Answer<AttemptAnswer> done) {
  assert(!asking_);
  asking_ = std::move(done);
  // The release of an earlier attempt that was not answered leaves that attempt's value behind, perhaps.
  for (At& at : at_) at.doubtful = at.doubtful || at.maybe;
  look_for_doubtful();
  value_ = owner_ + before_attempt + std::to_string(++attempt_);
  for (At& at : at_) {
    at.maybe = true;
    at.released = false;
  }
  const BootTime sent = BootClock::now();
  servers_->ask_all(
      name_, servers_->how->acquire(name_, value_, lease_), {Until::decided, servers_->options.attempt_limit},
      [self = shared_from_this(), value = value_](RedlockRound& round, std::size_t server, const RedisResult& result) {
        self->voted(round, server, value, result);
      },
      [self = shared_from_this(), sent](const Votes& votes) { self->decided(sent, votes); });
}

void RedlockClaim::voted(RedlockRound& round, std::size_t server, const std::string& value, const RedisResult& result) {
  if (!result) {
    if (result.error().may_have_run() && value == value_) {
      at_[server].doubtful = true;
    } else if (result.error().may_have_run()) {
      servers_->late[server]->look_for({name_, value});  // of an attempt that is over
    }
    return round.failed(result.error());
  }
  const OwnedKey::AcquireReply reply = servers_->how->read(*result, value);
  const auto* mine = std::get_if<OwnedKey::Mine>(&reply);
  // One that came late counts from an earlier time than the others: no vote.
  mine != nullptr && mine->since == OwnedKey::Mine::Since::now ? round.yes() : round.no();
}

/// The present attempt is over: what it may still get is given back.
void RedlockClaim::look_for_doubtful() {
  for (std::size_t server = 0; server < at_.size(); ++server) {
    if (std::exchange(at_[server].doubtful, false)) servers_->late[server]->look_for({name_, value_});
  }
}

void RedlockClaim::decided(BootTime sent, const Votes& votes) {
  if (!asking_) return;  // given up
  const bool in_time = BootClock::now() < deadline_of(sent, lease_);
  if (votes.most_said_yes() && in_time) return answer(Grant{.token = {}, .base = sent, .length = lease_});
  release_all(Until::decided, [](const Votes&) {});
  if (votes.most_said_yes() || votes.failed <= votes.servers - votes.majority()) return answer(Busy{});
  answer(failure_of(votes));
}

void RedlockClaim::answer(AttemptAnswer answer) {
  if (asking_) std::exchange(asking_, nullptr)(std::move(answer));
}

/// Also what was not answered yet: on each connection this comes after it.
void RedlockClaim::release_all(Until until, RedlockRound::Done done) {
  servers_->ask_all(
      name_, servers_->how->release(name_, value_, {}), servers_->round(until),
      [self = shared_from_this(), number = attempt_](RedlockRound& round, std::size_t server,
                                                     const RedisResult& result) {
        if (!result) return round.failed(result.error());
        const bool released = result->to_integer() == 1;
        At& at = self->at_[server];
        if (self->attempt_ == number) {  // else another acquire follows it
          at.maybe = false;
          at.released = at.released || released;
        }
        // Sent again, because others were silent: it counts that this one has said so before.
        released || at.released ? round.yes() : round.no();
      },
      std::move(done));
}

void RedlockClaim::cancel(Answer<CancelAnswer> done) {
  answer(Busy{});
  release_all(Until::answered, [self = shared_from_this(), done = std::move(done)](const Votes& votes) mutable {
    const auto left = static_cast<std::size_t>(std::ranges::count_if(self->at_, &At::maybe));
    // What a minority may still have keeps nobody out.
    if (left <= votes.servers - votes.majority()) return done({});
    done(std::unexpected(failure_of(votes)));
  });
}

void RedlockClaim::renew(Milliseconds length, Answer<RenewAnswer> done) {
  const BootTime sent = BootClock::now();
  servers_->ask_all(
      name_, servers_->how->renew(name_, value_, length), servers_->round(Until::decided),
      [](RedlockRound& round, std::size_t, const RedisResult& result) { count_integer(round, result); },
      [sent, length, done = std::move(done)](const Votes& votes) mutable {
        if (votes.most_said_yes()) return done(Renewed{sent, length});
        if (votes.most_said_no()) return done(Lost{});
        done(failure_of(votes));
      });
}

void RedlockClaim::release(Try repeat, Answer<ReleaseAnswer> done) {
  release_all(Until::decided, [repeat, done = std::move(done)](const Votes& votes) mutable {
    if (votes.most_said_yes()) return done(ReleaseOutcome::released);
    if (votes.most_said_no()) return done(repeat == Try::first ? ReleaseOutcome::lost : ReleaseOutcome::unknown);
    LockFailure failure = failure_of(votes);
    if (votes.yes > 0) failure.kind = LockFailure::Kind::broken;  // done in part
    done(std::unexpected(std::move(failure)));
  });
}

/// What could not be asked, or is under way, is looked for again.
void RedlockClaim::end() {
  if (std::ranges::any_of(at_, &At::maybe)) release_all(Until::decided, [](const Votes&) {});
  for (At& at : at_) at.doubtful = at.doubtful || at.maybe;
  look_for_doubtful();
}

class RedlockContender final : public Contender {
 public:
  explicit RedlockContender(std::shared_ptr<RedlockClaim> claim) : claim_(std::move(claim)) {}
  ~RedlockContender() override {
    claim_->loop().post([claim = claim_] { claim->end(); });
  }

  const std::string& owner() const override { return claim_->owner(); }
  void attempt(const Attempt& /*attempt*/, Answer<AttemptAnswer> done) override {
    ask_on_loop(claim_, std::move(done),
                [](RedlockClaim& claim, Answer<AttemptAnswer> to) { claim.attempt(std::move(to)); });
  }
  void cancel(Try /*repeat*/, Answer<CancelAnswer> done) override {
    ask_on_loop(claim_, std::move(done),
                [](RedlockClaim& claim, Answer<CancelAnswer> to) { claim.cancel(std::move(to)); });
  }
  void renew(Milliseconds length, BootTime /*useless_after*/, Answer<RenewAnswer> done) override {
    ask_on_loop(claim_, std::move(done),
                [length](RedlockClaim& claim, Answer<RenewAnswer> to) { claim.renew(length, std::move(to)); });
  }
  void release(Try repeat, Answer<ReleaseAnswer> done) override {
    ask_on_loop(claim_, std::move(done),
                [repeat](RedlockClaim& claim, Answer<ReleaseAnswer> to) { claim.release(repeat, std::move(to)); });
  }

 private:
  const std::shared_ptr<RedlockClaim> claim_;
};

using Viewed = std::expected<LockView, LockFailure>;
/// By owner: how long each server says that it lasts.
using Seen = std::map<std::string, std::vector<std::int64_t>>;

Viewed view_of(Seen& seen, const Votes& votes) {
  if (votes.is_vain()) return std::unexpected(failure_of(votes));
  LockView view;
  for (auto& [owner, lasts] : seen) {
    if (lasts.size() < votes.majority()) continue;
    std::ranges::sort(lasts, std::greater{});
    view.held = true;
    view.owner = owner.substr(0, owner.find(before_attempt));
    view.expires_in = Milliseconds{std::max<std::int64_t>(lasts[votes.majority() - 1], 0)};
  }
  return view;
}

class RedlockLocks final : public LockBackend {
 public:
  explicit RedlockLocks(std::shared_ptr<Servers> servers) : servers_(std::move(servers)) {}

  const LockTraits& traits() const override { return servers_->how->traits(); }

  std::shared_ptr<Contender> contend(Contention contention, std::weak_ptr<ContenderEvents> /*events*/) override {
    std::string owner = servers_->how->owner(++last_number_);
    return std::make_shared<RedlockContender>(std::make_shared<RedlockClaim>(servers_, contention, std::move(owner)));
  }

  void inspect(const std::string& name, Answer<Viewed> done) override {
    auto kept = std::make_shared<Answer<Viewed>>(std::move(done));
    const bool taken = servers_->loop.post([servers = servers_, name, kept] {
      auto seen = std::make_shared<Seen>();
      const auto look = [seen](RedlockRound& round, std::size_t, const RedisResult& result) {
        if (!result) return round.failed(result.error());
        if (!result->at(0).is_nil()) (*seen)[result->at(0).text].push_back(result->at(1).integer);
        round.yes();
      };
      servers->ask_all(name, servers->how->inspect(name), servers->round(Until::answered), look,
                       [seen, kept](const Votes& votes) { (*kept)(view_of(*seen, votes)); });
    });
    if (!taken) (*kept)(std::unexpected(closed_failure()));
  }

  void close() override {
    servers_->loop.close([servers = servers_] { servers->close(); });
  }

 private:
  const std::shared_ptr<Servers> servers_;
  std::atomic<std::uint64_t> last_number_ = 0;
};

}  // namespace

std::expected<std::shared_ptr<LockBackend>, std::string> make_redlock_locks(const net::RedisUrl& url,
                                                                            RedlockOptions options) {
  auto servers = std::make_shared<Servers>(std::move(options));
  if (auto opened = servers->open(url); !opened) return std::unexpected(std::move(opened.error()));
  return std::make_shared<RedlockLocks>(std::move(servers));
}

}  // namespace firstcome::lock
