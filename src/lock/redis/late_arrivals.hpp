// Undoing what a given-up acquire may still do.
//
// An acquire without an answer may be carried out late: its bytes lie in the buffer of a server that was stopped, or of
// a connection that was given up. Then nobody knows of the lock that it takes, until its lease ends. So its owner's
// lock is released again, some times over the next second and more: whoever was stalled lets go of all that it holds
// back at about the same time, also of the request that tells us that it goes on.
#pragma once

#include "lock/backend.hpp"
#include "net/redis/wire.hpp"

#include <functional>
#include <map>
#include <memory>
#include <string>

namespace firstcome::lock {

/// Not thread-safe: use on the executor's thread only.
class LateArrivals {
 public:
  struct Owned {
    std::string name;
    std::string owner;
  };
  /// Releases that lock, where that owner has it; calls `done` afterwards, whatever came of it.
  using Undo = std::move_only_function<void(const Owned& owned, std::move_only_function<void()> done)>;

  LateArrivals(net::IoExecutor executor, Undo undo);
  LateArrivals(const LateArrivals&) = delete;
  LateArrivals& operator=(const LateArrivals&) = delete;

  /// Begins to look for it. `done`, if any, is called once, when it has been looked for the last time, or when all
  /// ends.
  void look_for(Owned owned, std::move_only_function<void()> done = {});
  void close();

 private:
  struct Search {
    Owned owned;
    std::size_t looks = 0;
    std::move_only_function<void()> done;
  };
  using Due = std::chrono::steady_clock::time_point;

  void plan(Search search);
  void set_timer();
  void on_timer();
  void look(Search search);

  Undo undo_;
  net::RedisTimer timer_;
  std::shared_ptr<LateArrivals*> self_;  ///< for callbacks, which may come after the end
  std::multimap<Due, Search> searches_;
  bool closed_ = false;
};

}  // namespace firstcome::lock
