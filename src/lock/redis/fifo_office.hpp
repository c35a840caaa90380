// What the FIFO locks of one process at one server share: the thread, the client, the inboxes, the numbers; and the
// desks, one for each lock that somebody here wants or has.
#pragma once

#include "lock/event_loop.hpp"
#include "lock/redis/fifo.hpp"
#include "lock/redis/fifo_inboxes.hpp"
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
  /// The last task of the loop. Ends soon, on its own.
  void close();

  const FifoOptions& options() const { return options_; }
  FifoInboxes& inboxes() { return *inboxes_; }
  const std::string& process() const { return process_; }
  BootTime limit() const { return BootClock::now() + options_.request_limit; }
  void execute(const std::string& key, net::RedisCommand command, BootTime deadline, net::RedisDone done);
  Trust trust(const std::string& key) const;
  /// Calls it when enough replicas have what was written to `key` before; a failure: they may not. REQUIRES: replicas
  /// are wanted, and the last write was answered just now, so that this follows it on its connection. While a slot is
  /// on its way from one node to another that may be another connection: then it says too much.
  void when_replicated(const std::string& key, std::move_only_function<void(std::optional<LockFailure>)> done);

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
  std::optional<FifoInboxes> inboxes_;
  std::unordered_map<ShareName, std::shared_ptr<FifoDesk>, HashOfName> desks_;
  std::unordered_map<std::uint64_t, std::shared_ptr<FifoDesk>> by_number_;  ///< who wants a lock, or has it
  std::vector<Gone> gone_;                                                  ///< the latest that ended, in a ring
  std::size_t oldest_gone_ = 0;  ///< where the next one goes, once that is full
  bool was_connected_ = false;
  std::optional<net::RedisTimer> closing_;
  std::size_t under_way_ = 0;
};

}  // namespace firstcome::lock
