#include "lock_crowd.hpp"

#include "lock_published.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <new>
#include <stdexcept>
#include <system_error>
#include <thread>
#include <vector>

namespace firstcome::bench {
namespace {

using Steady = std::chrono::steady_clock;

/// One who comes again and again, on the thread of the lock's completions: one event loop in each process. Who holds
/// the lock for a while does so on the crowd's own thread.
class Waiter {
 public:
  Waiter(boost::asio::io_context& io, LockSpace& space, const CrowdOptions& options, Shared& shared, std::size_t number)
      : io_(io), lock_(space.lock("bench")), timer_(io), options_(options), shared_(shared), number_(number) {}

  /// No more after this time; false once it has gone.
  bool sent_home() {
    stop_.request_stop();
    return here_.load();
  }

  void come() {
    if (shared_.stop.load()) return here_.store(false);
    here_.store(true);
    began_ = Steady::now();
    lock_->acquire({.wait = wait_for_ever, .stop = stop_.get_token()},
                   [this](Acquired acquired) { enter(std::move(acquired)); });
  }

 private:
  void enter(Acquired acquired) {
    if (!acquired && acquired.error().why == NotAcquired::Why::stopped) {
      shared_.waits.add(Steady::now() - began_);  // else who starves would not be seen
      return come();
    }
    if (!acquired) throw std::runtime_error("not acquired: " + std::string(text_of(acquired.error().why)));
    lease_ = std::move(*acquired);
    shared_.waits.add(Steady::now() - began_);
    if (shared_.inside.fetch_add(1) != 0) shared_.overlaps.fetch_add(1);
    shared_.acquisitions.fetch_add(1);
    if (shared_.last_owner.exchange(number_ + 1) != number_ + 1) shared_.hand_overs.fetch_add(1);
    shared_.of_waiter[number_].fetch_add(1);
    if (options_.hold.count() == 0) return leave();
    boost::asio::post(io_, [this] {
      timer_.expires_after(options_.hold);
      timer_.async_wait([this](boost::system::error_code) { leave(); });
    });
  }

  void leave() {
    shared_.inside.fetch_sub(1);
    if (lease_.lost()) shared_.lost.fetch_add(1);
    lease_.release([this](ReleaseOutcome) { come(); });
  }

  boost::asio::io_context& io_;
  std::unique_ptr<Lock> lock_;
  boost::asio::steady_timer timer_;
  const CrowdOptions& options_;
  Shared& shared_;
  const std::size_t number_;
  std::stop_source stop_;
  std::atomic<bool> here_ = false;
  Lease lease_;
  Steady::time_point began_;
};

}  // namespace

double WaitTimes::top_of(std::size_t bucket) {
  if (bucket < 16) return static_cast<double>(bucket) / 1e3;
  const std::size_t power = bucket / 16 - 1;
  return static_cast<double>((16 + bucket % 16 + 1) << power) / 1e3;
}

double WaitTimes::percentile(double share) const {
  std::uint64_t all = 0;
  for (const auto& bucket : buckets_) all += bucket.load();
  const auto wanted = static_cast<std::uint64_t>(static_cast<double>(all) * share);
  std::uint64_t seen = 0;
  for (std::size_t at = 0; at < buckets; ++at) {
    seen += buckets_[at].load();
    if (seen >= wanted) return top_of(at);
  }
  return 0;
}

void WaitTimes::clear() {
  for (auto& bucket : buckets_) bucket.store(0);
}

void Shared::clear_counts() {
  acquisitions.store(0);
  hand_overs.store(0);
  latch_deletions.store(0);
  for (auto& count : of_waiter) count.store(0);
  waits.clear();
}

SharedFile::SharedFile(const std::filesystem::path& path, As as) {
  const int fd = ::open(path.c_str(), O_RDWR | O_CLOEXEC | (as == As::creator ? O_CREAT | O_TRUNC : 0), 0600);
  if (fd < 0 || (as == As::creator && ::ftruncate(fd, sizeof(Shared)) != 0))
    throw std::system_error(errno, std::generic_category(), path.string());
  void* const at = ::mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  ::close(fd);
  if (at == MAP_FAILED) throw std::system_error(errno, std::generic_category(), path.string());
  shared_ = as == As::creator ? new (at) Shared : static_cast<Shared*>(at);
}

SharedFile::~SharedFile() { ::munmap(shared_, sizeof(Shared)); }

std::unique_ptr<LockSpace> open_space(const std::string& url, std::string_view kind,
                                      std::atomic<std::uint64_t>& deletions) {
  if (kind == "rlock") return open_published_locks(url, PublishedKind::rlock, deletions);
  if (kind == "rfairlock") return open_published_locks(url, PublishedKind::rfairlock, deletions);
  LockSettings settings;
  settings.backoff = {.first = Milliseconds{1}, .longest = Milliseconds{16}};
  const std::optional<LockKind> known = lock_kind_of(kind);
  if (!known) throw std::runtime_error("no kind of lock: " + std::string(kind));
  auto space = open_locks(url, *known, settings);
  if (!space) throw std::runtime_error(space.error());
  return std::move(*space);
}

void run_crowd(const CrowdOptions& options, Shared& shared) {
  const std::unique_ptr<LockSpace> space = open_space(options.url, options.kind, shared.latch_deletions);
  boost::asio::io_context io(1);
  const auto work = boost::asio::make_work_guard(io);
  std::vector<std::unique_ptr<Waiter>> waiters;
  for (std::size_t at = 0; at < options.waiters; ++at)
    waiters.push_back(std::make_unique<Waiter>(io, *space, options, shared, options.first_waiter + at));
  {  // connected, before it counts
    const auto lock = space->lock("bench-warm-up");
    std::atomic<bool> tried = false;
    lock->acquire({.wait = Milliseconds{5'000}}, [&tried](Acquired) {
      tried = true;
      tried.notify_one();
    });
    tried.wait(false);
  }
  shared.ready.fetch_add(1);
  while (!shared.go.load()) std::this_thread::sleep_for(std::chrono::milliseconds{1});
  for (const auto& waiter : waiters) boost::asio::post(io, [&waiter] { waiter->come(); });
  while (!shared.stop.load()) io.run_one_for(std::chrono::milliseconds{5});
  // Everybody gives back what he has before the space ends, which would leave it to lapse.
  for (const auto& waiter : waiters)
    while (waiter->sent_home()) io.run_one_for(std::chrono::milliseconds{1});
}

}  // namespace firstcome::bench
