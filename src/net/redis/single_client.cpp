#include "net/redis/single_client.hpp"

#include "net/redis/master_finder.hpp"

#include <algorithm>
#include <optional>
#include <utility>

namespace firstcome::net {

using std::chrono::steady_clock;

namespace {

constexpr steady_clock::time_point never = steady_clock::time_point::max();

}  // namespace

// Shared with nobody but the callback that runs, which may be the one in which the client is destroyed. Callbacks of
// its connections hold it plainly: they are not called after it has gone.
struct RedisSingleClient::State : std::enable_shared_from_this<State> {
  State(IoExecutor where, const RedisEndpoint& endpoint, RedisClientEvents what, const RedisOptions& how,
        RedisRole which)
      : executor(where), options(how), role(which), events(std::move(what)), commands(where, endpoint, how, which) {
    commands.when_connected([this](std::uint64_t) { on_connected(); });
    commands.when_lost([this](const std::string&) { on_lost(); });
  }

  void find_master(const RedisUrl& sentinels);
  void start_channels();

  void on_connected();
  void on_lost();
  void on_subscribed();
  void on_deaf(const std::string& reason);
  void on_found(const RedisAddress& address);
  void on_in_vain(const RedisFailure& why);

  IoExecutor executor;
  RedisOptions options;
  RedisRole role;
  RedisClientEvents events;
  bool ended = false;  // the client has gone
  steady_clock::time_point commands_since = never;
  steady_clock::time_point channels_since = never;
  bool no_longer_master = false;  // it has answered READONLY
  RedisConnection commands;
  std::optional<RedisSubscriber> channels = {};
  std::optional<RedisMasterFinder> finder = {};
};

void RedisSingleClient::State::find_master(const RedisUrl& sentinels) {
  RedisMasterFinder::Events what;
  what.found = [this](const RedisAddress& address) { on_found(address); };
  what.in_vain = [this](const RedisFailure& why) { on_in_vain(why); };
  commands.when_refused([this](const RedisFailure& failure) {
    if (failure.code != "READONLY") return;
    no_longer_master = true;
    finder->look();
  });
  finder.emplace(executor, sentinels, options, std::move(what));
}

void RedisSingleClient::State::start_channels() {
  RedisSubscriberEvents heard;
  heard.message = [this](std::string_view channel, std::string_view payload) {
    const std::shared_ptr<State> keep = shared_from_this();
    if (!ended && events.message) events.message(channel, payload);
  };
  heard.ready = [this](std::uint64_t) { on_subscribed(); };
  heard.lost = [this](const std::string& reason) { on_deaf(reason); };
  heard.dropped = [this](const std::string& channel, const RedisFailure& why) {
    const std::shared_ptr<State> keep = shared_from_this();
    if (!ended && events.dropped) events.dropped(channel);
    if (!ended) on_deaf("no longer subscribed to " + channel + ": " + why.detail);
    // Of the others nothing was lost, and no connection will be made again to say so.
    if (!ended && channels->is_ready()) channels_since = steady_clock::now();
  };
  channels.emplace(executor, commands.endpoint(), std::move(heard), options, role);
}

void RedisSingleClient::State::on_connected() {
  const std::shared_ptr<State> keep = shared_from_this();
  commands_since = steady_clock::now();
  no_longer_master = false;
  if (!ended && events.connected) events.connected();
}

void RedisSingleClient::State::on_lost() {
  commands_since = never;
  if (finder) finder->look();
}

void RedisSingleClient::State::on_subscribed() {
  const std::shared_ptr<State> keep = shared_from_this();
  channels_since = steady_clock::now();
  if (!ended && events.subscribed) events.subscribed();
}

void RedisSingleClient::State::on_deaf(const std::string& reason) {
  const std::shared_ptr<State> keep = shared_from_this();
  channels_since = never;
  if (!ended && events.deaf) events.deaf(reason);
}

void RedisSingleClient::State::on_found(const RedisAddress& address) {
  const std::shared_ptr<State> keep = shared_from_this();
  if (commands.endpoint().address != address) {
    commands.move_to(address);
  } else if (no_longer_master && commands.is_connected()) {
    commands.reconnect("it is a replica now");  // its ROLE decides
  }
  if (!ended && channels && channels->endpoint().address != address) channels->move_to(address);
}

void RedisSingleClient::State::on_in_vain(const RedisFailure& why) {
  const std::shared_ptr<State> keep = shared_from_this();
  commands.give_up(why);
  if (!ended && channels) channels->give_up(why);
}

RedisSingleClient::RedisSingleClient(IoExecutor executor, const RedisEndpoint& endpoint, RedisClientEvents events,
                                     const RedisOptions& options)
    : state_(std::make_shared<State>(executor, endpoint, std::move(events), options, RedisRole::any)) {}

RedisSingleClient::RedisSingleClient(IoExecutor executor, const RedisUrl& sentinels, RedisClientEvents events,
                                     const RedisOptions& options)
    : state_(std::make_shared<State>(executor, sentinels.endpoint({.host = {}}), std::move(events), options,
                                     RedisRole::master)) {
  state_->find_master(sentinels);
}

RedisSingleClient::~RedisSingleClient() { state_->ended = true; }

void RedisSingleClient::execute(std::string_view, RedisCommand command, steady_clock::time_point deadline,
                                RedisDone done) {
  state_->commands.execute(std::move(command), deadline, std::move(done));
}

void RedisSingleClient::subscribe(std::string channel, steady_clock::time_point deadline, RedisSubscribed done) {
  if (!state_->channels) state_->start_channels();
  state_->channels->subscribe(std::move(channel), RedisChannelKind::plain, deadline, std::move(done));
}

void RedisSingleClient::unsubscribe(const std::string& channel) {
  if (state_->channels) state_->channels->unsubscribe(channel);
}

void RedisSingleClient::reconnect_channel(const std::string&, const std::string& reason) {
  if (state_->channels) state_->channels->reconnect(reason);
}

steady_clock::time_point RedisSingleClient::settled_since(std::string_view) const {
  if (!state_->channels) return state_->commands_since;
  return std::max(state_->commands_since, state_->channels_since);
}

RedisCounters RedisSingleClient::counters() const {
  RedisCounters all = state_->commands.counters();
  if (state_->channels) all += state_->channels->counters();
  if (state_->finder) all.refreshes += state_->finder->rounds();
  return all;
}

}  // namespace firstcome::net
