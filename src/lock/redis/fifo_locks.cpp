#include "lock/ask_on_loop.hpp"
#include "lock/redis/fifo.hpp"
#include "lock/redis/fifo_desk.hpp"
#include "lock/redis/fifo_office.hpp"
#include "lock/redis/redis_failure.hpp"

#include <utility>

namespace firstcome::lock {

namespace {

/// Brings the calls to the loop's thread.
class FifoContender final : public Contender {
 public:
  FifoContender(std::shared_ptr<FifoOffice> office, FifoDesk::Seat seat)
      : office_(std::move(office)), seat_(std::move(seat)) {}
  ~FifoContender() override {
    office_->loop().post([office = office_, seat = seat_] {
      const bool is_over = seat->phase == FifoSeat::Phase::ended || seat->phase == FifoSeat::Phase::fresh;
      if (!is_over) office->desk(seat->name)->leave(seat);
    });
  }

  const std::string& owner() const override { return seat_->owner(); }
  void attempt(const Attempt& attempt, Answer<AttemptAnswer> done) override {
    ask(std::move(done), [attempt](FifoDesk& desk, const FifoDesk::Seat& seat, Answer<AttemptAnswer> to) {
      desk.attempt(seat, attempt, std::move(to));
    });
  }
  void cancel(Try /*repeat*/, Answer<CancelAnswer> done) override {
    ask(std::move(done),
        [](FifoDesk& desk, const FifoDesk::Seat& seat, Answer<CancelAnswer> to) { desk.cancel(seat, std::move(to)); });
  }
  void renew(Milliseconds length, BootTime useless_after, Answer<RenewAnswer> done) override {
    ask(std::move(done), [length, useless_after](FifoDesk& desk, const FifoDesk::Seat& seat, Answer<RenewAnswer> to) {
      desk.renew(seat, length, useless_after, std::move(to));
    });
  }
  void held(std::function<void()> doubtful) override { seat_->call_in_doubt(std::move(doubtful)); }
  void release(Try repeat, Answer<ReleaseAnswer> done) override {
    ask(std::move(done), [repeat](FifoDesk& desk, const FifoDesk::Seat& seat, Answer<ReleaseAnswer> to) {
      desk.release(seat, repeat, std::move(to));
    });
  }
  void shrink(std::uint32_t weight, Answer<ShrinkAnswer> done) override {
    ask(std::move(done), [weight](FifoDesk& desk, const FifoDesk::Seat& seat, Answer<ShrinkAnswer> to) {
      desk.shrink(seat, weight, std::move(to));
    });
  }

 private:
  template <typename Answered, typename Work>
  void ask(Answer<Answered> done, Work work) {
    ask_on_loop(office_, std::move(done), [seat = seat_, work](FifoOffice& office, Answer<Answered> to) {
      work(*office.desk(seat->name), seat, std::move(to));
    });
  }

  const std::shared_ptr<FifoOffice> office_;
  const FifoDesk::Seat seat_;
};

using Viewed = std::expected<LockView, LockFailure>;

Viewed view_of(const net::RedisResult& result) {
  if (!result) return std::unexpected(lock_failure(result.error()));
  const std::optional<InspectReply> reply = read_inspect(*result);
  if (!reply) return std::unexpected(LockFailure{LockFailure::Kind::broken, "no reply of a FIFO lock's script"});
  LockView view;
  view.held = !reply->owner.empty();
  if (reply->token != 0) view.token = reply->token;
  if (view.held) view.expires_in = reply->left;
  view.waiting = static_cast<std::size_t>(reply->waiting);
  view.owner = reply->owner;
  return view;
}

SharesViewed shares_of(const net::RedisResult& result) {
  if (!result) return std::unexpected(lock_failure(result.error()));
  const std::optional<SharesView> view = read_shares(*result);
  if (!view) return std::unexpected(LockFailure{LockFailure::Kind::broken, "no reply of a permits' script"});
  return *view;
}

class FifoLocks final : public LockBackend {
 public:
  explicit FifoLocks(std::shared_ptr<FifoOffice> office) : office_(std::move(office)) {}

  const LockTraits& traits() const override {
    static constexpr LockTraits all{
        .kind = "fifo", .tokens = true, .fifo = true, .shares = true, .frees = true, .named_leases = true};
    return all;
  }

