// What the FIFO locks of one process at one server share: the thread, the client, the inboxes, the numbers; and the
// desks, one for each lock that somebody here wants or has.
#pragma once

#include "lock/event_loop.hpp"
#include "lock/redis/fifo.hpp"
#include "lock/redis/fifo_inboxes.hpp"
#include "lock/redis/fifo_replicas.hpp"
#include "net/redis/wire.hpp"

#include <atomic>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace firstcome::lock {

class FifoDesk;

/// Thread safety: `loop` and `next_number` from any thread, the rest on the loop's.
class FifoOffice {
 public:
  explicit FifoOffice(FifoOptions options);
  ~FifoOffice();
  FifoOffice(const FifoOffice&) = delete;
  FifoOffice& operator=(const FifoOffice&) = delete;

  std::expected<void, std::string> open(const net::RedisUrl& url);
  EventLoop& loop() { return loop_; }
  std::uint64_t next_number() { return ++last_number_; }
  std::string owner(std::uint64_t number) const { return process_ + ":" + std::to_string(number); }
  /// From now on, tells the observer what happens to the connections.
  void observe(std::shared_ptr<LockObserver> observer) { observer_ = std::move(observer); }
  /// Calls it with the observer, if there is one.
  template <typename Call>
  void tell(Call call) {
    if (observer_) call(*observer_);
  }
  /// The last task of the loop. Ends soon, on its own.
  void close();

  const FifoOptions& options() const { return options_; }
  FifoInboxes& inboxes() { return *inboxes_; }
  const std::string& process() const { return process_; }
  BootTime limit() const { return BootClock::now() + options_.request_limit; }
  void execute(const std::string& key, net::RedisCommand command, BootTime deadline, net::RedisDone done);
  /// Likewise, for what makes or confirms a grant that replicas must have.
  void execute_grant(const std::string& key, net::RedisCommand command, BootTime deadline, net::RedisDone done);
  using SteadyTime = std::chrono::steady_clock::time_point;
  /// See RedisClient; max also at the end.
  SteadyTime settled_since(const std::string& key) const {
    return client_ ? client_->settled_since(key) : SteadyTime::max();
  }
  Trust trust(const std::string& key) const;
  /// See FifoReplicas. REQUIRES: replicas are wanted, and the last write went through `execute_grant`.
  void when_replicated(const std::string& key, FifoReplicas::Known done);

  std::shared_ptr<FifoDesk> desk(const ShareName& name);
  FifoPlace place(const ShareName& name) const;
  const FifoScripts& scripts(const FifoPlace& place) const {
    return place.has_permits() ? options_.permit_scripts.same : options_.scripts;
  }
  /// Messages to this number are for that desk, from now on.
  void seated(std::uint64_t number, const std::shared_ptr<FifoDesk>& desk);
  /// No longer; but one may still come, and must then be declined.
  void gone(std::uint64_t number, std::shared_ptr<const ShareName> name);
  /// Nobody needs that desk now. It stays for whoever wants the lock next, unless there are many.
  void idle(const FifoDesk& desk);

 private:
  struct HashOfName {
    std::size_t operator()(const ShareName& name) const {
      return std::hash<std::string>()(name.name) + static_cast<std::size_t>(name.of);
    }
  };
  struct Gone {
    std::uint64_t number;
    std::shared_ptr<const ShareName> name;
  };

  net::RedisClientEvents events();
  void run(net::RedisClient* client, const std::string& key, net::RedisCommand command, BootTime deadline,
           net::RedisDone done);
  bool is_cluster() const { return client_ && client_->publish_command() != "PUBLISH"; }
  void told(std::string_view text);
  void connected();
  void shut();
  template <typename Call>
  void for_each_desk(Call call);

  EventLoop loop_;
  const FifoOptions options_;
  const std::string process_;
  std::atomic<std::uint64_t> last_number_ = 0;
  std::unique_ptr<net::RedisClient> client_;  ///< none at the end
  std::shared_ptr<FifoReplicas> replicas_;    ///< where replicas are wanted
  std::optional<FifoInboxes> inboxes_;
  std::unordered_map<ShareName, std::shared_ptr<FifoDesk>, HashOfName> desks_;
  std::unordered_map<std::uint64_t, std::shared_ptr<FifoDesk>> by_number_;  ///< who wants a lock, or has it
  std::vector<Gone> gone_;                                                  ///< the latest that ended, in a ring
  std::size_t oldest_gone_ = 0;  ///< where the next one goes, once that is full
  bool was_connected_ = false;
  std::shared_ptr<LockObserver> observer_;  ///< may be none
  std::optional<net::RedisTimer> closing_;
  std::size_t under_way_ = 0;
};

}  // namespace firstcome::lock
