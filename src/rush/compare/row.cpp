#include "rush/compare/row.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

namespace firstcome::rush {
namespace {

constexpr std::size_t cases_of_each = 5;
constexpr double busy_most = 0.95;  // of the generator's thread: with more, it could not have sent more

constexpr std::array faults{std::pair{Fault::none, "none"}, std::pair{Fault::pause_holder, "pause-holder"},
                            std::pair{Fault::kill_node, "kill-node"}, std::pair{Fault::kill_redis, "kill-redis"}};

void add_cases(std::string_view kind, const Finding& finding, std::size_t most, std::vector<std::string>& cases) {
  for (std::size_t i = 0; i < finding.first.size() && i < most; ++i)
    cases.push_back(std::string(kind) + ": " + finding.first[i]);
}

/// Of an even number the mean of the two in the middle.
double middle(std::vector<double> values) {
  if (values.empty()) return 0;
  std::ranges::sort(values);
  const std::size_t upper = values.size() / 2;
  return values.size() % 2 == 1 ? values[upper] : (values[upper - 1] + values[upper]) / 2;
}

/// The largest of each kind, so that no broken promise hides behind a round that went well.
Round worst_of(const std::vector<Round>& rounds) {
  Round worst;
  if (rounds.empty()) return worst;
  worst = rounds.front();
  for (const Round& round : rounds) {
    const bool worse = std::pair(round.oversold, round.undersold) > std::pair(worst.oversold, worst.undersold);
    if (worse) {
      worst.stock = round.stock;
      worst.sold = round.sold;
    }
    for (std::uint64_t Round::* const member :
         {&Round::oversold, &Round::undersold, &Round::lost, &Round::doubled, &Round::inversions, &Round::audit,
          &Round::refused_wrongly, &Round::reserved, &Round::abandoned})
      worst.*member = std::max(worst.*member, round.*member);
    if (worse || worst.cases.empty()) worst.cases = round.cases;
  }
  return worst;
}

bool is_as_expected(const Row& row) {
  Round worst = row.worst;
  if (row.doubt == Doubt::anything) return true;  // also where it said that its store is lost
  if (row.error || row.rounds == 0) return false;
  if (row.doubt == Doubt::doubles) worst.doubled = 0;
  if (row.doubt == Doubt::undersells) worst.undersold = 0;
  switch (row.expected) {
    case Expected::exact: {
      const bool right = worst.oversold + worst.undersold + worst.lost + worst.doubled == 0;
      // A counter that counts first and looks then refuses some for the sake of others who get nothing in the end.
      const bool told_rightly = row.way.is_guarded() || worst.refused_wrongly == 0;
      return right && told_rightly && worst.inversions + worst.audit == 0;
    }
    case Expected::oversells:
      return worst.oversold > 0;
    case Expected::undersells: {
      // A second click that was let in takes a place for nothing, or buys a second time.
      const bool broke = worst.undersold > 0 || (row.doubt == Doubt::doubles && row.worst.doubled > 0);
      return broke && worst.oversold + worst.lost + worst.audit + worst.doubled == 0;
    }
    case Expected::doubles:
      return worst.doubled > 0 && worst.oversold + worst.lost == 0 && (worst.audit == 0 || breaks_by_itself(row.way));
  }
  return false;
}

bool is_lease(std::string_view guard) {
  constexpr std::array leases{"setnx-try", "setnx-spin", "redisson", "fifo", "redlock"};
  return std::ranges::find(leases, guard) != leases.end();
}

}  // namespace

std::string_view word(Fault fault) {
  return std::ranges::find(faults, fault, &decltype(faults)::value_type::first)->second;
}

std::optional<Fault> fault_of(std::string_view word) {
  const auto* found = std::ranges::find_if(faults, [&](const auto& pair) { return word == pair.second; });
  return found == faults.end() ? std::nullopt : std::optional(found->first);
}

Round round_of(const RushResult& result) {
  const Verdict& verdict = result.verdict;
  const SaleSeen& sale = result.after;
  Round round;
  round.stock = sale.stock;
  round.sold = sale.sold;
  round.oversold = verdict.oversold.count;
  // Units that are neither sold nor there: nobody can buy them any more.
  // What is still held when all has ended belongs to nobody either: counted, and no order came of it.
  const Units gone = std::max<Units>(sale.stock - sale.available - sale.sold - (result.settled ? 0 : sale.held), 0);
  round.undersold = std::max(verdict.undersold.count, static_cast<std::uint64_t>(gone));
  round.lost = verdict.lost.count;
  round.doubled = std::max(verdict.duplicated.count + verdict.over_limit.count, result.totals.served_twice);
  round.inversions = verdict.out_of_order.count;
  round.audit = verdict.audit.count + verdict.equation.count + verdict.no_order.count + verdict.altered.count;
  round.refused_wrongly = verdict.refused_wrongly.count;
  round.reserved = result.totals.served;
  round.abandoned = result.totals.expired + result.totals.payments_failed;
  if (auto place = result.totals.refused.find("payment-failed"); place != result.totals.refused.end())
    round.abandoned += place->second;
  const std::array<std::pair<const char*, const Finding*>, 10> findings{{{"oversold", &verdict.oversold},
                                                                         {"audit", &verdict.audit},
                                                                         {"undersold", &verdict.undersold},
                                                                         {"lost", &verdict.lost},
                                                                         {"doubled", &verdict.duplicated},
                                                                         {"over the limit", &verdict.over_limit},
                                                                         {"sums", &verdict.equation},
                                                                         {"refused wrongly", &verdict.refused_wrongly},
                                                                         {"not as agreed", &verdict.altered},
                                                                         {"without an order", &verdict.no_order}}};
  // An oversell is the same sum three times; how it came to be is in the audit.
  for (const auto& [kind, finding] : findings)
    add_cases(kind, *finding, finding == &verdict.oversold ? 1 : cases_of_each, round.cases);
  return round;
}

void Measured::add(const RushResult& result) {
  rounds.push_back(round_of(result));
  // (Of one that oversells units are left or not as the last writer had it.)
  if (result.figures.sent_home && result.after.available > 0 && rounds.back().oversold == 0) {
    // It was the crowd that gave up, so nobody was kept from these units.
    const Units gone = result.after.stock - result.after.available - result.after.held - result.after.sold;
    rounds.back().undersold =
        std::max(result.verdict.undersold.count, static_cast<std::uint64_t>(std::max<Units>(gone, 0)));
    invalid = "patience was over before all was sold or all had a final answer: give it more --seconds";
  }
  for (const auto& [answer, histogram] : result.figures.reserve) latencies[answer].merge(histogram);
  if (result.invalid) invalid = result.invalid;
}

void Measured::add(const Measured& other) {
  rounds.insert(rounds.end(), other.rounds.begin(), other.rounds.end());
  sold_per_s.insert(sold_per_s.end(), other.sold_per_s.begin(), other.sold_per_s.end());
  speed_stock = std::max(speed_stock, other.speed_stock);
  sell_out_ms.insert(sell_out_ms.end(), other.sell_out_ms.begin(), other.sell_out_ms.end());
  generator_busy = std::max(generator_busy, other.generator_busy);
  for (const auto& [answer, histogram] : other.latencies) latencies[answer].merge(histogram);
  warm_up = warm_up + other.warm_up;
  warm_up_sold += other.warm_up_sold;
  spent = spent + other.spent;
  for (const auto& [name, time] : other.processors) processors[name] += time;
  if (other.invalid) invalid = other.invalid;
  if (other.error) error = other.error;
}

std::string_view Row::found() const {
  if (error || rounds == 0) return "error";
  if (worst.oversold > 0) return "oversells";
  if (worst.lost > 0) return "loses";
  if (worst.undersold > 0) return "undersells";
  if (worst.doubled > 0) return "doubles";
  if (worst.audit > 0) return "miscounts";
  return worst.inversions > 0 ? "out of order" : "exact";
}

Expectation expected_with(const Way& way, const Scenario& scenario, const Table& table) {
  const Expected usually = expected_of(way, scenario);
  // The limiter undersells. Nothing ties two clicks together between its look and its write.
  const bool races = usually == Expected::undersells && scenario.double_click > 0;
  if (usually != Expected::exact) return {usually, races ? Doubt::doubles : Doubt::none};
  const bool on_leases = way.is_guarded() && is_lease(way.guard);
  const bool on_redis = on_leases || way.inventory == "redis";
  if (table.fault == Fault::kill_redis && on_redis) return {usually, Doubt::anything};
  // It sends most away to come again, some of them after their other click's hold has ended.
  const Doubt doubt = scenario.max_open && way.guard == "setnx-try" ? Doubt::doubles : Doubt::none;
  if (table.fault == Fault::none) return {usually, doubt};
  if (table.fault == Fault::pause_holder && on_leases) {
    // What SQLite's isolation and a fenced inventory refuse, the late write of who was paused, the others take.
    const bool refused = way.inventory == "sqlite" || table.fencing == Table::Fencing::on;
    return {refused ? Expected::exact : Expected::oversells, doubt};
  }
  // An answer that never came may be a sale that nobody counts.
  const bool counts_first = way.guard == "incr" || way.guard == "sadd-incr" || way.guard == "limiter";
  return {usually, counts_first ? Doubt::undersells : doubt};
}

Row make_row(const Way& way, const Scenario& scenario, const Table& table, const Measured& measured) {
  Row row;
  row.way = way;
  row.scenario = scenario.name;
  row.table = table;
  row.worst = worst_of(measured.rounds);
  row.rounds = measured.rounds.size();
  row.sold_per_s = middle(measured.sold_per_s);
  row.speed_stock = measured.speed_stock;
  row.sell_out_ms = middle(measured.sell_out_ms);
  if (measured.generator_busy > busy_most) row.bound = Row::Bound::generator;
  row.latencies = measured.latencies;
  for (const auto& [answer, histogram] : measured.latencies)
    if (answer != "no answer") row.all.merge(histogram);
  row.commands_per_sale = commands_per_sale(measured.warm_up, measured.warm_up_sold);
  if (measured.warm_up.redis_processed > 0)
    row.calls_in_scripts_per_sale = calls_in_scripts_per_sale(measured.warm_up, measured.warm_up_sold);
  row.guard_waits = measured.spent.guard_waits;
  if (row.guard_waits > 0) row.guard_wait_ms = measured.spent.guard_wait_seconds * 1e3 / row.guard_waits;
  row.processors = measured.processors;
  const Expectation expectation = expected_with(way, scenario, table);
  row.expected = expectation.expected;
  row.doubt = expectation.doubt;
  row.invalid = measured.invalid;
  row.error = measured.error;
  row.ok = is_as_expected(row);
  return row;
}

std::optional<Headline> headline(std::span<const Row> rows, const std::string& scenario, const Table& table) {
  const Row* embedded = nullptr;
  Headline line;
  const auto better = [](const Row& row, std::optional<Rival>& best) {
    if (row.sold_per_s > 0 && (!best || row.sold_per_s > best->sold_per_s))
      best = Rival{.way = row.way.id, .sold_per_s = row.sold_per_s, .bound = row.bound};
  };
  for (const Row& row : rows) {
    if (row.scenario != scenario || row.table != table || row.found() != "exact" || row.invalid) continue;
    if (row.way.engine == "embedded") {
      embedded = &row;
      continue;
    }
    if (row.expected != Expected::exact) continue;
    better(row, line.fastest);
    if (!keeps_stock_in_sql(row.way) || row.way.nodes < 2) continue;
    ++line.in_sql_compared;
    better(row, line.in_sql);
  }
  if (embedded == nullptr || embedded->sold_per_s <= 0 || !line.fastest) return std::nullopt;
  line.embedded = embedded->sold_per_s;
  return line;
}

std::string sentence_of(const Headline& headline) {
  const auto times = [&](const Rival& rival) {
    return fmt::format("{}{:.1f} times as fast as {}", rival.bound == Row::Bound::generator ? "at most " : "",
                       headline.embedded / rival.sold_per_s, rival.way);
  };
  std::string text = "embedded sells " + times(*headline.fastest) + ", the fastest of all others that are exact";
  if (!headline.in_sql) return text;
  text += headline.in_sql->way == headline.fastest->way ? "" : ", and " + times(*headline.in_sql);
  return text + (headline.in_sql_compared == 1
                     ? ", the only one compared that is exact on two nodes with its stock in SQL"
                     : fmt::format(", the best of {} that are exact on two nodes with their stock in SQL",
                                   headline.in_sql_compared));
}

}  // namespace firstcome::rush