  std::shared_ptr<Contender> contend(Contention contention, std::weak_ptr<ContenderEvents> events) override {
    const std::uint64_t number = office_->next_number();
    auto seat = std::make_shared<FifoSeat>(number, office_->owner(number), contention, std::move(events));
    return std::make_shared<FifoContender>(office_, std::move(seat));
  }

  void inspect(const std::string& name, Answer<Viewed> done) override {
    look({Share::Of::lock, name}, view_of, std::move(done));
  }
  void inspect_shares(const ShareName& name, Answer<SharesViewed> done) override {
    look(name, shares_of, std::move(done));
  }
  void set_capacity(const ShareName& name, std::uint32_t capacity,
                    Answer<std::expected<void, LockFailure>> done) override {
    on_loop(std::move(done),
            [office = office_, name, capacity](auto to) { office->desk(name)->set_capacity(capacity, std::move(to)); });
  }

  void force_release(const std::string& name, std::uint64_t token,
                     Answer<std::expected<FreeOutcome, LockFailure>> done) override {
    at_desk(name, std::move(done), [token](FifoDesk& desk, auto to) { desk.force_release(token, std::move(to)); });
  }

  void find_holder(const std::string& name, const std::string& holder, Answer<HolderAnswer> done) override {
    at_desk(name, std::move(done), [holder](FifoDesk& desk, auto to) { desk.find_holder(holder, std::move(to)); });
  }
  void renew_holder(const std::string& name, const std::string& holder, Answer<HolderAnswer> done) override {
    at_desk(name, std::move(done), [holder](FifoDesk& desk, auto to) { desk.renew_holder(holder, std::move(to)); });
  }
  void release_holder(const std::string& name, const std::string& holder, Answer<ReleaseAnswer> done) override {
    at_desk(name, std::move(done), [holder](FifoDesk& desk, auto to) { desk.release_holder(holder, std::move(to)); });
  }

  void observe(std::shared_ptr<LockObserver> observer) override {
    office_->loop().post(
        [office = office_, observer = std::move(observer)]() mutable { office->observe(std::move(observer)); });
  }

  void close() override {
    office_->loop().close([office = office_] { office->close(); });
  }

 private:
  template <typename Answered>
  void look(const ShareName& name, Answered (*read)(const net::RedisResult&), Answer<Answered> done) {
    on_loop(std::move(done), [office = office_, name, read](Answer<Answered> to) {
      const FifoPlace place = office->place(name);
      office->execute(place.key, inspect_command(office->scripts(place), place), office->limit(),
                      [to = std::move(to), read](const net::RedisResult& result) mutable { to(read(result)); });
    });
  }
  /// Of a lock.
  template <typename Answered, typename Work>
  void at_desk(const std::string& name, Answer<Answered> done, Work work) {
    on_loop(std::move(done), [office = office_, name, work](Answer<Answered> to) {
      work(*office->desk({Share::Of::lock, name}), std::move(to));
    });
  }
  template <typename Answered, typename Work>
  void on_loop(Answer<Answered> done, Work work) {
    auto kept = std::make_shared<Answer<Answered>>(std::move(done));
    const bool taken = office_->loop().post([kept, work = std::move(work)] { work(std::move(*kept)); });
    if (!taken) (*kept)(std::unexpected(closed_failure()));
  }

  const std::shared_ptr<FifoOffice> office_;
};

}  // namespace

std::expected<std::shared_ptr<LockBackend>, std::string> make_fifo_locks(const net::RedisUrl& url,
                                                                         FifoOptions options) {
  auto office = std::make_shared<FifoOffice>(std::move(options));
  if (auto opened = office->open(url); !opened) return std::unexpected(std::move(opened.error()));
  return std::make_shared<FifoLocks>(std::move(office));
}

std::expected<std::unique_ptr<LockSpace>, std::string> make_fifo_lock_space(const net::RedisUrl& url,
                                                                            LockSettings settings,
                                                                            FifoOptions options) {
  auto backend = make_fifo_locks(url, std::move(options));
  if (!backend) return std::unexpected(std::move(backend.error()));
  return make_lock_space(std::move(*backend), std::move(settings));
}

}  // namespace firstcome::lock
