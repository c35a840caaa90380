// What holds a background task back. Each cause is told once in the log when it begins, and once when it has ended.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <string_view>

namespace firstcome::events {

/// Thread safety: any thread.
class Troubles {
 public:
  /// `task` begins each line of the log, as in "relay".
  explicit Troubles(std::string task) : task_(std::move(task)) {}

  /// A cause is named by what it keeps from happening, as in "events are delivered". `who` tells apart those that one
  /// cause holds back each for itself, such as the streams of an outbox. Cost: a search in a map.
  void begin(std::string_view cause, std::string sentence, std::uint64_t who = 0);
  /// The cause has ended when it has ended for all that it held back.
  void end(std::string_view cause, std::uint64_t who = 0);
  /// Ends it for all that are not in `still`.
  void end_for_others(std::string_view cause, const std::set<std::uint64_t>& still);

  /// The latest sentence of a cause that lasts; empty: nothing is wrong.
  std::string sentence() const;

 private:
  struct Cause {
    std::string sentence;
    std::set<std::uint64_t> held_back;
  };
  using Causes = std::map<std::string, Cause, std::less<>>;

  void forget(Causes::iterator cause);

  const std::string task_;
  mutable std::mutex mutex_;  ///< protects what follows
  Causes causes_;
};

}  // namespace firstcome::events
