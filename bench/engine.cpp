// The embedded engine, in process and durable, beside a bare SQLite loop.
//
//   bench_engine engine [--gate]   durable reservations/s with 10 000 in flight, over what a loop without any logic
//                                  reaches that inserts the same rows into the same tables, 512 to a commit; both run
//                                  by turns in one process, on one disk. Goal: 0.7.
//   bench_engine growth [--gate]   the engine's figure with 10 M reservations stored over the empty one (goal 0.8),
//                                  seconds to start (20), bytes of memory a reservation (200), largest log (64 MB).
// Options: --folder DIR (default: the current one), --millions N (default 10). Exit 1 with --gate where a goal is
// missed.
#include "engine/embedded/embedded_engine.hpp"
#include "engine/embedded/rows.hpp"
#include "engine/embedded/schema.hpp"
#include "engine/embedded/sqlite.hpp"
#include "figure.hpp"

#include <fmt/format.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace firstcome;
using namespace firstcome::engine;
using Steady = std::chrono::steady_clock;

constexpr std::size_t in_flight = 10'000;
constexpr std::size_t rows_a_bare_commit = 512;
constexpr std::string_view sale_id = "bench";

double seconds_since(Steady::time_point start) { return std::chrono::duration<double>(Steady::now() - start).count(); }

std::uint64_t mix(std::uint64_t x) {
  x += 0x9e3779b97f4a7c15;
  x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
  x = (x ^ x >> 27) * 0x94d049bb133111eb;
  return x ^ x >> 31;
}

/// The n-th customer: 16 bytes; each asks once.
void name_customer(std::uint64_t n, char* sixteen_bytes) {
  std::memcpy(sixteen_bytes, "customer", 8);
  for (int i = 15; i >= 8; --i, n /= 16) sixteen_bytes[i] = "0123456789abcdef"[n % 16];
}

KeyHash key_of(std::uint64_t n) { return {mix(n), mix(n ^ 0x5555)}; }

[[noreturn]] void fail(const std::string& why) {
  fmt::print(stderr, "bench_engine: {}\n", why);
  std::exit(2);
}

/// Runs reservations through an engine, `in_flight` at a time, each submitted again when it is answered.
class Crowd {
 public:
  explicit Crowd(EmbeddedEngine& engine, std::uint64_t first_customer = 0)
      : engine_(engine), asks_(in_flight), customers_(first_customer) {
    for (auto& ask : asks_) ask = std::make_unique<Ask>(*this);
  }

  /// Reservations per second.
  double run(std::uint64_t count) {
    left_to_submit_ = count;
    left_to_answer_ = count;
    const auto start = Steady::now();
    for (auto& ask : asks_) ask->next();
    while (left_to_answer_ > 0) {
      static_cast<void>(engine_.turn());
      largest_log_ = std::max(largest_log_, engine_.counters().wal_bytes);
    }
    return static_cast<double>(count) / seconds_since(start);
  }

  /// After any commit, in bytes.
  std::uint64_t largest_log() const { return largest_log_; }

 private:
  struct Ask final : Operation {
    explicit Ask(Crowd& of) : crowd(of) {}
    void next() {
      if (crowd.left_to_submit_ == 0) return;
      --crowd.left_to_submit_;
      name_customer(crowd.customers_, customer);
      command = Reserve{sale_id, {customer, sizeof customer}, 1, {}, key_of(crowd.customers_)};
      ++crowd.customers_;
      crowd.engine_.submit(*this);
    }
    void completed() noexcept override {
      if (!answer || std::get<ReserveAnswer>(*answer).outcome != Outcome::done) fail("a reservation was refused");
      --crowd.left_to_answer_;
      next();
    }
    Crowd& crowd;
    char customer[16];
  };

  EmbeddedEngine& engine_;
  std::vector<std::unique_ptr<Ask>> asks_;
  std::uint64_t customers_;
  std::uint64_t left_to_submit_ = 0;
  std::uint64_t left_to_answer_ = 0;
  std::uint64_t largest_log_ = 0;
};

struct Creation final : Operation {
  void completed() noexcept override { done = true; }
  bool done = false;
};

std::unique_ptr<EmbeddedEngine> open_engine(const std::filesystem::path& data) {
  EmbeddedOptions options;
  options.data = data;
  auto engine = EmbeddedEngine::open(std::move(options));
  if (!engine) fail(engine.error().detail);
  return std::move(*engine);
}

