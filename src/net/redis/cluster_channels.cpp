#include "net/redis/cluster_state.hpp"

#include <boost/asio/post.hpp>

#include <algorithm>
#include <utility>

namespace firstcome::net {

namespace asio = boost::asio;
using std::chrono::steady_clock;
using Kind = RedisFailure::Kind;
using State = RedisClusterState;
using What = RedisVerdict::What;

void State::subscribe(std::string name, TimePoint deadline, RedisSubscribed done) {
  if (channels_.size() >= options_.most_commands && !channels_.contains(name)) {
    std::vector<Waiter> waiters;
    waiters.push_back({deadline, std::move(done)});
    return refuse(std::move(waiters), {.kind = Kind::not_sent, .code = "full", .detail = "too many channels"});
  }
  const unsigned slot = key_slot(name);
  const auto [found, is_new] = channels_.try_emplace(std::move(name), Channel{.slot = slot});
  Channel& channel = found->second;
  if (is_new) ++heard_in_slot_[slot].channels;
  if (channel.hearing == Hearing::confirmed) {
    asio::post(executor_, [done = std::move(done)]() mutable { done({}); });
    return;
  }
  channel.waiters.push_back({deadline, std::move(done)});
  if (is_new) try_channel(found->first, channel);
  tend_soon();
}

void State::unsubscribe(const std::string& name) {
  const auto channel = channels_.find(name);
  if (channel == channels_.end()) return;
  end_move(name, channel->second);
  leave(channel->second.at, name);
  forget_channel(channel, {.kind = Kind::not_sent, .detail = "unsubscribed before it was confirmed"});
}

void State::leave(const RedisAddress& address, const std::string& name) {
  const auto at = nodes_.find(address);
  if (at != nodes_.end() && at->second->channels) at->second->channels->unsubscribe(name);
}

void State::reconnect_channel(const std::string& name, const std::string& reason) {
  const auto channel = channels_.find(name);
  if (channel == channels_.end()) return;
  const auto at = nodes_.find(channel->second.at);
  if (at != nodes_.end() && at->second->channels) at->second->channels->reconnect(reason);
}

/// Keeps the counts, so that nobody has to look at all channels.
void State::now_hears(Channel& channel, Hearing hearing) {
  const auto change = [&](Hearing which, std::size_t& count) {
    if (channel.hearing == which) --count;
    if (hearing == which) ++count;
  };
  change(Hearing::confirmed, heard_in_slot_[channel.slot].confirmed);
  change(Hearing::confirmed, confirmed_);
  channel.hearing = hearing;
  if (hearing == Hearing::confirmed) channel.kept = true;
}

void State::forget_channel(Channels::iterator channel, const RedisFailure& why) {
  refuse(std::move(channel->second.waiters), why);
  now_hears(channel->second, Hearing::idle);
  const auto in_slot = heard_in_slot_.find(channel->second.slot);
  if (--in_slot->second.channels == 0) heard_in_slot_.erase(in_slot);
  channels_.erase(channel);
}

/// They fail, later.
void State::refuse(std::vector<Waiter> waiters, const RedisFailure& why) {
  for (Waiter& waiter : waiters) {
    asio::post(executor_, [done = std::move(waiter.done), why]() mutable { done(std::unexpected(why)); });
  }
}

void State::start_channels(const RedisAddress& address, Node& at) {
  RedisSubscriberEvents heard;
  heard.message = [this](std::string_view channel, std::string_view payload) {
    const std::shared_ptr<State> keep = shared_from_this();
    if (!ended_ && events_.message) events_.message(channel, payload);
  };
  heard.ready = [this, address, &at](std::uint64_t) { channels_ready(address, at); };
  heard.lost = [this, address, &at](const std::string& reason) { channels_lost(address, at, reason); };
  heard.dropped = [this, address](const std::string& name, const RedisFailure& why) {
    channel_dropped(name, address, why);
  };
  RedisOptions options = options_;
  options.when_down = RedisOptions::WhenDown::fail;
  at.channels.emplace(executor_, url_.endpoint(address), std::move(heard), options);
}

void State::try_channel(const std::string& name, Channel& channel) {
  const RedisAddress* const owner = map_.owner(channel.slot);
  if (owner == nullptr) {
    channel.last = {.kind = Kind::not_sent, .code = "nobody", .detail = "it is not known yet who has its slot"};
    channel.again_at = after_pause(channel.pauses);
    refresh();
    return tend_soon();
  }
  channel.move = 0;
  channel.at = *owner;
  now_hears(channel, Hearing::asked);
  channel.attempt = ++last_attempt_;
  Node& at = node(channel.at);
  if (!at.channels) start_channels(channel.at, at);
  at.channels->subscribe(
      name, RedisChannelKind::sharded, steady_clock::now() + options_.connect_timeout,
      [weak = weak_from_this(), name, attempt = channel.attempt](const std::expected<void, RedisFailure>& result) {
        const std::shared_ptr<State> self = weak.lock();
        if (self && !self->ended_) self->channel_answered(name, attempt, result);
      });
}

void State::channel_answered(const std::string& name, std::uint64_t attempt,
                             const std::expected<void, RedisFailure>& result) {
  const auto found = channels_.find(name);
  if (found == channels_.end() || found->second.attempt != attempt) return;
  Channel& channel = found->second;
  if (channel.hearing != Hearing::asked) return;
  if (result) {
    now_hears(channel, Hearing::confirmed);
    channel.pauses = 0;
    std::vector<Waiter> waiters = std::exchange(channel.waiters, {});
    tell_when_all_heard();
    for (Waiter& waiter : waiters) waiter.done({});
    return;
  }
  now_hears(channel, Hearing::idle);
  channel.last = result.error();
  channel.again_at = after_pause(channel.pauses);
  const RedisVerdict verdict = judge(result.error(), channel.at);
  if (verdict.what == What::moved) {
    moved(verdict.slot, verdict.address);
    channel.again_at = steady_clock::now();
  } else if (verdict.what == What::give && result.error().kind == Kind::refused) {
    const std::string reason = "cannot subscribe to " + name + ": " + result.error().detail;
    const bool was_kept = channel.kept;
    forget_channel(found, result.error());
    if (!was_kept) return;
    const std::shared_ptr<State> keep = shared_from_this();
    if (events_.dropped) events_.dropped(name);
    return tell_deaf(reason);
  } else {
    refresh();
  }
  tend_soon();
}

void State::channels_lost(const RedisAddress& address, Node& at, const std::string& reason) {
  const std::shared_ptr<State> keep = shared_from_this();
  if (ended_) return;
  at.channels_since = never;
  bool heard = false;
  for (auto& [name, channel] : channels_) {
    if (channel.at != address || channel.hearing != Hearing::confirmed) continue;
    now_hears(channel, Hearing::silent);
    heard = true;
  }
  refresh();
  if (heard) tell_deaf(reason);
}

void State::channels_ready(const RedisAddress& address, Node& at) {
  const std::shared_ptr<State> keep = shared_from_this();
  if (ended_) return;
  at.channels_since = steady_clock::now();
  std::vector<Waiter> waiters;
  for (auto& [name, channel] : channels_) {
    if (channel.at != address || channel.hearing != Hearing::silent) continue;
    now_hears(channel, Hearing::confirmed);
    std::ranges::move(std::exchange(channel.waiters, {}), std::back_inserter(waiters));
  }
  tell_when_all_heard();
  for (Waiter& waiter : waiters) waiter.done({});
}

/// The slot has moved, or the server refuses to make the subscription again.
void State::channel_dropped(const std::string& name, const RedisAddress& address, const RedisFailure& why) {
  const std::shared_ptr<State> keep = shared_from_this();
  const auto found = channels_.find(name);
  if (ended_ || found == channels_.end() || found->second.at != address) return;
  Channel& channel = found->second;
  now_hears(channel, Hearing::idle);
  channel.again_at = steady_clock::now();
  channel.last = why;
  disturb(channel.slot);
  const RedisVerdict verdict = judge(why, address);
  if (verdict.what == What::moved) map_.learn(verdict.slot, verdict.address, steady_clock::now());
  refresh();
  tend_soon();
  tell_deaf("no longer subscribed to " + name + ": " + why.detail);
}

/// After the map has changed: channels go where their slots are.
void State::follow_slots() {
  for (auto& [name, channel] : channels_) {
    const RedisAddress* const owner = map_.owner(channel.slot);
    if (owner == nullptr) continue;
    if (channel.hearing == Hearing::idle) {
      if (channel.last.code == "nobody") channel.again_at = steady_clock::now();
      continue;
    }
    if (channel.at == *owner) {
      end_move(name, channel);
    } else if (channel.hearing == Hearing::confirmed) {
      move_channel(name, channel, *owner);
    } else {
      now_hears(channel, Hearing::idle);
      channel.attempt = 0;
      channel.again_at = steady_clock::now();
      all_heard_ = false;
      leave(channel.at, name);
    }
  }
}

/// Subscribes where the map has its slot now, and stays where it is until that is confirmed: the map may be older than
/// what is known there.
void State::move_channel(const std::string& name, Channel& channel, const RedisAddress& owner) {
  if (channel.move != 0 && channel.next == owner) return;
  end_move(name, channel);
  channel.next = owner;
  channel.move = ++last_attempt_;
  Node& at = node(owner);
  if (!at.channels) start_channels(owner, at);
  at.channels->subscribe(
      name, RedisChannelKind::sharded, steady_clock::now() + options_.connect_timeout,
      [weak = weak_from_this(), name, attempt = channel.move](const std::expected<void, RedisFailure>& result) {
        const std::shared_ptr<State> self = weak.lock();
        if (self && !self->ended_) self->channel_moved(name, attempt, result);
      });
}

void State::channel_moved(const std::string& name, std::uint64_t attempt,
                          const std::expected<void, RedisFailure>& result) {
  const auto found = channels_.find(name);
  if (found == channels_.end() || found->second.move != attempt) return;
  Channel& channel = found->second;
  channel.move = 0;
  if (!result) {
    const RedisVerdict verdict = judge(result.error(), channel.next);
    return verdict.what == What::moved ? moved(verdict.slot, verdict.address) : refresh();
  }
  leave(std::exchange(channel.at, channel.next), name);
  channel.attempt = 0;
  channel.pauses = 0;
  now_hears(channel, Hearing::confirmed);
  std::vector<Waiter> waiters = std::exchange(channel.waiters, {});
  // What was published there before was not heard.
  disturb(channel.slot);
  all_heard_ = false;
  tell_when_all_heard();
  for (Waiter& waiter : waiters) waiter.done({});
}

/// Where a subscription was begun and is not wanted any more.
void State::end_move(const std::string& name, Channel& channel) {
  if (std::exchange(channel.move, 0) != 0 && channel.next != channel.at) leave(channel.next, name);
}

void State::tend_channels() {
  const TimePoint now = steady_clock::now();
  std::vector<std::string> given_up;
  for (auto& [name, channel] : channels_) {
    const auto overdue =
        std::ranges::partition(channel.waiters, [now](const Waiter& waiter) { return waiter.deadline > now; });
    const bool some = !overdue.empty();
    RedisFailure why = channel.last;
    if (why.detail.empty()) why.detail = "no answer from " + to_string(channel.at);
    why.detail = "the subscription was not confirmed in time: " + why.detail;
    std::vector<Waiter> those(std::make_move_iterator(overdue.begin()), std::make_move_iterator(overdue.end()));
    channel.waiters.erase(overdue.begin(), overdue.end());
    refuse(std::move(those), why);
    if (some && channel.waiters.empty() && !channel.kept) given_up.push_back(name);
  }
  for (const std::string& name : given_up) unsubscribe(name);
  for (auto& [name, channel] : channels_) {
    if (channel.hearing == Hearing::idle && channel.again_at <= now) try_channel(name, channel);
  }
}

void State::tell_deaf(const std::string& reason) {
  all_heard_ = false;
  if (!ended_ && events_.deaf) events_.deaf(reason);
}

void State::tell_when_all_heard() {
  if (all_heard_ || confirmed_ < channels_.size()) return;
  all_heard_ = true;
  if (!ended_ && events_.subscribed) events_.subscribed();
}

}  // namespace firstcome::net
