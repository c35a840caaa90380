#include "net/redis/subscriber.hpp"

#include "net/redis/link.hpp"

#include <boost/asio/post.hpp>

#include <algorithm>
#include <deque>
#include <map>
#include <optional>
#include <utility>
#include <vector>

namespace firstcome::net {

namespace asio = boost::asio;
using std::chrono::steady_clock;
using Kind = RedisFailure::Kind;

namespace {

struct SubscribeWaiter {
  steady_clock::time_point deadline;
  RedisSubscribed done;
};

struct Channel {
  RedisChannelKind kind = RedisChannelKind::plain;
  std::uint64_t asked = 0;  // number of the latest request to subscribe on this connection; 0: none yet
  bool confirmed = false;
  bool kept = false;  // was confirmed at some time: it is subscribed again on every connection until `unsubscribe`
  std::vector<SubscribeWaiter> waiters = {};
};

/// A request that the server has not answered. It answers them in order, with messages in between.
struct Request {
  enum class What : std::uint8_t { subscribe, unsubscribe, ping };
  What what = What::ping;
  std::string channel = {};
  std::uint64_t number = 0;
};

using What = Request::What;

}  // namespace

class RedisSubscriber::Impl final : public RedisLink {
 public:
  Impl(IoExecutor where, RedisEndpoint endpoint, RedisSubscriberEvents events, RedisOptions options, RedisRole role)
      : RedisLink(where, std::move(endpoint), std::move(options), role), events_(std::move(events)) {}

  void subscribe(std::string name, RedisChannelKind kind, SubscribeWaiter waiter);
  void unsubscribe(const std::string& name);
  void close() override;
  bool is_ready() const { return is_up() && unconfirmed_ == 0; }
  std::size_t channels() const { return channels_.size(); }

 private:
  using Channels = std::map<std::string, Channel, std::less<>>;

  void link_up(std::uint64_t nth) override;
  void link_replied(RedisReply reply) override;
  void link_down(Was was, std::uint64_t sent) override;

  void ask(What what, const std::string& name, Channel* channel);
  void confirm(std::string_view name);
  void ended(std::string_view name);
  void refused_by_server(RedisFailure failure);
  void forget(Channels::iterator channel, const RedisFailure& why);
  void refuse(SubscribeWaiter waiter, RedisFailure failure);
  bool answers_first(What what, std::string_view name) const;
  void tell_when_ready();

  void tick();
  std::optional<TimePoint> link_due() override;

  RedisSubscriberEvents events_;
  Channels channels_;
  std::size_t unconfirmed_ = 0;  // of channels_
  std::deque<Request> requests_;
  std::uint64_t last_number_ = 0;
  std::uint64_t to_tell_ = 0;  // the connection whose readiness is not told of yet; 0: none