void create_sale(EmbeddedEngine& engine) {
  Creation creation;
  SaleTerms terms;
  terms.id = terms.name = sale_id;
  terms.stock = limits::stock;
  terms.unit_price = 10'000;
  terms.limit_per_customer = 2;
  terms.hold = limits::hold;
  creation.command = CreateSale{terms};
  engine.submit(creation);
  while (!creation.done) static_cast<void>(engine.turn());
}

/// The loop without logic: what the engine writes for a held reservation, straight into the same two tables.
class BareLoop {
 public:
  explicit BareLoop(const std::filesystem::path& folder) {
    std::filesystem::create_directories(folder);
    const auto path = folder / "firstcome.db";
    check(create_store(path, {}, ""));
    connection_ = take(sqlite::Connection::open(path, sqlite::Access::read_write, ""));
    check(
        connection_.execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA locking_mode = NORMAL; "
                            "PRAGMA wal_autocheckpoint = 2048; PRAGMA cache_size = -16384;"));
    begin_ = take(connection_.prepare("BEGIN IMMEDIATE"));
    commit_ = take(connection_.prepare("COMMIT"));
    reservation_ = take(connection_.prepare(insert_reservation_sql));
    event_ = take(connection_.prepare(insert_event_sql));
  }

  double run(std::uint64_t count) {
    const auto start = Steady::now();
    for (std::uint64_t i = 0; i < count;) {
      check(begin_.run());
      for (std::size_t row = 0; row < rows_a_bare_commit && i < count; ++row, ++i) insert(++last_);
      check(commit_.run());
    }
    return static_cast<double>(count) / seconds_since(start);
  }

 private:
  static void check(sqlite::Result<void> result) {
    if (!result) fail(result.error().text);
  }
  template <class T>
  static T take(sqlite::Result<T> result) {
    if (!result) fail(result.error().text);
    return std::move(*result);
  }

  void insert(std::uint64_t number) {
    constexpr std::int64_t created_at = 1'790'000'000'000;
    char customer[16];
    name_customer(number, customer);
    const KeyHash key = key_of(number);
    reservation_.bind(1, row_id({SaleHandle{1}, Number{number}}));
    reservation_.bind(2, std::string_view(customer, sizeof customer));
    reservation_.bind(4, std::int64_t{2});
    reservation_.bind(7, created_at);
    reservation_.bind(8, created_at + limits::hold.count());
    reservation_.bind_blob(12, &key, sizeof key);
    reservation_.bind(16, std::int64_t{0x12345678});
    check(reservation_.run());
    event_.bind(1, number);
    event_.bind(2, std::int64_t{1});
    event_.bind(3, number);
    event_.bind(4, std::int64_t{17});
    event_.bind(5, number);
    event_.bind(6, created_at);
    event_.bind(8, std::int64_t{0x12345678});
    check(event_.run());
  }

  sqlite::Connection connection_;
  sqlite::Statement begin_, commit_, reservation_, event_;
  std::uint64_t last_ = 0;
};

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

struct Options {
  std::string mode;
  std::filesystem::path folder = std::filesystem::current_path();
  std::uint64_t millions = 10;
  bool gate = false;
};

/// Whether a goal is reached; prints it for the table.
bool at_least(std::string_view name, double measured, double goal) {
  bench::figure_at_least(name, measured, goal);
  return measured >= goal;
}
bool at_most(std::string_view name, double measured, double goal) {
  bench::figure_at_most(name, measured, goal);
  return measured <= goal;
}

bool bench_engine(const std::filesystem::path& folder) {
  constexpr std::uint64_t rows_a_round = 500'000;
  constexpr int rounds = 5;
  auto engine = open_engine(folder / "engine");
  create_sale(*engine);
  Crowd crowd(*engine);
  BareLoop bare(folder / "bare");
  crowd.run(rows_a_round / 5);  // both warm
  bare.run(rows_a_round / 5);
  std::vector<double> ratios, ours, theirs;
  for (int round = 0; round < rounds; ++round) {
    theirs.push_back(bare.run(rows_a_round));
    ours.push_back(crowd.run(rows_a_round));
    ratios.push_back(ours.back() / theirs.back());
    fmt::print("round {}: engine {:.0f}/s, bare loop {:.0f}/s, ratio {:.2f}\n", round + 1, ours.back(), theirs.back(),
               ratios.back());
    std::fflush(stdout);
  }
  fmt::print("engine, durable reservations/s {:.0f}; bare loop {:.0f}\n", median(ours), median(theirs));
  return at_least("engine.ratio_to_bare_loop", median(ratios), 0.7);
}

