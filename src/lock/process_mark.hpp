// Which process this is: a forked child is another one, though it has its parent's memory, and none of its threads.
#pragma once

#include <cstdint>
#include <memory>

namespace firstcome::lock {

/// Remembers the process that made it. Thread safety: any thread. Cost: an atomic load.
class ProcessMark {
 public:
  ProcessMark();
  /// False in every process that was forked from that one since.
  bool is_here() const;

 private:
  std::uint64_t forks_;
};

/// For a child: never destroys what it has of its parent, whose mutexes may be locked by threads that are not here.
void leave_to_the_parent(std::shared_ptr<const void> what);

}  // namespace firstcome::lock
