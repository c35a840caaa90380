// Random commands: the scripts must answer each exactly as the ledger does.
//
// Commands are sent in batches, so that many are decided in one call, with the clock standing still in each. A failure
// is made small before it is shown. Repeat one with SAMENESS_SEED=<seed>; do more with SAMENESS_COMMANDS=<how many>.
#include "engine/redis/redis_harness.hpp"
#include "sale/ledger.hpp"

#include <firstcome/limits.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <deque>
#include <random>

namespace firstcome::test {
namespace {

using namespace std::chrono_literals;

// --- answers as text, so that they can be compared and shown ---

std::int64_t text_of(Instant at, Instant base) { return (at - base).count(); }

std::string text_of(const ReservationView& view, Instant base) {
  return fmt::format("#{} {} q{} ref'{}' state{} reason{} amount{}/{}{} created{} expires{} in{} paid{} pos{} eta{}",
                     value(view.ref.number), view.customer, view.quantity, view.reference, static_cast<int>(view.state),
                     static_cast<int>(view.reason), view.amount, view.charged, view.currency,
                     text_of(view.created_at, base), view.expires_at ? text_of(*view.expires_at, base) : -1,
                     view.expires_in ? view.expires_in->count() : -1,
                     view.payment ? view.payment->id + "/" + view.payment->account_number : "-",
                     view.position.value_or(0), view.eta ? view.eta->count() : -1);
}

std::string text_of(const SaleView& view, Instant base) {
  return fmt::format("stock{} a{} h{} s{} queued{} serving{} state{} closes{} opens{} limit{} open{} revision{}",
                     view.terms.stock, view.available, view.held, view.sold, view.queued, value(view.serving),
                     static_cast<int>(view.state), view.terms.closes_at ? text_of(*view.terms.closes_at, base) : -1,
                     view.terms.opens_at ? text_of(*view.terms.opens_at, base) : -1,
                     view.terms.limit_per_customer.value_or(0), view.terms.max_open.value_or(0), view.revision);
}

struct ToText {
  Instant base;
  std::string operator()(const ReserveAnswer& answer) const {
    std::string text = fmt::format("outcome{} #{}", static_cast<int>(answer.outcome), value(answer.ref.number));
    const bool made = answer.outcome <= Outcome::unchanged;
    if (made) {
      text += fmt::format(" state{} created{} pos{} hold{} amount{}", static_cast<int>(answer.state),
                          text_of(answer.created_at, base), answer.position, answer.hold.count(), answer.amount);
    }
    return text +
           fmt::format(" left{} again{} replayed{}", answer.left, answer.retry_after.count(), answer.replayed_refusal);
  }
  std::string operator()(const ReservationAnswer& answer) const {
    const std::string outcome = fmt::format("outcome{} left{} ", static_cast<int>(answer.outcome), answer.left);
    return answer.outcome == Outcome::reservation_not_found ? outcome : outcome + text_of(answer.reservation, base);
  }
  std::string operator()(const ReservationsAnswer& answer) const {
    std::string text = fmt::format("outcome{} next{}", static_cast<int>(answer.outcome), value(answer.next));
    for (const ReservationView& item : answer.items) text += "\n      " + text_of(item, base);
    return text;
  }
  std::string operator()(const SaleAnswer& answer) const {
    return fmt::format("outcome{} ", static_cast<int>(answer.outcome)) + text_of(answer.sale, base);
  }
  std::string operator()(const auto&) const { return "no answer that is compared"; }
};

// --- commands, and how they are drawn ---

struct Step {
  Milliseconds wait{};
  std::vector<Command> commands;  // of the sale "s" with handle 1; renamed when they are run
};

/// Texts that Reserve commands view.
const std::deque<std::string>& customers() {
  static const std::deque<std::string> all = [] {
    std::deque<std::string> names;
    for (int i = 0; i < 6; ++i) names.push_back("customer-" + std::to_string(i));
    return names;
  }();
  return all;
}

class Draw {
 public:
  explicit Draw(std::uint64_t seed) : random_(seed) {}

