// A thread for reads that take long, on a connection that cannot write.
//
// A read is done in a transaction of its own, so it sees one committed state, whatever is written meanwhile. While it
// runs the log cannot start over.
#pragma once

#include "engine/embedded/sqlite.hpp"

#include <firstcome/engine.hpp>

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace firstcome::engine {

/// Fills an operation's answer from the file.
using Read = std::function<std::expected<Answer, Failure>(sqlite::Connection&, const Command&)>;

/// Thread safety: all members from one thread, the owner of the operations; `finished` is called from the reader's.
class ReaderThread {
 public:
  static constexpr std::size_t all = static_cast<std::size_t>(-1);

  /// `background`: runs when nobody else wants the processor, or nearly so.
  enum class Priority : std::uint8_t { usual, background };

  /// `finished` is called when `take_finished` has something new.
  ReaderThread(std::filesystem::path path, std::string vfs, Read read, std::function<void()> finished,
               Priority priority = Priority::usual);
  ~ReaderThread();
  ReaderThread(const ReaderThread&) = delete;
  ReaderThread& operator=(const ReaderThread&) = delete;

  /// Answers that were not taken yet. The thread reads no further when there are so many: each may be large.
  static constexpr std::size_t most_finished = 8;

  void submit(Operation& operation);
  /// Operations submitted and not yet handed back.
  std::size_t running() const { return running_; }
  /// Appends those whose answer is filled, at most `limit`; it is the caller's to complete them. Returns whether there
  /// are more.
  bool take_finished(std::vector<Operation*>& operations, std::size_t limit);
  /// Interrupts what runs; the rest is answered `stopping`. All are to be had from `take_finished` when this returns.
  void stop();

 private:
  void run();
  std::expected<Answer, Failure> answer(const Command& command);
  std::expected<Answer, Failure> read(const Command& command);

  const std::filesystem::path path_;
  const std::string vfs_;
  const Read read_;
  const std::function<void()> finished_callback_;
  const Priority priority_;
  std::size_t running_ = 0;  ///< the owner's
  std::atomic<bool> stopping_ = false;

  std::mutex mutex_;  ///< protects what follows
  std::condition_variable wake_;
  std::deque<Operation*> waiting_;
  std::vector<Operation*> finished_;
  sqlite::Connection connection_;  ///< changed by the reader only, under the mutex; interrupted by `stop`
  std::thread thread_;
};

}  // namespace firstcome::engine