  RedisTimer ping_timer_{executor()};
  bool pinged_ = false;  // and not answered
};

void RedisSubscriber::Impl::subscribe(std::string name, RedisChannelKind kind, SubscribeWaiter waiter) {
  ++counted().commands;
  const bool down = !is_up() && !is_trying();
  if (down && options().when_down == RedisOptions::WhenDown::fail) {
    return refuse(std::move(waiter), why_down());
  }
  if (channels_.size() >= options().most_commands && !channels_.contains(name)) {
    return refuse(std::move(waiter), {.kind = Kind::not_sent, .code = "full", .detail = "too many channels"});
  }
  const auto [found, is_new] = channels_.try_emplace(std::move(name), Channel{.kind = kind});
  Channel& channel = found->second;
  if (channel.confirmed && is_up()) {
    asio::post(executor(), [done = std::move(waiter.done)]() mutable { done({}); });
    return;
  }
  const steady_clock::time_point deadline = waiter.deadline;
  channel.waiters.push_back(std::move(waiter));
  if (is_new) ++unconfirmed_;
  if (is_new && is_up()) ask(What::subscribe, found->first, &channel);
  watch(deadline);
}

void RedisSubscriber::Impl::refuse(SubscribeWaiter waiter, RedisFailure failure) {
  asio::post(executor(), [done = std::move(waiter.done), failure = std::move(failure)]() mutable {
    done(std::unexpected(std::move(failure)));
  });
}

void RedisSubscriber::Impl::ask(What what, const std::string& name, Channel* channel) {
  const bool sharded = channel != nullptr && channel->kind == RedisChannelKind::sharded;
  Request request{.what = what, .channel = name, .number = ++last_number_};
  switch (what) {
    case What::subscribe:
      channel->asked = request.number;
      RedisCommand(sharded ? "SSUBSCRIBE" : "SUBSCRIBE", name).append_to(wire().out());
      break;
    case What::unsubscribe:
      RedisCommand(sharded ? "SUNSUBSCRIBE" : "UNSUBSCRIBE", name).append_to(wire().out());
      break;
    case What::ping:
      RedisCommand("PING").append_to(wire().out());
      break;
  }
  requests_.push_back(std::move(request));
  wire().flush_soon();
}

void RedisSubscriber::Impl::unsubscribe(const std::string& name) {
  const auto channel = channels_.find(name);
  if (channel == channels_.end()) return;
  if (is_up()) ask(What::unsubscribe, name, &channel->second);
  forget(channel, {.kind = Kind::not_sent, .detail = "unsubscribed before it was confirmed"});
}

/// Its waiters fail, later.
void RedisSubscriber::Impl::forget(Channels::iterator channel, const RedisFailure& why) {
  for (SubscribeWaiter& waiter : channel->second.waiters) refuse(std::move(waiter), why);
  if (!channel->second.confirmed) --unconfirmed_;
  channels_.erase(channel);
}

void RedisSubscriber::Impl::link_up(std::uint64_t nth) {
  to_tell_ = nth;
  for (auto& [name, channel] : channels_) ask(What::subscribe, name, &channel);
  pinged_ = false;
  tick();
  tell_when_ready();
}

void RedisSubscriber::Impl::tell_when_ready() {
  if (to_tell_ == 0 || !is_ready()) return;
  const std::uint64_t nth = std::exchange(to_tell_, 0);
  if (events_.ready) events_.ready(nth);
}

bool RedisSubscriber::Impl::answers_first(What what, std::string_view name) const {
  return !requests_.empty() && requests_.front().what == what && requests_.front().channel == name;
}

void RedisSubscriber::Impl::link_replied(RedisReply reply) {
  if (reply.type == RedisReply::Type::error) return refused_by_server(refused(std::move(reply.text)));
  const std::string_view kind = reply.is_array() ? std::string_view(reply.at(0).text) : std::string_view(reply.text);
  const std::string& name = reply.at(1).text;
  if (kind == "message" || kind == "smessage") {
    if (!channels_.contains(name)) return;  // unsubscribed meanwhile
    ++counted().messages;
    if (events_.message) events_.message(name, reply.at(2).text);
    return;
  }
  if (kind == "subscribe" || kind == "ssubscribe") return confirm(name);
  if (kind == "unsubscribe" || kind == "sunsubscribe") return ended(name);
  if ((kind == "pong" || kind == "PONG") && answers_first(What::ping, {})) {
    requests_.pop_front();
    pinged_ = false;
    return;
  }
  drop(to_string(endpoint().address) + " answered what it was not asked");
}

void RedisSubscriber::Impl::confirm(std::string_view name) {
  if (!answers_first(What::subscribe, name)) {
    return drop(to_string(endpoint().address) + " confirmed a channel that was not asked for");
  }
  const std::uint64_t number = requests_.front().number;
  requests_.pop_front();
  const auto found = channels_.find(name);
  if (found == channels_.end() || found->second.asked != number) return;  // unsubscribed meanwhile
  if (!found->second.confirmed) --unconfirmed_;
  found->second.confirmed = found->second.kept = true;
  std::vector<SubscribeWaiter> waiters = std::exchange(found->second.waiters, {});
  tell_when_ready();
  for (SubscribeWaiter& waiter : waiters) waiter.done({});
}

/// The answer to a request, or the server's own doing.
void RedisSubscriber::Impl::ended(std::string_view name) {
  if (answers_first(What::unsubscribe, name)) return requests_.pop_front();
  const auto found = channels_.find(name);
  if (found == channels_.end()) return;
  const std::string channel = found->first;
  const RedisFailure why = refused("MOVED the server ended the subscription");
  forget(found, why);
  if (events_.dropped) events_.dropped(channel, why);
}

void RedisSubscriber::Impl::refused_by_server(RedisFailure failure) {
  ++counted().refused;
  if (requests_.empty()) return drop("lost the connection to " + to_string(endpoint().address) + ": " + failure.detail);
  const Request request = std::move(requests_.front());
  requests_.pop_front();
  if (request.what == What::ping) return drop(to_string(endpoint().address) + " refused PING: " + failure.detail);
  const auto found = channels_.find(request.channel);
  if (request.what == What::unsubscribe || found == channels_.end() || found->second.asked != request.number) return;
  // Its waiters hear of their own request only, and not that what was subscribed before is so no longer.
  const bool is_news = found->second.kept || found->second.waiters.empty();
  forget(found, failure);
  if (is_news && events_.dropped) events_.dropped(request.channel, failure);
  tell_when_ready();
}

void RedisSubscriber::Impl::link_down(Was, std::uint64_t) {
  const RedisFailure why = why_down();
  ping_timer_.cancel();
  requests_.clear();
  for (auto& [name, channel] : channels_) {
    channel.confirmed = false;
    channel.asked = 0;
  }
  unconfirmed_ = channels_.size();
  to_tell_ = 0;
  if (options().when_down == RedisOptions::WhenDown::fail) {
    for (auto channel = channels_.begin(); channel != channels_.end();) {
      const auto next = std::next(channel);
      for (SubscribeWaiter& waiter : std::exchange(channel->second.waiters, {})) refuse(std::move(waiter), why);
      if (!channel->second.kept) forget(channel, why);
      channel = next;
    }
  }
  if (events_.lost) events_.lost(why.detail);
}

void RedisSubscriber::Impl::close() {
  stop();
  ping_timer_.cancel();
  while (!channels_.empty()) {
    forget(channels_.begin(), {.kind = Kind::not_sent, .code = "closed", .detail = "the subscriber was closed here"});
  }
}

/// Asks whether the server is still there, once per interval.
void RedisSubscriber::Impl::tick() {
  if (pinged_) return drop("no sign of life from " + to_string(endpoint().address));
  pinged_ = true;
  ask(What::ping, {}, nullptr);
  ping_timer_.expires_after(options().ping_interval);
  ping_timer_.async_wait([weak = weak_from_this()](boost::system::error_code ec) {
    const auto self = std::static_pointer_cast<Impl>(weak.lock());
    if (!ec && self && self->is_up()) self->tick();
  });
}

/// Gives up what was not confirmed in time.
std::optional<RedisLink::TimePoint> RedisSubscriber::Impl::link_due() {
  const steady_clock::time_point now = steady_clock::now();
  std::optional<steady_clock::time_point> next;
  std::vector<std::string> given_up;
  for (auto& [name, channel] : channels_) {
    if (channel.waiters.empty()) continue;
    const Kind kind = is_up() && channel.asked != 0 ? Kind::timed_out : Kind::not_sent;
    const auto late =
        std::ranges::partition(channel.waiters, [now](const SubscribeWaiter& waiter) { return waiter.deadline > now; });
    for (SubscribeWaiter& waiter : late) {
      refuse(std::move(waiter), {.kind = kind, .detail = "the subscription was not confirmed in time"});
    }
    channel.waiters.erase(late.begin(), late.end());
    if (channel.waiters.empty() && !channel.kept) given_up.push_back(name);
    for (const SubscribeWaiter& waiter : channel.waiters)
      next = std::min(next.value_or(waiter.deadline), waiter.deadline);
  }
  for (const std::string& name : given_up) unsubscribe(name);
  tell_when_ready();
  return next;
}

RedisSubscriber::RedisSubscriber(IoExecutor executor, RedisEndpoint endpoint, RedisSubscriberEvents events,
                                 RedisOptions options, RedisRole role)
    : RedisLinkHandle(
          std::make_shared<Impl>(executor, std::move(endpoint), std::move(events), std::move(options), role)) {}

RedisSubscriber::Impl& RedisSubscriber::impl() const { return static_cast<Impl&>(link()); }

void RedisSubscriber::subscribe(std::string channel, RedisChannelKind kind, steady_clock::time_point deadline,
                                RedisSubscribed done) {
  impl().subscribe(std::move(channel), kind, {deadline, std::move(done)});
}

void RedisSubscriber::unsubscribe(const std::string& channel) { impl().unsubscribe(channel); }
bool RedisSubscriber::is_ready() const { return impl().is_ready(); }
std::size_t RedisSubscriber::channels() const { return impl().channels(); }

}  // namespace firstcome::net