  SaleTerms terms() {
    SaleTerms terms = terms_of("s", static_cast<Units>(below(12)));
    terms.hold = chance(15) ? 0ms : Milliseconds{20 + below(200)};
    if (chance(60)) terms.extend = Milliseconds{1 + below(300)};
    if (chance(50)) terms.limit_per_customer = 1 + static_cast<Units>(below(5));
    if (chance(20)) terms.max_open = static_cast<std::uint32_t>(1 + below(3));
    if (chance(50)) terms.standby = Standby::yes;
    if (chance(40)) {
      terms.standby = Standby::yes;
      terms.queue =
          QueueTerms{.admit_per_tick = static_cast<std::uint32_t>(1 + below(3)), .tick = Milliseconds{10 + below(50)}};
    }
    opens_ = chance(20);
    closes_ = chance(20);
    if (chance(20) && terms.hold > 0ms) terms.payment = PaymentMode::automatic;
    return terms;
  }
  bool opens() const { return opens_; }
  bool closes() const { return closes_; }

  Step step() {
    Step step;
    if (chance(60)) step.wait = Milliseconds{below(chance(10) ? 400 : 40)};
    if (chance(2)) step.wait = limits::payment_grace;
    if (chance(1)) step.wait = chance(50) ? 11min : chance(50) ? 25h : 2min;
    const std::size_t count = 1 + below(8);
    while (step.commands.size() < count) step.commands.push_back(command());
    return step;
  }

 private:
  std::size_t below(std::size_t bound) { return random_() % bound; }
  bool chance(std::size_t percent) { return below(100) < percent; }

  ReservationRef any() {
    const std::size_t window = std::min<std::size_t>(made_ + 1, chance(80) ? 10 : made_ + 1);
    return {SaleHandle{1}, Number{made_ + 1 - below(window)}};
  }

  Command command() {
    if (made_ == 0 || chance(40)) return reserve();
    switch (below(30)) {
      case 0:
        return patch();
      case 1:
      case 2:
        return Return{any(), chance(60) ? std::optional<Units>{1 + below(3)} : std::nullopt,
                      chance(30) ? std::optional<Units>{1 + below(3)} : std::nullopt};
      case 3:
        return FinishRefund{any()};
      case 4:
      case 5:
      case 6:
      case 7:
        return Cancel{any()};
      case 8:
      case 9:
        return Confirm{any(), chance(80) ? "shop-1" : "shop-2"};
      case 10:
        return FinishPayment{any(), chance(50) ? Charge::declined : Charge::refused, {}};
      case 11:
        return FinishPayment{any(), Charge::unreachable, {}};
      case 12:
      case 13:
      case 14:
        return FinishPayment{any(), Charge::charged, {"paid", "account"}};
      case 15:
        return ListReservations{"s", std::nullopt, Number{below(made_ + 1)}, static_cast<std::uint32_t>(1 + below(5))};
      case 16:
        return ListReservations{"s", customers()[below(customers().size())], Number{below(made_ + 1)},
                                static_cast<std::uint32_t>(1 + below(5))};
      case 17:
        return GetSale{"s"};
      case 18:
      case 19:
        return GetReservation{any()};
      case 20:
      case 21:
        return Extend{any(), Milliseconds{1 + below(300)}};
      case 22:
      case 23:
        return Transfer{any(), "customer-" + std::to_string(below(8))};
      case 24:
      case 25:
        return Fulfil{any()};
      default:
        return BeginPayment{any(), chance(50) ? BeginPayment::By::client : BeginPayment::By::worker};
    }
  }

  Command reserve() {
    Reserve command;
    command.sale = "s";
    const std::size_t who = below(customers().size());
    command.customer = customers()[who];
    command.quantity = static_cast<Units>(chance(60) ? 1 : 1 + below(4));
    if (chance(30)) command.reference = chance(50) ? "order-1" : "order-2";
    if (chance(40)) command.key = {.high = 1 + who, .low = below(12)};  // a key belongs to its customer
    ++made_;                                                            // perhaps
    return command;
  }

