#include "lock/sql/sql_locks.hpp"

#include "lock/ask_on_loop.hpp"
#include "lock/identity.hpp"
#include "lock/sql/sql_claim.hpp"

#include <atomic>
#include <charconv>
#include <utility>

namespace firstcome::lock {

namespace {

class SqlContender final : public Contender {
 public:
  explicit SqlContender(std::shared_ptr<SqlClaim> claim) : claim_(std::move(claim)) {}
  ~SqlContender() override {
    claim_->home().loop.post([claim = claim_] { claim->end(); });
  }

  const std::string& owner() const override { return claim_->owner(); }
  void attempt(const Attempt& attempt, Answer<AttemptAnswer> done) override {
    ask_on_loop(claim_, std::move(done),
                [attempt](SqlClaim& claim, Answer<AttemptAnswer> to) { claim.attempt(attempt, std::move(to)); });
  }
  void cancel(Try /*repeat*/, Answer<CancelAnswer> done) override {
    ask_on_loop(claim_, std::move(done), [](SqlClaim& claim, Answer<CancelAnswer> to) { claim.cancel(std::move(to)); });
  }
  void renew(Milliseconds length, BootTime useless_after, Answer<RenewAnswer> done) override {
    ask_on_loop(claim_, std::move(done), [length, useless_after](SqlClaim& claim, Answer<RenewAnswer> to) {
      claim.renew(length, useless_after, std::move(to));
    });
  }
  void held(std::function<void()> doubtful) override {
    claim_->home().loop.post(
        [claim = claim_, doubtful = std::move(doubtful)]() mutable { claim->held(std::move(doubtful)); });
  }
  void release(Try repeat, Answer<ReleaseAnswer> done) override {
    ask_on_loop(claim_, std::move(done),
                [repeat](SqlClaim& claim, Answer<ReleaseAnswer> to) { claim.release(repeat, std::move(to)); });
  }

 private:
  const std::shared_ptr<SqlClaim> claim_;
};

using Viewed = std::expected<LockView, LockFailure>;

Viewed view_of(const SqlResult& result) {
  if (!result) return std::unexpected(result.error().failure);
  LockView view;
  if (!*result) return view;
  view.held = true;
  std::size_t waiting = 0;
  const std::string& text = **result;
  if (std::from_chars(text.data(), text.data() + text.size(), waiting).ec == std::errc{}) view.waiting = waiting;
  return view;
}

class SqlLocks final : public LockBackend {
 public:
  explicit SqlLocks(std::shared_ptr<SqlHome> home) : home_(std::move(home)) { home_->loop.start(); }

  const LockTraits& traits() const override { return home_->server->traits(); }
  Answers answers() const override { return Answers::after_the_wait; }

  std::shared_ptr<Contender> contend(Contention contention, std::weak_ptr<ContenderEvents> /*events*/) override {
    std::string owner = identity_ + ":" + std::to_string(++last_number_);
    return std::make_shared<SqlContender>(std::make_shared<SqlClaim>(home_, contention, std::move(owner)));
  }

  void inspect(const std::string& name, Answer<Viewed> done) override {
    auto kept = std::make_shared<Answer<Viewed>>(std::move(done));
    const std::string sql = home_->server->inspect_sql(home_->server->key_of(name));
    const bool taken = home_->loop.post([home = home_, sql, kept] {
      home->pool.run_errand(sql, [kept](const SqlResult& result) { (*kept)(view_of(result)); });
    });
    if (!taken) (*kept)(std::unexpected(closed_failure()));
  }

  void close() override {
    home_->loop.close([home = home_] { home->close(); });
    home_->pool.join();
  }

 private:
  const std::shared_ptr<SqlHome> home_;
  const std::string identity_ = random_identity();
  std::atomic<std::uint64_t> last_number_ = 0;
};

}  // namespace

std::shared_ptr<LockBackend> make_sql_locks(std::shared_ptr<SqlServer> server, const SqlLockOptions& options) {
  return std::make_shared<SqlLocks>(std::make_shared<SqlHome>(std::move(server), options));
}

}  // namespace firstcome::lock
