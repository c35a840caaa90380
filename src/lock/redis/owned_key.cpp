#include "lock/redis/owned_key.hpp"

#include "lock/ask_on_loop.hpp"
#include "lock/event_loop.hpp"
#include "lock/identity.hpp"
#include "lock/redis/late_arrivals.hpp"
#include "lock/redis/redis_clients.hpp"
#include "lock/redis/redis_failure.hpp"
#include "lock/redis/wakeups.hpp"

#include <algorithm>
#include <atomic>
#include <cassert>
#include <utility>

namespace firstcome::lock {

namespace {

using net::RedisCommand;
using net::RedisDone;
using net::RedisResult;
using std::chrono::milliseconds;

constexpr milliseconds longest_pause{1'000};  // a message may be lost
constexpr milliseconds deaf_pause{100};       // and surely is where there is no channel
constexpr milliseconds least_patience{500};

/// What the acquisitions of one backend share. Its members are used on the loop's thread, but for `loop` and `how`.
struct Home {
  Home(std::unique_ptr<OwnedKey> written, RedisLockOptions given) : how(std::move(written)), options(given) {}

  /// The error as of make_owned_key_locks.
  std::expected<void, std::string> open(const net::RedisUrl& url);
  net::RedisClientEvents events();
  void execute(std::string_view name, RedisCommand command, BootTime deadline, RedisDone done);
  void release(const std::string& name, const std::string& owner, RedisDone done);
  void close();

  BootTime limit() const { return BootClock::now() + options.request_limit; }

  EventLoop loop;
  const std::unique_ptr<OwnedKey> how;
  const RedisLockOptions options;
  RedisClients clients{loop.executor()};  ///< one
  std::string publish;                    ///< the command that publishes
  std::optional<Wakeups> wakeups;         ///< where releases are published
  std::optional<LateArrivals> late;
};

std::expected<void, std::string> Home::open(const net::RedisUrl& url) {
  net::RedisOptions redis = options.redis;
  if (redis.seed == 0) redis.seed = random_number();
  auto made = net::make_redis_client(loop.executor(), url, events(), redis);
  if (!made) return std::unexpected(made.error());
  net::RedisClient& client = clients.add(std::move(*made));
  publish = client.publish_command();
  if (!how->channel("a").empty()) wakeups.emplace(loop.executor(), client);
  late.emplace(loop.executor(), [this](const LateArrivals::Owned& owned, std::move_only_function<void()> done) {
    release(owned.name, owned.owner, [done = std::move(done)](const RedisResult&) mutable { done(); });
  });
  loop.start();
  return {};
}

net::RedisClientEvents Home::events() {
  net::RedisClientEvents told;
  told.message = [this](std::string_view channel, std::string_view payload) {
    if (wakeups) wakeups->message(channel, payload);
  };
  told.subscribed = [this] {
    if (wakeups) wakeups->subscribed();
  };
  told.deaf = [this](const std::string&) {
    if (wakeups) wakeups->deaf();
  };
  return told;
}

void Home::execute(std::string_view name, RedisCommand command, BootTime deadline, RedisDone done) {
  clients.execute(0, name, std::move(command), deadline, std::move(done));
}

void Home::release(const std::string& name, const std::string& owner, RedisDone done) {
  execute(name, how->release(name, owner, publish), limit(), std::move(done));
}

void Home::close() {
  late->close();
  if (wakeups) wakeups->close();
  clients.close();
}

/// One acquisition, on the loop's thread.
class Claim : public std::enable_shared_from_this<Claim> {
 public:
  Claim(std::shared_ptr<Home> home, const Contention& contention, std::string owner,
        std::weak_ptr<ContenderEvents> events)
      : home_(std::move(home)), name_(contention.name), lease_(contention.lease), owner_(std::move(owner)) {
    seat_->channel = home_->how->channel(name_);
    seat_->events = std::move(events);
  }

  void attempt(const Attempt& attempt, Answer<AttemptAnswer> done);
  void cancel(Answer<CancelAnswer> done);
  void renew(Milliseconds length, BootTime useless_after, Answer<RenewAnswer> done);
  void release(Try repeat, Answer<ReleaseAnswer> done);
  void end();

  EventLoop& loop() const { return home_->loop; }
  const std::string& owner() const { return owner_; }

 private:
  void ask();
  void answered(BootTime sent, const RedisResult& result);
  void taken(const OwnedKey::Taken& taken);
  void listen(std::optional<Milliseconds> ends_in);
  void answer(AttemptAnswer answer, Wakeups::Ended how);
  void undo();

  const std::shared_ptr<Home> home_;
  const std::string name_;
  const Milliseconds lease_;
  const std::string owner_;
  const std::shared_ptr<Wakeups::Seat> seat_ = std::make_shared<Wakeups::Seat>();

  Attempt::Mode mode_ = Attempt::Mode::once;
  Answer<AttemptAnswer> asking_;    ///< an attempt is to be answered
  bool in_flight_ = false;          ///< its command is under way
  Answer<CancelAnswer> cancelled_;  ///< given up, to be answered
  bool held_ = false;
  std::optional<BootTime> doubtful_since_;  ///< the earliest acquire without an answer was sent
};

void Claim::attempt(const Attempt& attempt, Answer<AttemptAnswer> done) {
  assert(!asking_ && !cancelled_);
  mode_ = attempt.mode;
  asking_ = std::move(done);
  if (mode_ == Attempt::Mode::wait && home_->wakeups && home_->wakeups->hears(seat_->channel)) {
    home_->wakeups->sit(seat_);
  }
  Wakeups::begins(*seat_);
  ask();
}

void Claim::ask() {
  in_flight_ = true;
  const BootTime sent = BootClock::now();
  home_->execute(name_, home_->how->acquire(name_, owner_, lease_), home_->limit(),
                 [self = shared_from_this(), sent](const RedisResult& result) { self->answered(sent, result); });
}

void Claim::answered(BootTime sent, const RedisResult& result) {
  in_flight_ = false;
  if (!result) {
    if (result.error().may_have_run() && !doubtful_since_) doubtful_since_ = sent;
    answer(lock_failure(result.error()), Wakeups::Ended::failed);
  } else {
    const OwnedKey::AcquireReply reply = home_->how->read(*result, owner_);
    if (const auto* mine = std::get_if<OwnedKey::Mine>(&reply)) {
      held_ = true;
      const bool earlier = mine->since == OwnedKey::Mine::Since::earlier;
      answer(Grant{.token = {}, .base = earlier ? doubtful_since_.value_or(sent) : sent, .length = lease_},
             Wakeups::Ended::taken);
    } else {
      taken(std::get<OwnedKey::Taken>(reply));
    }
  }
  if (cancelled_) undo();
}

void Claim::taken(const OwnedKey::Taken& taken) {
  if (!home_->wakeups) return answer(Busy{}, Wakeups::Ended::busy);
  const bool will_hear = seat_->seated && home_->wakeups->hears(seat_->channel);
  if (mode_ == Attempt::Mode::wait && !will_hear && !cancelled_ && !home_->clients.closed())
    return listen(taken.ends_in);
  const Milliseconds pause = taken.ends_in ? *taken.ends_in + milliseconds(1) : longest_pause;
  answer(Busy{.retry_in = std::min(pause, longest_pause)}, Wakeups::Ended::busy);
}

/// Subscribes, then tries again: it may have been released in between.
void Claim::listen(std::optional<Milliseconds> ends_in) {
  home_->wakeups->sit(seat_);
  home_->wakeups->hear(seat_->channel, loop_deadline(home_->limit()), [self = shared_from_this(), ends_in](bool hears) {
    if (!self->asking_ || self->in_flight_) return;  // given up
    if (hears) return self->ask();
    self->answer(Busy{.retry_in = std::min(ends_in.value_or(deaf_pause), deaf_pause)}, Wakeups::Ended::busy);
  });
}

void Claim::answer(AttemptAnswer answer, Wakeups::Ended how) {
  Wakeups::ends(*seat_, how);
  if (how == Wakeups::Ended::taken && home_->wakeups) home_->wakeups->leave(seat_);
  if (asking_) std::exchange(asking_, nullptr)(std::move(answer));
}

void Claim::cancel(Answer<CancelAnswer> done) {
  if (home_->wakeups) home_->wakeups->leave(seat_);
  cancelled_ = std::move(done);
  if (in_flight_) return;  // its answer says what there is to undo
  if (asking_) answer(Busy{}, Wakeups::Ended::busy);
  undo();
}

void Claim::undo() {
  Answer<CancelAnswer> done = std::exchange(cancelled_, nullptr);
  if (!held_ && !doubtful_since_) return done({});
  home_->release(name_, owner_, [self = shared_from_this(), done = std::move(done)](const RedisResult& result) mutable {
    if (!result) return done(std::unexpected(lock_failure(result.error())));
    self->held_ = false;
    if (!std::exchange(self->doubtful_since_, std::nullopt)) return done({});
    self->home_->late->look_for({self->name_, self->owner_}, [done = std::move(done)]() mutable { done({}); });
  });
}

void Claim::renew(Milliseconds length, BootTime useless_after, Answer<RenewAnswer> done) {
  const BootTime sent = BootClock::now();
  // Not less than some time for the answer: one that is late costs everybody the connection.
  const BootTime deadline = std::max(std::min(home_->limit(), useless_after), sent + least_patience);
  home_->execute(name_, home_->how->renew(name_, owner_, length), deadline,
                 [self = shared_from_this(), sent, length, done = std::move(done)](const RedisResult& result) mutable {
                   if (!result) return done(lock_failure(result.error()));
                   if (result->to_integer() == 1) return done(Renewed{sent, length});
                   self->held_ = false;
                   done(Lost{});
                 });
}

void Claim::release(Try repeat, Answer<ReleaseAnswer> done) {
  home_->release(name_, owner_,
                 [self = shared_from_this(), repeat, done = std::move(done)](const RedisResult& result) mutable {
                   if (!result) return done(std::unexpected(lock_failure(result.error())));
                   self->held_ = false;
                   if (result->to_integer() == 1) return done(ReleaseOutcome::released);
                   // Was it the try before that released it, or was it lost before? Redis has forgotten.
                   done(repeat == Try::first ? ReleaseOutcome::lost : ReleaseOutcome::unknown);
                 });
}

void Claim::end() {
  if (home_->wakeups) home_->wakeups->leave(seat_);
  if (held_) home_->release(name_, owner_, [](const RedisResult&) {});
  if (doubtful_since_) home_->late->look_for({name_, owner_});
}

class OwnedKeyContender final : public Contender {
 public:
  explicit OwnedKeyContender(std::shared_ptr<Claim> claim) : claim_(std::move(claim)) {}
  ~OwnedKeyContender() override {
    claim_->loop().post([claim = claim_] { claim->end(); });
  }

  const std::string& owner() const override { return claim_->owner(); }
  void attempt(const Attempt& attempt, Answer<AttemptAnswer> done) override {
    ask_on_loop(claim_, std::move(done),
                [attempt](Claim& claim, Answer<AttemptAnswer> to) { claim.attempt(attempt, std::move(to)); });
  }
  void cancel(Try /*repeat*/, Answer<CancelAnswer> done) override {
    ask_on_loop(claim_, std::move(done), [](Claim& claim, Answer<CancelAnswer> to) { claim.cancel(std::move(to)); });
  }
  void renew(Milliseconds length, BootTime useless_after, Answer<RenewAnswer> done) override {
    ask_on_loop(claim_, std::move(done), [length, useless_after](Claim& claim, Answer<RenewAnswer> to) {
      claim.renew(length, useless_after, std::move(to));
    });
  }
  void release(Try repeat, Answer<ReleaseAnswer> done) override {
    ask_on_loop(claim_, std::move(done),
                [repeat](Claim& claim, Answer<ReleaseAnswer> to) { claim.release(repeat, std::move(to)); });
  }

 private:
  const std::shared_ptr<Claim> claim_;
};

using Viewed = std::expected<LockView, LockFailure>;

Viewed view_of(const RedisResult& result) {
  if (!result) return std::unexpected(lock_failure(result.error()));
  LockView view;
  if (result->at(0).is_nil()) return view;
  view.held = true;
  view.owner = result->at(0).text;
  if (const std::int64_t ends_in = result->at(1).integer; ends_in >= 0) view.expires_in = Milliseconds{ends_in};
  return view;
}

class OwnedKeyLocks final : public LockBackend {
 public:
  explicit OwnedKeyLocks(std::shared_ptr<Home> home) : home_(std::move(home)) {}

  const LockTraits& traits() const override { return home_->how->traits(); }

  std::shared_ptr<Contender> contend(Contention contention, std::weak_ptr<ContenderEvents> events) override {
    std::string owner = home_->how->owner(++last_number_);
    return std::make_shared<OwnedKeyContender>(
        std::make_shared<Claim>(home_, contention, std::move(owner), std::move(events)));
  }

  void inspect(const std::string& name, Answer<Viewed> done) override {
    auto kept = std::make_shared<Answer<Viewed>>(std::move(done));
    const bool taken = home_->loop.post([home = home_, name, kept] {
      home->execute(name, home->how->inspect(name), home->limit(),
                    [kept](const RedisResult& result) { (*kept)(view_of(result)); });
    });
    if (!taken) (*kept)(std::unexpected(closed_failure()));
  }

  void close() override {
    home_->loop.close([home = home_] { home->close(); });
  }

 private:
  const std::shared_ptr<Home> home_;
  std::atomic<std::uint64_t> last_number_ = 0;
};

}  // namespace

std::expected<std::shared_ptr<LockBackend>, std::string> make_owned_key_locks(const net::RedisUrl& url,
                                                                              std::unique_ptr<OwnedKey> how,
                                                                              RedisLockOptions options) {
  auto home = std::make_shared<Home>(std::move(how), std::move(options));
  if (auto opened = home->open(url); !opened) return std::unexpected(std::move(opened.error()));
  return std::make_shared<OwnedKeyLocks>(std::move(home));
}

}  // namespace firstcome::lock
