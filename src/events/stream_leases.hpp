// Which streams of the outbox this process may deliver: those whose lock it has. Others stand by in the lock's queue,
// and take over when the holder lets go or dies.
#pragma once

#include <firstcome/lock_space.hpp>
#include <firstcome/types.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <vector>

namespace firstcome::events {

/// Thread safety: one thread, the relay's; the lock space completes on its own.
class StreamLeases {
 public:
  /// `space` may be null: nobody else is there, and every stream is held as soon as it is wanted. `changed` is called,
  /// from any thread, when `take_answers` has something.
  StreamLeases(std::unique_ptr<LockSpace> space, std::function<void()> changed);
  /// Gives all back, and leaves the queues.
  ~StreamLeases();
  StreamLeases(const StreamLeases&) = delete;
  StreamLeases& operator=(const StreamLeases&) = delete;

  /// Asks for it, unless that was done and it was neither granted and given back nor lost since.
  void want(SaleHandle stream);
  std::size_t wanted() const { return streams_.size(); }

  struct Refused {
    SaleHandle stream{};
    NotAcquired why;
  };
  struct Answers {
    std::vector<SaleHandle> granted;
    std::vector<Refused> refused;  ///< forgotten: want them again
  };
  /// Returns what was answered since. Whoever waits behind another holder is no answer.
  Answers take_answers();
  /// Whether it is still held. A lost one is forgotten.
  bool holds(SaleHandle stream);
  /// 0 without a lock space. REQUIRES: held.
  std::uint64_t token(SaleHandle stream) const;
  void give_back(SaleHandle stream) { streams_.erase(stream); }

 private:
  void ask_for(SaleHandle stream);

  struct Stream {
    std::unique_ptr<Lock> lock;
    std::stop_source stop;
    std::optional<Lease> lease;
    ~Stream() { stop.request_stop(); }
  };
  /// What comes from other threads; outlives this, because a lease may be granted late.
  struct Mail {
    std::mutex mutex;  ///< protects what follows
    std::vector<std::pair<SaleHandle, Acquired>> arrived;
    std::function<void()> changed;  ///< empty: nobody listens any more
  };

  const std::unique_ptr<LockSpace> space_;
  const std::shared_ptr<Mail> mail_;
  std::map<SaleHandle, Stream> streams_;
};

}  // namespace firstcome::events
