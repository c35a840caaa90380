// Locks of all kinds against one Redis: 64 who come again and again, in 2, 8 and 16 processes, holding 0 or 1 ms.
//
//   bench_locks                run all of it, against a redis-server of its own
//   bench_locks --worker ...   one process of a crowd; started by the former
//
// Kinds alternate within each round, so that a noisy machine disturbs all alike; medians. "redisson" is the protocol of
// Redisson's RLock over our transport, "setnx" is SET NX tried again after random pauses.
#include "figure.hpp"
#include "lock_crowd.hpp"
#include "lock_server.hpp"

#include <firstcome/lock_mutex.hpp>

#include <fmt/core.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>
#include <thread>
#include <vector>

namespace {

using namespace firstcome;
using namespace firstcome::bench;
using namespace std::chrono_literals;
using Steady = std::chrono::steady_clock;

constexpr std::size_t waiters = 64;
constexpr int rounds = 3;
constexpr auto run_time = 1500ms;

struct Result {
  double acquisitions = 0;  ///< per second
  double hand_overs = 0;    ///< per second
  double p50_ms = 0;
  double p99_ms = 0;
  double commands = 0;   ///< that clients sent, per hand-over
  double redis_cpu = 0;  ///< µs of the server per acquisition
  double fairness = 0;   ///< Jain's index over the waiters: 1 where all had the same
};

double jain(const Shared& shared) {
  double sum = 0;
  double squares = 0;
  for (std::size_t at = 0; at < waiters; ++at) {
    const auto count = static_cast<double>(shared.of_waiter[at].load());
    sum += count;
    squares += count * count;
  }
  return squares == 0 ? 0 : sum * sum / (static_cast<double>(waiters) * squares);
}

class Comparison {
 public:
  explicit Comparison(const char* program) : program_(program) {}

  Result run(std::string_view kind, std::size_t processes, std::chrono::milliseconds hold) {
    const auto path = server_.folder() / "shared";
    SharedFile shared(path, SharedFile::As::creator);
    std::vector<Worker> workers;
    for (std::size_t at = 0; at < processes; ++at)
      workers.emplace_back(std::vector<std::string>{program_, "--worker", server_.url(), std::string(kind),
                                                    path.string(), std::to_string(at * waiters / processes),
                                                    std::to_string(waiters / processes), std::to_string(hold.count())});
    const auto until = Steady::now() + 20s;
    while (shared->ready.load() < processes) {
      if (Steady::now() > until) throw std::runtime_error("the processes of a crowd did not start");
      std::this_thread::sleep_for(2ms);
    }
    const ServerCounts before = server_.counts();
    const auto began = Steady::now();
    shared->go.store(true);
    std::this_thread::sleep_for(run_time);
    const ServerCounts after = server_.counts();
    const double seconds = std::chrono::duration<double>(Steady::now() - began).count();
    shared->stop.store(true);
    Result result = sum_up(*shared, seconds, before, after);
    for (Worker& worker : workers) worker.wait();
    // On a machine that stops a process for longer than a lease, its lock goes on to the next; it knows.
    if (shared->overlaps.load() > shared->lost.load())
      throw std::runtime_error(fmt::format("{}: two held the lock at once, {} times, and {} leases were lost", kind,
                                           shared->overlaps.load(), shared->lost.load()));
    return result;
  }

  const std::string& url() const { return server_.url(); }

 private:
  static Result sum_up(const Shared& shared, double seconds, const ServerCounts& before, const ServerCounts& after) {
    Result result;
    const auto acquisitions = static_cast<double>(std::max<std::uint64_t>(shared.acquisitions.load(), 1));
    const auto hand_overs = static_cast<double>(std::max<std::uint64_t>(shared.hand_overs.load(), 1));
    result.acquisitions = acquisitions / seconds;
    result.hand_overs = hand_overs / seconds;
    result.p50_ms = shared.waits.percentile(0.5);
    result.p99_ms = shared.waits.percentile(0.99);
    result.commands = static_cast<double>(after.client_commands - before.client_commands) / hand_overs;
    result.redis_cpu = (after.cpu_seconds - before.cpu_seconds) * 1e6 / acquisitions;
    result.fairness = jain(shared);
    return result;
  }

