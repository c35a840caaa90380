// Random commands: after each, the ledger must be what its model is, hold every promise, and be the same when it is
// built again from what was stored.
//
// Repeat a failure with LEDGER_SEED=<seed>; do more with LEDGER_ROUNDS=<how many>.
#include "sale/pair.hpp"

#include <firstcome/limits.hpp>

#include <cstdlib>
#include <random>

namespace firstcome::sale {
namespace {

class RandomCommands {
 public:
  explicit RandomCommands(std::uint64_t seed) : random_(seed), terms_(random_terms()), pair_(terms_) {}

  void run(int commands) {
    for (int step = 0; step < commands && !::testing::Test::HasFailure(); ++step) {
      SCOPED_TRACE("step " + std::to_string(step));
      if (chance(30)) pair_.wait(Milliseconds{below(chance(10) ? 400 : 40)});
      if (chance(1)) pair_.wait(limits::payment_grace);
      if (chance(1)) pair_.wait(chance(50) ? Milliseconds{11min} : Milliseconds{1s});
      if (chance(10)) pair_.advance_some(below(3));
      one_command();
      if (chance(5)) pair_.restart();
      pair_.compare();
    }
  }

 private:
  std::size_t below(std::size_t bound) { return random_() % bound; }
  bool chance(std::size_t percent) { return below(100) < percent; }

  SaleTerms random_terms() {
    SaleTerms terms = plain_terms(static_cast<Units>(below(9)));
    terms.hold = chance(15) ? 0ms : Milliseconds{20 + below(200)};
    if (chance(60)) terms.extend = Milliseconds{1 + below(300)};
    if (chance(50)) terms.limit_per_customer = 1 + static_cast<Units>(below(4));
    if (chance(20)) terms.max_open = static_cast<std::uint32_t>(1 + below(3));
    if (chance(50)) terms.standby = Standby::yes;
    if (chance(40)) {
      terms.standby = Standby::yes;
      terms.queue =
          QueueTerms{.admit_per_tick = static_cast<std::uint32_t>(1 + below(3)), .tick = Milliseconds{10 + below(50)}};
    }
    if (chance(20)) terms.opens_at = day_one + Milliseconds{below(100)};
    if (chance(20)) terms.closes_at = day_one + Milliseconds{200 + below(3'000)};
    if (chance(20) && terms.hold > 0ms) terms.payment = PaymentMode::automatic;
    return terms;
  }

  void one_command() {
    if (pair_.count() == 0 || chance(40)) return reserve();
    // Mostly one of the last: the others have ended.
    const std::size_t window = std::min<std::size_t>(pair_.count(), chance(80) ? 8 : pair_.count());
    const std::size_t number = pair_.count() - below(window);
    switch (below(26)) {
      case 0:
        return patch();
      case 1:
      case 2:
        return pair_.give_back(number, chance(60) ? std::optional<Units>{1 + below(3)} : std::nullopt,
                               chance(30) ? std::optional<Units>{1 + below(3)} : std::nullopt);
      case 3:
        return pair_.finish_refund(number);
      case 4:
      case 5:
      case 6:
        return pair_.cancel(number);
      case 7:
      case 8:
      case 9:
        return pair_.confirm(number, chance(80) ? "shop-1" : "shop-2");
      case 10:
      case 11:
        return pair_.finish_payment(number, chance(50) ? Charge::declined : Charge::refused);
      case 12:
        return pair_.finish_payment(number, Charge::unreachable);
      case 13:
      case 14:
        return pair_.finish_payment(number, Charge::charged);
      case 15:
      case 16:
        return pair_.extend(number, Milliseconds{1 + below(300)});
      case 17:
      case 18:
        return pair_.transfer(number, "customer-" + std::to_string(below(7)));
      case 19:
      case 20:
        return pair_.fulfil(number);
      default:
        return pair_.begin_payment(number, chance(50) ? BeginPayment::By::client : BeginPayment::By::worker);
    }
  }

  void reserve() {
    const std::string customer = "customer-" + std::to_string(below(5));
    Reserve command = Shop::request(customer);
    command.quantity = static_cast<Units>(chance(60) ? 1 : 1 + below(4));
    if (chance(30)) command.reference = chance(50) ? "order-1" : "order-2";
    // As in an engine, a key belongs to its customer.
    if (chance(40)) command.key = {.high = 1 + std::hash<std::string>{}(customer), .low = below(12)};
    pair_.reserve(command);
  }

  void patch() {
    PatchSale command;
    command.sale = "s";
    if (chance(50))
      command.stock = static_cast<Units>(below(14));
    else if (chance(50))
      command.stock_by = static_cast<Units>(below(9)) - 4;
    if (chance(20))
      command.closes_at = chance(30) ? std::nullopt : std::optional{pair_.now() + Milliseconds{below(2'000)}};
    if (chance(3)) command.state = PatchSale::State::closed;
    if (chance(20)) command.state = PatchSale::State::paused;
    if (chance(30)) command.state = PatchSale::State::open;
    if (chance(15)) command.opens_at = chance(30) ? std::nullopt : std::optional{pair_.now() + Milliseconds{below(60)}};
    if (chance(15)) command.limit_per_customer = chance(30) ? std::nullopt : std::optional<Units>{1 + below(4)};
    if (chance(15))
      command.max_open = chance(30) ? std::nullopt : std::optional{static_cast<std::uint32_t>(1 + below(3))};
    if (chance(20)) command.if_revision = pair_.model().revision() - below(2);
    pair_.patch(command);
  }

  std::mt19937_64 random_;
  SaleTerms terms_;
  Pair pair_;
};

std::uint64_t number_from_environment(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

TEST(LedgerProperty, RandomCommandsHoldAllPromisesAndSurviveRestarts) {
  const std::uint64_t only = number_from_environment("LEDGER_SEED", 0);
  const std::uint64_t rounds = only != 0 ? 1 : number_from_environment("LEDGER_ROUNDS", 250);
  const std::uint64_t first = only != 0 ? only : 1;
  for (std::uint64_t seed = first; seed < first + rounds && !HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed) + "; repeat with LEDGER_SEED=" + std::to_string(seed) +
                 " sale_tests --gtest_filter=LedgerProperty.*");
    RandomCommands{seed}.run(250);
  }
}

}  // namespace
}  // namespace firstcome::sale
