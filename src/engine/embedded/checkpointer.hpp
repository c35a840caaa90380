// Folds the log into the file, little by little, so that the log stays small and a start is quick.
//
// A thread with a connection of its own runs PASSIVE checkpoints, which wait for nobody and hold nobody up. Alone it
// would never catch up under load: the log starts over only when a writer finds all of it folded. So when the log has
// grown to `full_frames` and the thread has left only a little, the writer folds that itself between two turns
// (`writer_folds`, `Store::checkpoint`). A long read keeps the log from being folded past what it sees; the log then
// grows until the read ends, and the thread folds it while the sale goes on: the writer never waits for that, and never
// folds more than a little itself. A log that has grown large is logged, once. An error here is logged and tried again;
// no answer depends on it.
#pragma once

#include "engine/embedded/sqlite.hpp"

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <mutex>
#include <string>
#include <thread>

namespace firstcome::engine {

/// Folds what can be folded without waiting. Returns how many of the log's frames are.
sqlite::Result<std::uint64_t> fold_log(sqlite::Connection& connection);

/// Thread safety: all members from the writer's thread.
class Checkpointer {
 public:
  /// The thread folds in steps of this many (12 MB): each costs two syncs, which slow the writer's own.
  static constexpr std::uint64_t step_frames = 3072;
  /// From here on the writer folds the rest, if it is no more than `writer_frames` ...
  static constexpr std::uint64_t full_frames = 6144;
  static constexpr std::uint64_t writer_frames = 1024;
  /// ... and from here on (48 MB) if it is no more than a step: some ten milliseconds.
  static constexpr std::uint64_t most_frames = 12288;
  /// A log of so many (1 GB) is worth a warning.
  static constexpr std::uint64_t large_frames = 262'144;

  Checkpointer(std::filesystem::path path, std::string vfs);
  ~Checkpointer();
  Checkpointer(const Checkpointer&) = delete;
  Checkpointer& operator=(const Checkpointer&) = delete;

  /// To be told after each commit how many frames the log holds.
  void committed(std::uint64_t log_frames);
  /// Whether the writer is to fold now; the thread keeps away until `writer_folded` says how far it came.
  bool writer_folds();
  void writer_folded(const sqlite::Result<std::uint64_t>& folded);
  /// For good: nothing is folded any more when this returns.
  void stop();

 private:
  using SteadyTime = std::chrono::steady_clock::time_point;

  void run();
  sqlite::Result<std::uint64_t> fold_by_thread();
  void note(const sqlite::Result<std::uint64_t>& folded);
  std::uint64_t rest() const { return frames_ - folded_; }
  bool thread_has_work() const;
  void watch_size();

  const std::filesystem::path path_;
  const std::string vfs_;
  std::mutex mutex_;  ///< protects what follows
  std::condition_variable wake_;
  std::uint64_t frames_ = 0;
  std::uint64_t folded_ = 0;  ///< of these; at most frames_
  bool folding_ = false;      ///< by whom it may be
  bool warned_ = false;       ///< that the log is large
  bool stopping_ = false;
  SteadyTime not_before_{};        ///< after an error, or when a read stood in the way
  sqlite::Connection connection_;  ///< the thread's alone
  std::thread thread_;
};

}  // namespace firstcome::engine