  Command patch() {
    PatchSale command;
    command.sale = "s";
    if (chance(50))
      command.stock = static_cast<Units>(below(16));
    else if (chance(50))
      command.stock_by = static_cast<Units>(below(9)) - 4;
    if (chance(20)) command.closes_at = chance(30) ? std::nullopt : std::optional{Instant{Milliseconds{below(2'000)}}};
    if (chance(3)) command.state = PatchSale::State::closed;
    if (chance(20)) command.state = PatchSale::State::paused;
    if (chance(30)) command.state = PatchSale::State::open;
    if (chance(15)) command.opens_at = chance(30) ? std::nullopt : std::optional{Instant{Milliseconds{below(200)}}};
    if (chance(15)) command.limit_per_customer = chance(30) ? std::nullopt : std::optional<Units>{1 + below(4)};
    if (chance(15))
      command.max_open = chance(30) ? std::nullopt : std::optional{static_cast<std::uint32_t>(1 + below(3))};
    if (chance(20)) command.if_revision = below(6);
    return command;
  }

  std::mt19937_64 random_;
  std::uint64_t made_ = 0;
  bool opens_ = false;
  bool closes_ = false;
};

// --- running ---

/// A sale, in Redis and in a ledger of its own.
class Twins {
 public:
  Twins(RedisHarness& redis, SaleTerms terms, const Draw& draw) : redis_(redis) {
    redis.begin_again();
    // On a grid of seconds, so that the same seed meets the same instants.
    const Instant opening = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now()) + 10s;
    if (draw.opens()) terms.opens_at = opening + 100ms;
    if (draw.closes()) terms.closes_at = opening + 1'500ms;
    Asked asked;
    asked.command = CreateSale{terms};
    redis_.engine().submit(asked);
    redis_.finish(asked);
    const SaleAnswer& created = asked.as<SaleAnswer>();
    EXPECT_EQ(created.outcome, Outcome::done);
    handle_ = created.sale.handle;
    id_ = terms.id;
    ledger_.apply(CreateSale{terms}, created_at());
    base_ = terms.queue && !terms.opens_at ? created_at() + 10s : opening;
    redis.set_clock(base_);
  }

  /// What differs; empty: nothing.
  std::string run(const Step& step) {
    if (step.wait > 0ms) redis_.advance(step.wait);
    std::deque<Asked> asked;
    for (const Command& command : step.commands) {
      asked.emplace_back().command = mine(command, handle_);
      redis_.engine().submit(asked.back());
    }
    for (const Asked& one : asked) redis_.finish(one);
    ledger_.advance(redis_.now(), 1'000'000);  // as every call of a script does
    for (std::size_t i = 0; i < asked.size(); ++i) {
      if (!asked[i].answer) return "no outcome: " + asked[i].answer.error().detail;
      const std::string here = std::visit(ToText{base_}, *asked[i].answer);
      const std::string there = apply(mine(step.commands[i], SaleHandle{1}));
      if (here != there) {
        return fmt::format("command {} of {} (index {}):\n  redis  {}\n  ledger {}", i + 1, asked.size(),
                           step.commands[i].index(), here, there);
      }
    }
    return {};
  }

 private:
  Instant created_at() {
    const std::string packed = redis_.server().text(
        {"EVAL", "local t = redis.call('HGET', KEYS[1], 't') return string.format('%.0f', struct.unpack('<I6', t, 36))",
         "1", engine::SaleKeys(handle_).hash});
    return Instant{Milliseconds{std::stoll(packed)}};
  }

  Command mine(Command command, SaleHandle handle) const {
    std::visit(
        [&](auto& one) {
          if constexpr (requires { one.ref; }) one.ref.sale = handle;
          if constexpr (requires { one.sale; }) one.sale = id_;
          if constexpr (requires { one.closes_at; }) {
            if (one.closes_at && *one.closes_at) *one.closes_at = base_ + (**one.closes_at - Instant{});
            if (one.opens_at && *one.opens_at) *one.opens_at = base_ + (**one.opens_at - Instant{});
          }
        },
        command);
    return command;
  }

  std::string apply(const Command& command) {
    return std::visit(
        [&](const auto& one) -> std::string {
          if constexpr (requires { ledger_.apply(one, redis_.now()); }) {
            const auto answer = ledger_.apply(one, redis_.now());
            ledger_.clear_changes();
            return ToText{base_}(answer);
          } else {
            return "not for a ledger";
          }
        },
        command);
  }

  RedisHarness& redis_;
  Instant base_;
  SaleHandle handle_{};
  std::string id_;
  sale::Ledger ledger_;
};

std::string difference(RedisHarness& redis, std::uint64_t seed, const std::vector<Step>& steps) {
  Draw draw(seed);
  const SaleTerms terms = draw.terms();
  Twins twins(redis, terms, draw);
  for (const Step& step : steps) {
    if (std::string found = twins.run(step); !found.empty()) return found;
  }
  return {};
}

/// Leaves out what is not needed for it to differ: halves, quarters ... then single commands.
std::vector<Step> shrunk(RedisHarness& redis, std::uint64_t seed, std::vector<Step> steps) {
  for (std::size_t length = steps.size() / 2; length > 0; length /= 2) {
    for (std::size_t from = 0; from + length <= steps.size();) {
      std::vector<Step> fewer = steps;
      const auto begin = fewer.begin() + static_cast<std::ptrdiff_t>(from);
      fewer.erase(begin, begin + static_cast<std::ptrdiff_t>(length));
      if (difference(redis, seed, fewer).empty()) {
        from += length;
      } else {
        steps = std::move(fewer);
      }
    }
  }
  for (std::size_t i = 0; i < steps.size(); ++i) {
    for (std::size_t j = 0; j < steps[i].commands.size() && steps[i].commands.size() > 1;) {
      std::vector<Step> fewer = steps;
      fewer[i].commands.erase(fewer[i].commands.begin() + static_cast<std::ptrdiff_t>(j));
      if (difference(redis, seed, fewer).empty()) {
        ++j;
      } else {
        steps = std::move(fewer);
      }
    }
  }
  return steps;
}

std::string shown(const std::vector<Step>& steps) {
  std::string text;
  for (const Step& step : steps) {
    text += fmt::format("  wait {} ms:", step.wait.count());
    for (const Command& command : step.commands) {
      text += fmt::format(" {}", command.index());
      std::visit(
          [&](const auto& one) {
            if constexpr (requires { one.ref; }) text += fmt::format("(#{})", value(one.ref.number));
            if constexpr (requires {
                            one.customer;
                            one.quantity;
                          })
              text += fmt::format("({} q{} key{}.{} '{}')", one.customer, one.quantity, one.key.high, one.key.low,
                                  one.reference);
            if constexpr (requires { one.stock; }) text += fmt::format("(stock {})", one.stock.value_or(-1));
          },
          command);
    }
    text += '\n';
  }
  return text;
}

std::uint64_t number_from_environment(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

TEST(RedisSameness, AnswersRandomCommandsAsTheLedgerDoes) {
  FIRSTCOME_NEEDS_REDIS();
  RedisHarness redis;
  redis.stop_clocks();
  const std::uint64_t only = number_from_environment("SAMENESS_SEED", 0);
  const std::uint64_t wanted = number_from_environment("SAMENESS_COMMANDS", 100'000);
  std::uint64_t commands = 0;
  for (std::uint64_t seed = only != 0 ? only : 1; commands < wanted; ++seed) {
    Draw draw(seed);
    draw.terms();
    std::vector<Step> steps;
    for (int i = 0; i < 60; ++i) {
      steps.push_back(draw.step());
      commands += steps.back().commands.size();
    }
    const std::string found = difference(redis, seed, steps);
    if (found.empty()) {
      if (only != 0) break;
      continue;
    }
    const std::vector<Step> few = shrunk(redis, seed, steps);
    FAIL() << "seed " << seed << ", terms of its own; repeat with SAMENESS_SEED=" << seed << "\n"
           << found << "\nmade small:\n"
           << difference(redis, seed, few) << "\nafter\n"
           << shown(few);
  }
}

}  // namespace
}  // namespace firstcome::test