  std::string program_;
  LockServer server_;
};

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

double median_of(const std::vector<Result>& results, double Result::* member) {
  std::vector<double> values;
  for (const Result& result : results) values.push_back(result.*member);
  return median(std::move(values));
}

/// Of runs side by side.
double median_ratio(const std::vector<Result>& ours, const std::vector<Result>& theirs, double Result::* member) {
  std::vector<double> ratios;
  for (std::size_t at = 0; at < ours.size(); ++at) ratios.push_back(ours[at].*member / (theirs[at].*member));
  return median(std::move(ratios));
}

void print_row(std::string_view kind, std::size_t processes, std::chrono::milliseconds hold,
               const std::vector<Result>& results) {
  const auto of = [&](double Result::* member) { return median_of(results, member); };
  fmt::print("{:<9} {:>9} {:>5} {:>12.0f} {:>12.0f} {:>8.2f} {:>8.2f} {:>9.2f} {:>9.1f} {:>8.3f}\n", kind, processes,
             hold.count(), of(&Result::acquisitions), of(&Result::hand_overs), of(&Result::p50_ms), of(&Result::p99_ms),
             of(&Result::commands), of(&Result::redis_cpu), of(&Result::fairness));
  std::fflush(stdout);
}

void compare(Comparison& comparison, std::size_t processes, std::chrono::milliseconds hold) {
  std::map<std::string, std::vector<Result>> results;
  for (int round = 0; round < rounds; ++round)
    for (const char* kind : {"fifo", "redisson", "setnx"})
      results[kind].push_back(comparison.run(kind, processes, hold));
  for (const auto& [kind, of_kind] : results) print_row(kind, processes, hold, of_kind);
  if (hold != 0ms) return;
  const auto& ours = results["fifo"];
  const auto& rlock = results["redisson"];
  const std::map<std::size_t, double> goals{{2, 1.2}, {8, 1.6}, {16, 2.5}};
  const std::string suffix = fmt::format("_{}_processes", processes);
  figure_at_least("locks.hand_overs_to_rlock" + suffix, median_ratio(ours, rlock, &Result::hand_overs),
                  goals.at(processes));
  if (processes == 2)
    figure_at_least("locks.acquisitions_to_rlock" + suffix, median_ratio(ours, rlock, &Result::acquisitions), 0.95);
  figure_at_most("locks.p99_wait_to_rlock" + suffix, median_ratio(ours, rlock, &Result::p99_ms), 0.5);
  figure_at_most("locks.commands_per_hand_over" + suffix, median_of(ours, &Result::commands), 2.2);
}

/// Acquisitions per second of one process without contention: `at_once` locks, each taken and given back in turn.
double uncontended(const std::string& url, std::string_view kind, std::size_t at_once) {
  auto space = open_locks(url, *lock_kind_of(kind));
  if (!space) throw std::runtime_error(space.error());
  std::atomic<std::uint64_t> count = 0;
  std::atomic<bool> stop = false;
  std::vector<std::jthread> threads;
  std::vector<std::unique_ptr<Lock>> locks;
  for (std::size_t at = 0; at < at_once; ++at) locks.push_back((*space)->lock(fmt::format("alone-{}", at)));
  for (const auto& lock : locks)
    threads.emplace_back([&lock, &count, &stop] {
      while (!stop) {
        auto lease = acquire_blocking(*lock, {.wait = 5s});
        if (!lease) std::abort();
        release_blocking(std::move(*lease));
        ++count;
      }
    });
  std::this_thread::sleep_for(200ms);
  const auto before = count.load();
  std::this_thread::sleep_for(1s);
  const auto after = count.load();
  stop = true;
  threads.clear();
  return static_cast<double>(after - before);
}

void compare_uncontended(const std::string& url, std::size_t at_once, double goal) {
  std::vector<double> ratios;
  std::vector<double> rates;
  for (int round = 0; round < rounds; ++round) {
    rates.push_back(uncontended(url, "fifo", at_once));
    ratios.push_back(rates.back() / uncontended(url, "setnx", at_once));
  }
  figure(fmt::format("locks.uncontended_{}_at_once_per_s", at_once), median(rates));
  figure_at_least(fmt::format("locks.uncontended_{}_at_once_to_setnx", at_once), median(ratios), goal);
}

int work(char** arguments) {
  CrowdOptions options;
  options.url = arguments[0];
  options.kind = *lock_kind_of(arguments[1]);
  const SharedFile shared(arguments[2], SharedFile::As::user);
  options.first_waiter = std::strtoull(arguments[3], nullptr, 10);
  options.waiters = std::strtoull(arguments[4], nullptr, 10);
  options.hold = std::chrono::milliseconds{std::strtoll(arguments[5], nullptr, 10)};
  run_crowd(options, *shared);
  return 0;
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc == 8 && std::strcmp(argv[1], "--worker") == 0) return work(argv + 2);
  Comparison comparison(argv[0]);
  fmt::print("{} waiters; runs of {} ms, alternating, medians of {}\n", waiters, run_time.count(), rounds);
  fmt::print("kind      processes  hold acquisitions   hand-overs      p50      p99  commands Redis CPU fairness\n");
  fmt::print("                       ms           /s           /s  wait ms  wait ms /hand-over   µs each     Jain\n");
  for (const std::size_t processes : {2, 8, 16}) compare(comparison, processes, 0ms);
  for (const std::size_t processes : {2, 8, 16}) compare(comparison, processes, 1ms);
  compare_uncontended(comparison.url(), 1, 0.8);
  compare_uncontended(comparison.url(), 50, 0.5);
  return 0;
} catch (const std::exception& error) {
  fmt::print(stderr, "bench_locks: {}\n", error.what());
  return 2;
}
