// How many Reserve commands a second the ledger alone decides on one core, and what a reservation costs in memory.
//
// 100 000 customers in random order, one million reservations, every request with a key of its own. As in an engine,
// the text of a batch of 512 commands was just received, the commands of a batch are known ahead (so `prefetch` is
// used), and the changes are cleared after each batch. The goal is 5 M commands/s.
#include "sale/ledger.hpp"

#include "figure.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <optional>
#include <random>
#include <string>
#include <unordered_map>
#include <vector>

namespace {

using namespace firstcome;
using bench::figure;
using bench::figure_at_least;
using bench::figure_at_most;

constexpr std::size_t reservations = 1'000'000;
constexpr std::size_t batch = 512;
constexpr double goal = 5;
constexpr double goal_bytes = 130;
constexpr double goal_restored = 1.5;
const Instant start{std::chrono::days{20'000}};

/// What the customers send, in the order in which they send it.
struct Crowd {
  std::string text;  // of 16 bytes each
  std::vector<KeyHash> keys;

  Reserve request(std::size_t index) const {
    Reserve command;
    command.sale = "bench";
    command.customer = std::string_view{text}.substr(index * 16, 16);
    command.key = keys[index];
    return command;
  }
};

Crowd make_crowd(std::size_t customers) {
  Crowd crowd;
  std::mt19937_64 random(7);
  for (std::size_t index = 0; index < reservations; ++index) {
    char name[17];
    std::snprintf(name, sizeof name, "customer-%07zu", customers == reservations ? index : random() % customers);
    crowd.text += name;
    crowd.keys.push_back({.high = random() | 1, .low = random()});
  }
  return crowd;
}

SaleTerms terms_of(Milliseconds hold) {
  SaleTerms terms;
  terms.id = "bench";
  terms.name = "bench";
  terms.stock = 2'000'000;
  terms.unit_price = 1'000;
  terms.limit_per_customer = 1'000;
  terms.hold = hold;
  return terms;
}

/// Of this thread: what other programs do on the machine does not count.
double cpu_seconds() {
  std::timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}

struct Result {
  double million_per_second = 0;
  double bytes_each = 0;
  double million_restored_per_second = 0;
};

double million_per_second(double began) { return static_cast<double>(reservations) / 1e6 / (cpu_seconds() - began); }

/// Of insertions into the standard's table.
double yardstick(const Crowd& crowd) {
  std::unordered_map<std::uint64_t, std::uint32_t> table;
  const double began = cpu_seconds();
  for (const KeyHash& key : crowd.keys) table.emplace(key.low, 1);
  return million_per_second(began);
}

/// Of records read into one and the same, as from a statement's rows.
double restore_all(const sale::Ledger& ledger, Instant now) {
  sale::Ledger again({.hash_seed = 43});
  sale::ReservationRecord record;
  std::optional<std::string> problem = again.restore(ledger.record_of(SaleHandle{1}));
  const double began = cpu_seconds();
  for (std::size_t number = 1; number <= reservations && !problem; ++number) {
    ledger.read_record({SaleHandle{1}, Number{number}}, record);
    problem = again.restore(record, now);
  }
  if (!problem) problem = again.finish_restore();
  if (problem) std::printf("ledger  WRONG: %s\n", problem->c_str());
  return million_per_second(began);
}

/// As an engine applies a batch. Returns how many were accepted.
std::size_t apply_all(sale::Ledger& ledger, const std::vector<Reserve>& commands, Instant now) {
  constexpr std::size_t far = 16;
  constexpr std::size_t near = 8;
  std::size_t accepted = 0;
  for (std::size_t at = 0; at < commands.size(); ++at) {
    if (at + far < commands.size()) ledger.prefetch(commands[at + far], sale::Ledger::Ahead::far);
    if (at + near < commands.size()) ledger.prefetch(commands[at + near], sale::Ledger::Ahead::near);
    if (ledger.apply(commands[at], now).outcome == Outcome::done) ++accepted;
  }
  return accepted;
}

enum class Then : std::uint8_t { nothing, restore };

Result run(const Crowd& crowd, Milliseconds hold, Then then) {
  sale::Ledger ledger({.hash_seed = 42});
  ledger.apply(CreateSale{terms_of(hold)}, start);
  ledger.clear_changes();
  std::size_t accepted = 0;
  std::vector<Reserve> commands;
  double spent = 0;  // in the ledger, not in making commands
  for (std::size_t done = 0; done < reservations;) {
    const Instant now = start + Milliseconds{static_cast<std::int64_t>(done / 5'000)};
    commands.clear();
    for (; commands.size() < batch && done < reservations; ++done) commands.push_back(crowd.request(done));
    const double began = cpu_seconds();
    accepted += apply_all(ledger, commands, now);
    ledger.clear_changes();
    spent += cpu_seconds() - began;
  }
  Result result{.million_per_second = static_cast<double>(reservations) / 1e6 / spent};
  if (accepted != reservations) std::printf("ledger  WRONG: only %zu accepted\n", accepted);
  result.bytes_each = static_cast<double>(ledger.bytes()) / static_cast<double>(reservations);
  if (then == Then::restore) result.million_restored_per_second = restore_all(ledger, start + Milliseconds{1'000});
  return result;
}

}  // namespace

int main(int argc, char** argv) {
  const bool gate = argc > 1 && std::strcmp(argv[1], "--gate") == 0;
  const Crowd crowd = make_crowd(100'000);
  double best = 0;
  double table = 0;
  for (int round = 0; round < 5; ++round) {
    best = std::max(best, run(crowd, Milliseconds{60'000}, Then::nothing).million_per_second);
  }
  for (int round = 0; round < 3; ++round) table = std::max(table, yardstick(crowd));
  figure_at_least("ledger.million_commands_per_s", best, goal);
  figure("ledger.million_map_insertions_per_s", table);
  const Result distinct = run(make_crowd(reservations), Milliseconds{60'000}, Then::restore);
  figure_at_most("ledger.bytes_each", distinct.bytes_each, goal_bytes);
  figure("ledger.million_commands_per_s_of_new_customers", distinct.million_per_second);
  figure_at_least("ledger.million_restored_per_s", distinct.million_restored_per_second, goal_restored);
  const bool reached =
      best >= goal && distinct.bytes_each <= goal_bytes && distinct.million_restored_per_second >= goal_restored;
  return gate && !reached ? 1 : 0;
}
