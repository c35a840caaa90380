// Locks of all kinds against one Redis: 64 who come again and again, in 2, 8 and 16 processes, holding 0 or 1 ms.
//
//   bench_locks [--java FOLDER]   run all of it, against a redis-server of its own. FOLDER has the jars of Redisson
//   bench_locks --uncontended     only the last part: one process, whose locks nobody else wants
//   bench_locks --worker ...      one process of a crowd; started by the first
//
// Kinds alternate within each round, so that a noisy machine disturbs all alike; medians of the rounds, and of the
// ratios within a round. "rlock" and "rfairlock" are Redisson's protocols as published, over our transport; "redisson"
// is what this library does under their rules; "setnx" is SET NX tried again after random pauses, released by a
// script; "java" is Redisson itself, one run, without a goal, and not all of the runs: the programs take long to start.
#include "figure.hpp"
#include "lock_crowd.hpp"
#include "lock_server.hpp"
#include "lock_uncontended.hpp"

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
constexpr int rounds = 5;
constexpr auto run_time = 1000ms;
constexpr auto warm_up = 100ms;
constexpr auto java_warm_up = 2500ms;
constexpr std::array kinds{"fifo", "rlock", "rfairlock", "redisson", "setnx"};

struct Result {
  double acquisitions = 0;  ///< per second
  double hand_overs = 0;    ///< per second
  double p50_ms = 0;
  double p99_ms = 0;
  double commands = 0;   ///< that clients sent, per hand-over
  double inside = 0;     ///< calls inside scripts, per hand-over
  double redis_cpu = 0;  ///< µs of the server per hand-over
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
  Comparison(const char* program, std::string jars) : program_(program), jars_(std::move(jars)) {
    if (jars_.empty()) return;
    const auto classes = (server_.folder() / "java").string();
    try {
      Worker({"javac", "-cp", jars_ + "/*", "-d", classes, LOCK_CROWD_JAVA}).wait();
    } catch (const std::exception& error) {
      fmt::print("Redisson in Java is left out: {}\n", error.what());
      jars_.clear();
    }
  }

  bool has_java() const { return !jars_.empty(); }

  Result run(std::string_view kind, std::size_t processes, std::chrono::milliseconds hold) {
    const auto path = server_.folder() / "shared";
    SharedFile shared(path, SharedFile::As::creator);
    std::vector<Worker> workers;
    for (std::size_t at = 0; at < processes; ++at) {
      std::vector<std::string> command = command_of(kind);
      for (const std::string& more :
           {server_.url(), std::string(kind), path.string(), std::to_string(at * waiters / processes),
            std::to_string(waiters / processes), std::to_string(hold.count())})
        command.push_back(more);
      workers.emplace_back(command);
    }
    const auto until = Steady::now() + 60s;
    while (shared->ready.load() < processes) {
      if (Steady::now() > until) throw std::runtime_error("the processes of a crowd did not start");
      std::this_thread::sleep_for(2ms);
    }
    shared->go.store(true);
    std::this_thread::sleep_for(kind == "java" ? java_warm_up : warm_up);
    const ServerCounts before = server_.counts();
    shared->clear_counts();
    const auto began = Steady::now();
    std::this_thread::sleep_for(run_time);
    Result result = sum_up(kind, *shared, Steady::now() - began, before);
    shared->stop.store(true);
    for (Worker& worker : workers) worker.wait();
    result.p50_ms = shared->waits.percentile(0.5);
    result.p99_ms = shared->waits.percentile(0.99);
    // On a machine that stops a process for longer than a lease, its lock goes on to the next; it knows.
    if (shared->overlaps.load() > shared->lost.load())
      throw std::runtime_error(fmt::format("{}: two held the lock at once, {} times, and {} leases were lost", kind,
                                           shared->overlaps.load(), shared->lost.load()));
    return result;
  }

  const std::string& url() const { return server_.url(); }
  ServerCounts counts() const { return server_.counts(); }

 private:
  std::vector<std::string> command_of(std::string_view kind) const {
    if (kind != "java") return {program_, "--worker"};
    const std::string classes = (server_.folder() / "java").string();
    return {"java", "-Dslf4j.internal.verbosity=ERROR", "-Xmx96m",  "-XX:+UseSerialGC",
            "-cp",  classes + ":" + jars_ + "/*",       "LockCrowd"};
  }

  Result sum_up(std::string_view kind, const Shared& shared, std::chrono::duration<double> time,
                const ServerCounts& before) const {
    Result result;
    const auto acquisitions = static_cast<double>(std::max<std::uint64_t>(shared.acquisitions.load(), 1));
    const auto hand_overs = static_cast<double>(std::max<std::uint64_t>(shared.hand_overs.load(), 1));
    result.fairness = jain(shared);
    const std::uint64_t deletions = shared.latch_deletions.load();
    const ServerCounts after = server_.counts();
    result.acquisitions = acquisitions / time.count();
    result.hand_overs = hand_overs / time.count();
    const std::uint64_t sets = after.sets - before.sets;  // by clients, or by a script that writes a latch
    const std::uint64_t others = after.others - before.others;
    const std::uint64_t by_clients = (after.scripts - before.scripts) + (after.subscriptions - before.subscriptions) +
                                     deletions + (kind == "setnx" ? sets : 0);
    const std::uint64_t inside = others - std::min(others, deletions) + (kind == "setnx" ? 0 : sets);
    result.commands = static_cast<double>(by_clients) / hand_overs;
    result.inside = static_cast<double>(inside) / hand_overs;
    result.redis_cpu = (after.cpu_seconds - before.cpu_seconds) * 1e6 / hand_overs;
    return result;
  }

