#include "engine/embedded/reader_thread.hpp"

#include <spdlog/spdlog.h>
#include <sys/resource.h>

#include <algorithm>
#include <cstddef>
#include <utility>

namespace firstcome::engine {

ReaderThread::ReaderThread(std::filesystem::path path, std::string vfs, Read read, std::function<void()> finished,
                           Priority priority)
    : path_(std::move(path)),
      vfs_(std::move(vfs)),
      read_(std::move(read)),
      finished_callback_(std::move(finished)),
      priority_(priority),
      thread_([this] { run(); }) {}

ReaderThread::~ReaderThread() { stop(); }

void ReaderThread::submit(Operation& operation) {
  ++running_;
  {
    const std::lock_guard lock(mutex_);
    waiting_.push_back(&operation);
  }
  wake_.notify_one();
}

bool ReaderThread::take_finished(std::vector<Operation*>& operations, std::size_t limit) {
  if (running_ == 0) return false;
  const std::lock_guard lock(mutex_);
  const auto count = static_cast<std::ptrdiff_t>(std::min(limit, finished_.size()));
  operations.insert(operations.end(), finished_.begin(), finished_.begin() + count);
  finished_.erase(finished_.begin(), finished_.begin() + count);
  running_ -= static_cast<std::size_t>(count);
  if (count > 0) wake_.notify_one();
  return !finished_.empty();
}

void ReaderThread::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    if (connection_) sqlite3_interrupt(connection_.get());
  }
  wake_.notify_one();
  if (thread_.joinable()) thread_.join();
}

void ReaderThread::run() {
  if (priority_ == Priority::background) ::setpriority(PRIO_PROCESS, 0, 19);  // of this thread only, on Linux
  std::unique_lock lock(mutex_);
  while (true) {
    wake_.wait(lock, [this] { return stopping_ || (!waiting_.empty() && finished_.size() < most_finished); });
    if (waiting_.empty()) return;
    Operation* const operation = waiting_.front();
    waiting_.pop_front();
    lock.unlock();
    operation->answer = answer(operation->command);
    lock.lock();
    finished_.push_back(operation);
    lock.unlock();
    finished_callback_();
    lock.lock();
  }
}

std::expected<Answer, Failure> ReaderThread::answer(const Command& command) {
  if (stopping_) return std::unexpected(Failure{FailureCode::stopping, "the server stops"});
  try {
    return read(command);
  } catch (const std::exception& error) {  // out of memory in an audit of many customers
    return std::unexpected(Failure{FailureCode::store_unavailable, error.what()});
  }
}

std::expected<Answer, Failure> ReaderThread::read(const Command& command) {
  if (!connection_) {
    auto opened = sqlite::Connection::open(path_, sqlite::Access::read_only, vfs_);
    if (!opened) return std::unexpected(Failure{FailureCode::store_unavailable, opened.error().text});
    const std::lock_guard lock(mutex_);
    connection_ = std::move(*opened);
  }
  std::expected<Answer, Failure> answer;
  if (auto begun = connection_.execute("BEGIN"); begun) {
    answer = read_(connection_, command);
  } else {
    answer = std::unexpected(Failure{FailureCode::store_unavailable, begun.error().text});
  }
  if (connection_.in_transaction()) static_cast<void>(connection_.execute("COMMIT"));  // nothing to lose
  if (!answer) {
    spdlog::warn("a read failed: {}", answer.error().detail);
    const std::lock_guard lock(mutex_);
    connection_ = {};
  }
  return answer;
}

}  // namespace firstcome::engine
