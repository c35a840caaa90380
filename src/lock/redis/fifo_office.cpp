#include "lock/redis/fifo_office.hpp"

#include "lock/identity.hpp"
#include "lock/redis/fifo_desk.hpp"
#include "lock/redis/redis_failure.hpp"

#include <algorithm>
#include <utility>

namespace firstcome::lock {

namespace {

constexpr std::size_t most_gone = 4'096;
constexpr std::size_t most_desks = 256;                // that are kept though nobody needs them
constexpr std::chrono::milliseconds close_limit{250};  // for releases that leave with the space
/// So long after this process came back, others may be coming back as well.
constexpr std::chrono::seconds settling{1};

}  // namespace

FifoOffice::FifoOffice(FifoOptions options) : options_(std::move(options)), process_(random_identity()) {}

FifoOffice::~FifoOffice() = default;

std::expected<void, std::string> FifoOffice::open(const net::RedisUrl& url) {
  net::RedisOptions redis = options_.redis;
  if (redis.seed == 0) redis.seed = random_number();
  auto made = net::make_redis_client(loop_.executor(), url, events(), redis);
  if (!made) return std::unexpected(made.error());
  client_ = std::move(*made);
  if (options_.replicas > 0) {
    auto grants = net::make_redis_client(loop_.executor(), url, {}, redis);
    if (!grants) return std::unexpected(grants.error());
    replicas_ = std::make_shared<FifoReplicas>(
        std::move(*grants), options_.replicas,
        [this](net::RedisClient& client, const std::string& key, net::RedisCommand command, net::RedisDone wanted) {
          run(&client, key, std::move(command), limit(), std::move(wanted));
        });
  }
  inboxes_.emplace(*client_,
                   [this] { tell([this](LockObserver& observer) { observer.deaf(inboxes_->deaf_ones()); }); });
  loop_.start();
  return {};
}

net::RedisClientEvents FifoOffice::events() {
  net::RedisClientEvents told_of;
  told_of.message = [this](std::string_view, std::string_view text) { told(text); };
  told_of.connected = [this] { connected(); };
  told_of.subscribed = [this] {
    inboxes_->subscribed(limit());
    for_each_desk([](FifoDesk& desk) { desk.heard_again(); });
  };
  told_of.dropped = [this](const std::string& channel) { inboxes_->dropped(channel, limit()); };
  told_of.deaf = [this](const std::string&) { inboxes_->deaf(); };
  return told_of;
}

template <typename Call>
void FifoOffice::for_each_desk(Call call) {
  std::vector<std::shared_ptr<FifoDesk>> desks;
  for (const auto& [name, desk] : desks_) desks.push_back(desk);
  for (const auto& desk : desks) call(*desk);
}

void FifoOffice::connected() {
  if (!std::exchange(was_connected_, true)) return;
  tell([](LockObserver& observer) { observer.reconnected(); });
  for_each_desk([](FifoDesk& desk) { desk.connected(); });
}

void FifoOffice::told(std::string_view text) {
  const std::optional<FifoGrant> grant = read_message(text);
  if (!grant || grant->number == 0) return;
  if (const auto found = by_number_.find(grant->number); found != by_number_.end()) {
    const std::shared_ptr<FifoDesk> to = found->second;
    to->told(*grant);
  } else if (const auto left = std::ranges::find(gone_, grant->number, &Gone::number); left != gone_.end()) {
    desk(*left->name)->told(*grant);
  }
}

void FifoOffice::execute(const std::string& key, net::RedisCommand command, BootTime deadline, net::RedisDone done) {
  run(client_.get(), key, std::move(command), deadline, std::move(done));
}

void FifoOffice::execute_grant(const std::string& key, net::RedisCommand command, BootTime deadline,
                               net::RedisDone done) {
  run(replicas_ ? replicas_->client() : client_.get(), key, std::move(command), deadline, std::move(done));
}

void FifoOffice::run(net::RedisClient* client, const std::string& key, net::RedisCommand command, BootTime deadline,
                     net::RedisDone done) {
  if (client == nullptr) {
    return done(std::unexpected(net::RedisFailure{.code = "closed", .detail = closed_failure().detail}));
  }
  ++under_way_;
  client->execute(key, std::move(command), loop_deadline(deadline),
                  [this, done = std::move(done)](net::RedisResult result) mutable {
                    --under_way_;
                    done(std::move(result));
                    if (closing_ && under_way_ == 0) shut();
                  });
}

Trust FifoOffice::trust(const std::string& key) const {
  const SteadyTime since = settled_since(key);
  if (since == SteadyTime::max()) return Trust::no;
  return std::chrono::steady_clock::now() - since >= settling ? Trust::yes : Trust::no;
}

void FifoOffice::when_replicated(const std::string& key, FifoReplicas::Known done) {
  if (!replicas_) return done(closed_failure());
  replicas_->when_replicated(key, std::move(done));
}

FifoPlace FifoOffice::place(const ShareName& name) const {
  return fifo_place(name, process_, is_cluster() ? Channels::by_name : Channels::one_for_all);
}

std::shared_ptr<FifoDesk> FifoOffice::desk(const ShareName& name) {
  std::shared_ptr<FifoDesk>& desk = desks_[name];
  if (!desk) desk = std::make_shared<FifoDesk>(*this, name, place(name));
  return desk;
}

void FifoOffice::seated(std::uint64_t number, const std::shared_ptr<FifoDesk>& desk) { by_number_[number] = desk; }

void FifoOffice::gone(std::uint64_t number, std::shared_ptr<const ShareName> name) {
  by_number_.erase(number);
  Gone one{number, std::move(name)};
  if (gone_.size() < most_gone) {
    gone_.push_back(std::move(one));
  } else {
    gone_[oldest_gone_] = std::move(one);
    oldest_gone_ = (oldest_gone_ + 1) % most_gone;
  }
}

void FifoOffice::idle(const FifoDesk& desk) {
  const auto found = desks_.find(desk.name());
  if (found == desks_.end() || found->second.get() != &desk) return;
  if (is_cluster()) inboxes_->idle(desk.place().channel(), BootClock::now());  // else the one inbox stays
  if (desks_.size() > most_desks) desks_.erase(found);
}

void FifoOffice::close() {
  inboxes_->close();
  for_each_desk([](FifoDesk& desk) { desk.close(); });
  closing_.emplace(loop_.executor(), close_limit);
  closing_->async_wait([this](boost::system::error_code) { shut(); });
  if (under_way_ == 0) shut();
}

void FifoOffice::shut() {
  closing_->cancel();
  if (replicas_) replicas_->close();
  client_.reset();
  desks_.clear();
  by_number_.clear();
}

}  // namespace firstcome::lock
