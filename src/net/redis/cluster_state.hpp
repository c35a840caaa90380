// What a client of a cluster knows and waits for. Internal: see cluster_client.hpp for how it works.
//
// Three sources: cluster_state.cpp (the map, the nodes, the timer), cluster_commands.cpp, cluster_channels.cpp.
#pragma once

#include "net/redis/client.hpp"
#include "net/redis/cluster_client.hpp"
#include "net/redis/inquiry.hpp"
#include "net/redis/slots.hpp"
#include "net/redis/wire.hpp"

#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace firstcome::net {

/// Held by a shared pointer; callbacks of its own connections hold it plainly, as they are not called after it has
/// gone.
class RedisClusterState : public std::enable_shared_from_this<RedisClusterState> {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  RedisClusterState(IoExecutor executor, const RedisUrl& url, RedisClientEvents events, const RedisOptions& options);

  void start() { refresh(); }
  /// The client has gone: no event is told of any more, and what waits completes later.
  void close();

  void execute(unsigned slot, RedisCommand command, TimePoint deadline, RedisDone done);
  void subscribe(std::string name, TimePoint deadline, RedisSubscribed done);
  void unsubscribe(const std::string& name);
  void reconnect_channel(const std::string& name, const std::string& reason);
  TimePoint settled_since(unsigned slot) const;
  RedisCounters counters() const;

 private:
  static constexpr TimePoint never = TimePoint::max();

  struct Node {
    Node(IoExecutor executor, const RedisEndpoint& endpoint, const RedisOptions& options)
        : commands(executor, endpoint, options) {}
    TimePoint commands_since = never;
    TimePoint channels_since = never;
    RedisConnection commands;
    std::optional<RedisSubscriber> channels = {};
  };

  struct Request {
    unsigned slot = 0;
    RedisCommand command = {};
    TimePoint deadline = {};
    RedisDone done = {};
    unsigned redirections = 0;
    unsigned pauses = 0;
    TimePoint again_at = {};
    RedisFailure last = {};  // what it comes to if its time ends now
  };

  enum class Hearing : std::uint8_t {
    idle,   // not subscribed, to be tried at `again_at`
    asked,  // at the subscriber of `at`
    confirmed,
    silent,  // the connection is lost; its subscriber subscribes again by itself
  };

  struct Waiter {
    TimePoint deadline;
    RedisSubscribed done;
  };

  struct Channel {
    unsigned slot = 0;
    Hearing hearing = Hearing::idle;
    RedisAddress at = {};
    bool kept = false;          // was confirmed at some time: wanted until `unsubscribe`
    std::uint64_t attempt = 0;  // of all attempts, the one that runs
    RedisAddress next = {};     // it is being subscribed there too, before `at` is left, where
    std::uint64_t move = 0;     // this attempt runs; 0: none does
    unsigned pauses = 0;
    TimePoint again_at = {};
    std::vector<Waiter> waiters = {};
    RedisFailure last = {};
  };
  using Channels = std::map<std::string, Channel>;
  enum class Route : std::uint8_t { usual, asking };

  // The map and the nodes.
  void refresh();
  std::vector<RedisEndpoint> whom_to_ask();
  void install(RedisSlotMap map);
  void refresh_failed(const RedisFailure& problem);
  void moved(unsigned slot, const RedisAddress& address);
  void disturb(unsigned slot);
  Node& node(const RedisAddress& address);
  void node_lost(Node& lost);
  void forget_old_nodes();

  // Waiting.
  TimePoint after_pause(unsigned& pauses);
  void tend_soon();
  void tend();
  bool has_something_to_tend() const;

  // Commands.
  void send(Request request);
  void send_to(const RedisAddress& address, Request request, Route route);
  void answered(const RedisAddress& from, Request request, RedisResult result);
  void park(Request request, RedisFailure why);
  void tend_requests();
  void fail_parked(const RedisFailure& why);

  // Channels.
  void start_channels(const RedisAddress& address, Node& at);
  void try_channel(const std::string& name, Channel& channel);
  void channel_answered(const std::string& name, std::uint64_t attempt,
                        const std::expected<void, RedisFailure>& result);
  void move_channel(const std::string& name, Channel& channel, const RedisAddress& owner);
  void channel_moved(const std::string& name, std::uint64_t attempt, const std::expected<void, RedisFailure>& result);
  void end_move(const std::string& name, Channel& channel);
  void leave(const RedisAddress& address, const std::string& name);
  void now_hears(Channel& channel, Hearing hearing);
  void forget_channel(Channels::iterator channel, const RedisFailure& why);
  void refuse(std::vector<Waiter> waiters, const RedisFailure& why);
  void channels_lost(const RedisAddress& address, Node& at, const std::string& reason);
  void channels_ready(const RedisAddress& address, Node& at);
  void channel_dropped(const std::string& name, const RedisAddress& address, const RedisFailure& why);
  void follow_slots();
  void tend_channels();
  void tell_deaf(const std::string& reason);
  void tell_when_all_heard();

  IoExecutor executor_;
  RedisUrl url_;
  RedisOptions options_;
  RedisClientEvents events_;
  bool ended_ = false;

  RedisSlotMap map_;
  std::map<RedisAddress, std::unique_ptr<Node>> nodes_;
  std::unordered_map<unsigned, TimePoint> disturbed_;  // slots that were redirected or have moved, and when last
  RedisInquiry inquiry_;
  std::optional<RedisSlotMap> read_;  // by the inquiry that runs
  bool refresh_wanted_ = false;
  TimePoint next_refresh_ = {};
  std::size_t next_asked_ = 0;
  RedisBackoff backoff_;
  RedisBackoff refresh_backoff_;

  std::list<Request> parked_;
  Channels channels_;
  struct Heard {
    std::size_t channels = 0;
    std::size_t confirmed = 0;
  };
  std::unordered_map<unsigned, Heard> heard_in_slot_;  // of channels_
  std::size_t confirmed_ = 0;                          // of channels_
  std::uint64_t last_attempt_ = 0;
  bool all_heard_ = false;  // `subscribed` was told since the last `deaf`

  RedisTimer timer_;
  bool tending_ = false;
  RedisCounters counters_;  // without those of the connections
};

}  // namespace firstcome::net
