#include "net/redis/single_client.hpp"

#include <algorithm>
#include <utility>

namespace firstcome::net {

using std::chrono::steady_clock;

RedisSingleClient::RedisSingleClient(IoExecutor executor, RedisEndpoint endpoint, RedisClientEvents events,
                                     RedisOptions options)
    : executor_(executor),
      options_(std::move(options)),
      state_(std::make_shared<State>(State{.events = std::move(events)})),
      commands_(executor, std::move(endpoint), options_) {
  commands_.when_connected([state = state_](std::uint64_t) {
    state->commands_since = steady_clock::now();
    if (state->events.connected) state->events.connected();
  });
  commands_.when_lost(
      [state = state_](const std::string&) { state->commands_since = steady_clock::time_point::max(); });
}

void RedisSingleClient::execute(std::string_view, RedisCommand command, steady_clock::time_point deadline,
                                RedisDone done) {
  commands_.execute(std::move(command), deadline, std::move(done));
}

void RedisSingleClient::start_channels() {
  RedisSubscriberEvents events;
  events.message = [state = state_](std::string_view channel, std::string_view payload) {
    if (state->events.message) state->events.message(channel, payload);
  };
  events.ready = [state = state_](std::uint64_t) {
    state->channels_since = steady_clock::now();
    if (state->events.subscribed) state->events.subscribed();
  };
  events.lost = [state = state_](const std::string& reason) {
    state->channels_since = steady_clock::time_point::max();
    if (state->events.deaf) state->events.deaf(reason);
  };
  events.dropped = [state = state_](const std::string& channel, const RedisFailure& why) {
    if (state->events.deaf) state->events.deaf("no longer subscribed to " + channel + ": " + why.detail);
  };
  channels_.emplace(executor_, commands_.endpoint(), std::move(events), options_);
}

void RedisSingleClient::subscribe(std::string channel, steady_clock::time_point deadline, RedisSubscribed done) {
  if (!channels_) start_channels();
  channels_->subscribe(std::move(channel), RedisChannelKind::plain, deadline, std::move(done));
}

void RedisSingleClient::unsubscribe(const std::string& channel) {
  if (channels_) channels_->unsubscribe(channel);
}

void RedisSingleClient::reconnect_channel(const std::string&, const std::string& reason) {
  if (channels_) channels_->reconnect(reason);
}

steady_clock::time_point RedisSingleClient::settled_since(std::string_view) const {
  if (!channels_) return state_->commands_since;
  return std::max(state_->commands_since, state_->channels_since);
}

RedisCounters RedisSingleClient::counters() const {
  RedisCounters all = commands_.counters();
  if (channels_) all += channels_->counters();
  return all;
}

}  // namespace firstcome::net
