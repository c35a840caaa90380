#include "net/redis/cluster_state.hpp"

#include <boost/asio/post.hpp>

#include <algorithm>
#include <utility>

namespace firstcome::net {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using std::chrono::steady_clock;
using State = RedisClusterState;

namespace {

constexpr auto tend_interval = 20ms;  // while something waits
constexpr auto between_refreshes = 50ms;
constexpr std::chrono::milliseconds longest_retry_pause{200};

RedisOptions failing_fast(RedisOptions options) {
  options.when_down = RedisOptions::WhenDown::fail;  // the cluster's client waits itself
  return options;
}

}  // namespace

RedisClusterState::RedisClusterState(IoExecutor executor, const RedisUrl& url, RedisClientEvents events,
                                     const RedisOptions& options)
    : executor_(executor),
      url_(url),
      options_(options),
      events_(std::move(events)),
      inquiry_(executor, options),
      backoff_(options.first_pause, longest_retry_pause, options.seed),
      refresh_backoff_(options.first_pause, options.longest_pause, options.seed),
      timer_(executor) {}

void State::close() {
  ended_ = true;
  timer_.cancel();
  const RedisFailure why{
      .kind = RedisFailure::Kind::not_sent, .code = "closed", .detail = "the client was closed here"};
  while (!channels_.empty()) forget_channel(channels_.begin(), why);
  for (Request& request : parked_) {
    ++counters_.not_sent;
    asio::post(executor_, [done = std::move(request.done), why]() mutable { done(std::unexpected(why)); });
  }
  parked_.clear();
}

/// Reads the map anew, now or as soon as it may.
void State::refresh() {
  refresh_wanted_ = true;
  if (inquiry_.is_running() || ended_) return;
  if (steady_clock::now() < next_refresh_) return tend_soon();
  refresh_wanted_ = false;
  next_refresh_ = steady_clock::now() + between_refreshes;
  ++counters_.refreshes;
  read_.reset();
  inquiry_.start(
      whom_to_ask(), RedisCommand("CLUSTER", "SLOTS"),
      [this](const RedisReply& reply, const RedisAddress& from) -> std::string {
        std::expected<RedisSlotMap, std::string> map = RedisSlotMap::read(reply, from);
        if (!map) return map.error();
        read_ = std::move(*map);
        return {};
      },
      [this](const RedisFailure& problem) {
        const std::shared_ptr<State> keep = shared_from_this();
        if (ended_) return;
        if (read_) return install(std::move(*read_));
        refresh_failed(problem);
      });
}

/// The masters first, those that we are connected to before the others; then those whom the URL names.
std::vector<RedisEndpoint> State::whom_to_ask() {
  std::vector<RedisAddress> all;
  for (const RedisAddress& address : map_.masters()) all.push_back(address);
  if (!all.empty()) {
    std::rotate(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(next_asked_++ % all.size()), all.end());
  }
  std::vector<RedisAddress> away;
  std::erase_if(all, [&](const RedisAddress& address) {
    const auto found = nodes_.find(address);
    if (found != nodes_.end() && found->second->commands.is_connected()) return false;
    away.push_back(address);
    return true;
  });
  all.insert(all.end(), away.begin(), away.end());
  for (const RedisAddress& address : url_.hosts) {
    if (std::ranges::find(all, address) == all.end()) all.push_back(address);
  }
  std::vector<RedisEndpoint> endpoints;
  for (const RedisAddress& address : all) endpoints.push_back(url_.endpoint(address));
  return endpoints;
}

void State::install(RedisSlotMap map) {
  refresh_backoff_.reset();
  const TimePoint now = steady_clock::now();
  const RedisSlotMap old = map_;
  map_.adopt(std::move(map), now);
  if (!old.empty()) {
    for (unsigned slot = 0; slot < redis_slots; ++slot) {
      const RedisAddress* const before = old.owner(slot);
      const RedisAddress* const present = map_.owner(slot);
      if (before != nullptr && present != nullptr && *before != *present) disturb(slot);
    }
  }
  forget_old_nodes();
  for (Request& request : parked_) {
    if (request.last.code == "nobody") request.again_at = now;
  }
  follow_slots();
  tend();
}

void State::refresh_failed(const RedisFailure& problem) {
  next_refresh_ = steady_clock::now() + refresh_backoff_.next();
  refresh_wanted_ = true;
  const RedisFailure why{.kind = RedisFailure::Kind::not_sent,
                         .code = problem.code,
                         .detail = "no node of the cluster says who has which slot: " + problem.detail};
  tend_soon();
  if (map_.empty() && options_.when_down == RedisOptions::WhenDown::fail) fail_parked(why);
}

void State::moved(unsigned slot, const RedisAddress& address) {
  ++counters_.redirects;
  disturb(slot);
  map_.learn(slot, address, steady_clock::now());
  refresh();  // others have moved with it, probably
}

void State::disturb(unsigned slot) { disturbed_[slot] = steady_clock::now(); }

State::Node& State::node(const RedisAddress& address) {
  std::unique_ptr<Node>& found = nodes_[address];
  if (found) return *found;
  found = std::make_unique<Node>(executor_, url_.endpoint(address), failing_fast(options_));
  Node& made = *found;
  made.commands.when_connected([this, &made](std::uint64_t) {
    const std::shared_ptr<State> keep = shared_from_this();
    made.commands_since = steady_clock::now();
    if (!ended_ && events_.connected) events_.connected();
  });
  made.commands.when_lost([this, &made](const std::string&) { node_lost(made); });
  return made;
}

void State::node_lost(Node& lost) {
  lost.commands_since = never;
  map_.forget_learnt(lost.commands.endpoint().address);
  refresh();
}

/// Those that are no master any more and that nobody waits for.
void State::forget_old_nodes() {
  const std::set<RedisAddress> masters = map_.masters();
  std::erase_if(nodes_, [&](const auto& entry) {
    const auto& [address, old] = entry;
    if (masters.contains(address) || old->commands.pending() > 0) return false;
    return std::ranges::none_of(channels_, [&](const auto& channel) {
      return channel.second.hearing != Hearing::idle && channel.second.at == address;
    });
  });
}

State::TimePoint State::after_pause(unsigned& pauses) {
  if (pauses++ == 0) backoff_.reset();
  return steady_clock::now() + backoff_.next();
}

bool State::has_something_to_tend() const {
  if (refresh_wanted_ || !parked_.empty()) return true;
  return std::ranges::any_of(channels_, [](const auto& channel) {
    return channel.second.hearing == Hearing::idle || !channel.second.waiters.empty();
  });
}

void State::tend_soon() {
  if (tending_ || ended_) return;
  tending_ = true;
  timer_.expires_after(tend_interval);
  timer_.async_wait([weak = weak_from_this()](boost::system::error_code ec) {
    const std::shared_ptr<State> self = weak.lock();
    if (!self) return;
    self->tending_ = false;
    if (!ec) self->tend();
  });
}

void State::tend() {
  const std::shared_ptr<State> keep = shared_from_this();
  if (refresh_wanted_) refresh();
  if (!ended_) tend_requests();
  if (!ended_) tend_channels();
  if (!ended_ && has_something_to_tend()) tend_soon();
}

State::TimePoint State::settled_since(unsigned slot) const {
  const RedisAddress* const owner = map_.owner(slot);
  const auto found = owner == nullptr ? nodes_.end() : nodes_.find(*owner);
  if (found == nodes_.end()) return never;
  const Node& at = *found->second;
  TimePoint since = at.commands_since;
  if (const auto heard = heard_in_slot_.find(slot); heard != heard_in_slot_.end()) {
    const bool all = heard->second.confirmed == heard->second.channels;
    since = std::max(since, all ? at.channels_since : never);
  }
  const auto disturbed = disturbed_.find(slot);
  return disturbed == disturbed_.end() ? since : std::max(since, disturbed->second);
}

RedisCounters State::counters() const {
  RedisCounters all = counters_;
  for (const auto& [address, one] : nodes_) {
    all += one->commands.counters();
    if (one->channels) all += one->channels->counters();
  }
  return all;
}

RedisClusterClient::RedisClusterClient(IoExecutor executor, const RedisUrl& url, RedisClientEvents events,
                                       const RedisOptions& options)
    : state_(std::make_shared<RedisClusterState>(executor, url, std::move(events), options)) {
  state_->start();
}

RedisClusterClient::~RedisClusterClient() { state_->close(); }

void RedisClusterClient::execute(std::string_view key, RedisCommand command, steady_clock::time_point deadline,
                                 RedisDone done) {
  state_->execute(key_slot(key), std::move(command), deadline, std::move(done));
}

void RedisClusterClient::subscribe(std::string channel, steady_clock::time_point deadline, RedisSubscribed done) {
  state_->subscribe(std::move(channel), deadline, std::move(done));
}

void RedisClusterClient::unsubscribe(const std::string& channel) { state_->unsubscribe(channel); }

void RedisClusterClient::reconnect_channel(const std::string& channel, const std::string& reason) {
  state_->reconnect_channel(channel, reason);
}

steady_clock::time_point RedisClusterClient::settled_since(std::string_view key) const {
  return state_->settled_since(key_slot(key));
}

RedisCounters RedisClusterClient::counters() const { return state_->counters(); }

}  // namespace firstcome::net