  std::string program_;
  std::string jars_;
  LockServer server_;
};

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
  fmt::print("{:<9} {:>9} {:>5} {:>12.0f} {:>12.0f} {:>8.2f} {:>8.2f} {:>9.2f} {:>9.1f} {:>9.1f} {:>8.3f}\n", kind,
             processes, hold.count(), of(&Result::acquisitions), of(&Result::hand_overs), of(&Result::p50_ms),
             of(&Result::p99_ms), of(&Result::commands), of(&Result::inside), of(&Result::redis_cpu),
             of(&Result::fairness));
  std::fflush(stdout);
}

using Results = std::map<std::string, std::vector<Result>, std::less<>>;

void judge(Results& results, std::size_t processes, std::chrono::milliseconds hold) {
  const auto& ours = results["fifo"];
  const auto& rlock = results["rlock"];
  const std::map<std::size_t, double> goals{{2, 1.2}, {8, 1.6}, {16, 2.5}};
  const std::string suffix = fmt::format("_{}_processes_hold_{}", processes, hold.count());
  figure_at_least("locks.hand_overs_to_rlock" + suffix, median_ratio(ours, rlock, &Result::hand_overs),
                  goals.at(processes));
  const double acquisitions = median_ratio(ours, rlock, &Result::acquisitions);
  if (processes == 2) {
    figure_at_least("locks.acquisitions_to_rlock" + suffix, acquisitions, 0.95);
  } else {
    figure("locks.acquisitions_to_rlock" + suffix, acquisitions);
  }
  figure_at_most("locks.p99_wait_to_rlock" + suffix, median_ratio(ours, rlock, &Result::p99_ms), 0.5);
  figure_at_least("locks.hand_overs_to_rfairlock" + suffix,
                  median_ratio(ours, results["rfairlock"], &Result::hand_overs), 2.5);
  // And one pulse for each process and half second.
  const double pulses = 2 * static_cast<double>(processes) / median_of(ours, &Result::hand_overs);
  figure_at_most("locks.commands_per_hand_over" + suffix, median_of(ours, &Result::commands), 2.2 + pulses);
  figure("locks.redis_cpu_to_rlock" + suffix, median_ratio(ours, rlock, &Result::redis_cpu));
  figure("locks.fairness" + suffix, median_of(ours, &Result::fairness));
}

void compare(Comparison& comparison, std::size_t processes, std::chrono::milliseconds hold) {
  Results results;
  for (int round = 0; round < rounds; ++round)
    for (const char* kind : kinds) results[kind].push_back(comparison.run(kind, processes, hold));
  for (const char* kind : kinds) print_row(kind, processes, hold, results[kind]);
  if (comparison.has_java() && (hold == 0ms || processes == 2))
    print_row("java", processes, hold, {comparison.run("java", processes, hold)});
  judge(results, processes, hold);
}

void compare_uncontended(Comparison& comparison, std::size_t at_once, double goal) {
  std::map<std::string, std::vector<double>> rates;
  std::vector<double> ratios;
  std::vector<double> trips;
  for (int round = 0; round < rounds; ++round) {
    for (const char* kind : {"fifo", "rlock", "setnx"}) {
      const ServerCounts before = comparison.counts();
      const Uncontended run = run_uncontended(comparison.url(), kind, at_once);
      rates[kind].push_back(run.per_second);
      if (std::string_view(kind) == "fifo")
        trips.push_back(static_cast<double>(comparison.counts().scripts - before.scripts) /
                        static_cast<double>(run.all));
    }
    ratios.push_back(rates["fifo"].back() / rates["setnx"].back());
  }
  for (const auto& [kind, of_kind] : rates)
    figure(fmt::format("locks.uncontended_{}_at_once_{}_per_s", at_once, kind), median(of_kind));
  figure_at_least(fmt::format("locks.uncontended_{}_at_once_to_setnx", at_once), median(ratios), goal);
  figure_at_most(fmt::format("locks.uncontended_{}_at_once_round_trips", at_once), median(trips), 2);
}

void compare_all(Comparison& comparison) {
  if (!comparison.has_java())
    fmt::print("Without Redisson in Java: its jars are not there (./run test fetches them)\n");
  fmt::print("{} waiters; runs of {} ms, alternating, medians of {}\n", waiters, run_time.count(), rounds);
  fmt::print("kind      processes  hold acquisitions   hand-overs      p50      p99  commands    inside Redis CPU");
  fmt::print(" fairness\n");
  fmt::print("                       ms           /s           /s  wait ms  wait ms    each hand-over,  and its µs");
  fmt::print("     Jain\n");
  for (const std::chrono::milliseconds hold : {0ms, 1ms})
    for (const std::size_t processes : {2, 8, 16}) compare(comparison, processes, hold);
}

int work(char** arguments) {
  CrowdOptions options;
  options.url = arguments[0];
  options.kind = arguments[1];
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
  Comparison comparison(argv[0], argc == 3 && std::strcmp(argv[1], "--java") == 0 ? argv[2] : "");
  if (argc != 2 || std::strcmp(argv[1], "--uncontended") != 0) compare_all(comparison);
  compare_uncontended(comparison, 1, 0.8);
  compare_uncontended(comparison, 50, 0.5);
  return 0;
} catch (const std::exception& error) {
  fmt::print(stderr, "bench_locks: {}\n", error.what());
  return 2;
}