double resident_bytes() {
  std::ifstream statm("/proc/self/statm");
  std::uint64_t pages = 0, resident = 0;
  statm >> pages >> resident;
  return static_cast<double>(resident) * static_cast<double>(sysconf(_SC_PAGESIZE));
}

/// Of the whole process: on a busy machine it tells more than the clock.
double cpu_seconds() {
  timespec time{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}

struct Pairs {
  std::vector<double> empty, full, ratios;
};

/// The engine that is full and a new one, by turns, because other work on the machine slows whichever runs.
Pairs compare_with_empty(Crowd& full, const std::filesystem::path& folder) {
  constexpr std::uint64_t sample = 300'000;
  Pairs pairs;
  for (int round = 0; round < 7; ++round) {
    const auto data = folder / fmt::format("empty-{}", round);
    auto engine = open_engine(data);
    create_sale(*engine);
    Crowd empty(*engine);
    empty.run(sample / 3);  // warm
    pairs.empty.push_back(empty.run(sample));
    pairs.full.push_back(full.run(sample));
    pairs.ratios.push_back(pairs.full.back() / pairs.empty.back());
    fmt::print("round {}: full {:.0f}/s, empty {:.0f}/s, ratio {:.2f}\n", round + 1, pairs.full.back(),
               pairs.empty.back(), pairs.ratios.back());
    std::fflush(stdout);
    engine.reset();
    std::filesystem::remove_all(data);
  }
  return pairs;
}

bool bench_growth(const std::filesystem::path& folder, std::uint64_t millions) {
  const std::filesystem::path data = folder / "growth";
  const std::uint64_t wanted = millions * 1'000'000;
  auto engine = open_engine(data);
  create_sale(*engine);
  const double before = resident_bytes();
  std::uint64_t largest_log = 0;
  {
    Crowd filler(*engine);
    filler.run(wanted);
    largest_log = filler.largest_log();
  }
  const double memory = (resident_bytes() - before) / static_cast<double>(wanted);
  engine.reset();
  const auto start = Steady::now();
  const double cpu_before = cpu_seconds();
  engine = open_engine(data);
  const double startup = seconds_since(start);
  fmt::print("{} reservations, a file of {:.0f} MB: started in {:.1f} s, {:.1f} s of CPU on two threads\n",
             engine->counters().reservations,
             static_cast<double>(std::filesystem::file_size(data / "firstcome.db")) / 1e6, startup,
             cpu_seconds() - cpu_before);
  Crowd crowd(*engine, wanted);
  const Pairs pairs = compare_with_empty(crowd, folder);
  largest_log = std::max(largest_log, crowd.largest_log());
  fmt::print("durable reservations/s: empty {:.0f}, full {:.0f}\n", median(pairs.empty), median(pairs.full));
  bool reached = at_least("growth.ratio_to_empty", median(pairs.ratios), 0.8);
  reached &= at_most("growth.start_s", startup, 20);
  reached &= at_most("growth.bytes_each", memory, 200);
  reached &= at_most("growth.largest_log_mb", static_cast<double>(largest_log) / 1e6, 64);
  return reached;
}

Options parse(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string_view word = argv[i];
    if (word == "--gate") {
      options.gate = true;
    } else if (word == "--folder" && i + 1 < argc) {
      options.folder = argv[++i];
    } else if (word == "--millions" && i + 1 < argc) {
      options.millions = std::strtoull(argv[++i], nullptr, 10);
    } else {
      options.mode = word;
    }
  }
  return options;
}

}  // namespace

int main(int argc, char** argv) {
  const Options options = parse(argc, argv);
  const auto folder = options.folder / fmt::format("bench-engine-{}", getpid());
  bool reached = false;
  if (options.mode == "engine") {
    reached = bench_engine(folder);
  } else if (options.mode == "growth") {
    reached = bench_growth(folder, options.millions);
  } else {
    fmt::print(stderr, "usage: bench_engine engine|growth [--gate] [--folder DIR] [--millions N]\n");
    return 64;
  }
  std::filesystem::remove_all(folder);
  return options.gate && !reached ? 1 : 0;
}
