// What the FIFO locks of one process at one server share: the thread, the client, the inboxes, the numbers; and the
// desks, one for each lock that somebody here wants or has.
#pragma once

#include "lock/event_loop.hpp"
#include "lock/redis/fifo.hpp"
#include "lock/redis/fifo_inboxes.hpp"
#include "net/redis/wire.hpp"

#include <atomic>
#include <deque>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>

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
  void gone(std::uint64_t number, const ShareName& name);
  /// Nobody needs that desk any more.
  void remove(const FifoDesk& desk);

 private:
  net::RedisClientEvents events();
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
  std::unordered_map<std::string, std::shared_ptr<FifoDesk>> desks_;        ///< by key
  std::unordered_map<std::uint64_t, std::shared_ptr<FifoDesk>> by_number_;  ///< who wants a lock, or has it
  std::unordered_map<std::uint64_t, ShareName> gone_;                       ///< names, of the latest that gave up
  std::deque<std::uint64_t> gone_order_;
  bool was_connected_ = false;
  std::optional<net::RedisTimer> closing_;
  std::size_t under_way_ = 0;
};

}  // namespace firstcome::lock
