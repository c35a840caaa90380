#include "lock/sql/sql_connector.hpp"

#include <cassert>
#include <utility>

namespace firstcome::lock {

SqlConnector::SqlConnector(std::shared_ptr<SqlServer> server, std::size_t most_threads)
    : server_(std::move(server)), most_threads_(most_threads) {
  assert(most_threads_ > 0);
}

SqlConnector::~SqlConnector() { assert(threads_.empty()); }

void SqlConnector::connect(BootTime limit, Done done) {
  const std::lock_guard guard(mutex_);
  if (closed_) return;
  jobs_.push_back({limit, std::move(done)});
  if (jobs_.size() > idle_ && threads_.size() < most_threads_) {
    threads_.emplace_back([this] { work(); });
  } else {
    more_.notify_one();
  }
}

void SqlConnector::work() {
  std::unique_lock guard(mutex_);
  for (;;) {
    ++idle_;
    more_.wait(guard, [this] { return closed_ || !jobs_.empty(); });
    --idle_;
    if (closed_) return;
    Job job = std::move(jobs_.front());
    jobs_.pop_front();
    guard.unlock();
    if (BootClock::now() < job.limit) {
      job.done(server_->connect(job.limit));
    } else {
      job.done(std::unexpected(
          LockFailure{LockFailure::Kind::unavailable, "too many others were connecting to the SQL server"}));
    }
    job.done = nullptr;
    guard.lock();
  }
}

void SqlConnector::close() {
  std::vector<std::thread> threads;
  std::deque<Job> forgotten;
  {
    const std::lock_guard guard(mutex_);
    closed_ = true;
    threads.swap(threads_);
    forgotten.swap(jobs_);
  }
  more_.notify_all();
  for (std::thread& thread : threads) thread.join();
}

}  // namespace firstcome::lock
