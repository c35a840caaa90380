// Small cases in full: three customers, two units, and every interleaving of reserve, begin payment, finish payment,
// cancel, expire and admit, up to the customers' names.
//
// Interleavings that lead to the same stored state are continued once: a state is all that is stored (every record,
// with instants relative to now), and each is reached by replaying a way to it. In every state every action is tried,
// and the ledger compared with its model.
#include "sale/pair.hpp"

#include <deque>
#include <iostream>
#include <memory>
#include <set>

namespace firstcome::sale {
namespace {

enum class Step : std::uint8_t { reserve, begin, charged, declined, unreachable, cancel, expire, admit };

struct Action {
  Step step{};
  unsigned customer = 0;
};

constexpr unsigned customers = 3;

std::vector<Action> all_actions() {
  std::vector<Action> actions{{.step = Step::expire}, {.step = Step::admit}};
  for (unsigned customer = 0; customer < customers; ++customer) {
    for (const Step step :
         {Step::reserve, Step::begin, Step::charged, Step::declined, Step::unreachable, Step::cancel}) {
      actions.push_back({.step = step, .customer = customer});
    }
  }
  return actions;
}

std::string name_of(unsigned customer) { return std::string(1, static_cast<char>('a' + customer)); }

/// The customer's latest reservation; 0: none.
std::size_t latest(const Pair& pair, unsigned customer) {
  for (std::size_t number = pair.count(); number > 0; --number) {
    if (pair.model().at(number).customer == name_of(customer)) return number;
  }
  return 0;
}

/// Does it; or not, and says so, where it makes no sense now. Refused commands are tried too: a customer may ask for
/// anything at any time.
bool act(Pair& pair, Action action) {
  const std::size_t number = latest(pair, action.customer);
  if (action.step == Step::expire || action.step == Step::admit) {
    const Milliseconds step = action.step == Step::expire ? 3s : 1s;
    const bool somebody = pair.model().held() > 0 || pair.model().queued() > 0;
    if (somebody) pair.wait(step);
    return somebody;
  }
  if (action.step == Step::reserve) {
    // Customers are alike: the first to ask is called a, the second b.
    if (number != 0 || (action.customer > 0 && latest(pair, action.customer - 1) == 0)) return false;
    const std::string name = name_of(action.customer);
    pair.reserve(Shop::request(name));
    return true;
  }
  if (number == 0) return false;
  switch (action.step) {
    case Step::begin:
      pair.begin_payment(number, BeginPayment::By::client);
      break;
    case Step::charged:
      pair.finish_payment(number, Charge::charged);
      break;
    case Step::declined:
      pair.finish_payment(number, Charge::declined);
      break;
    case Step::unreachable:
      pair.finish_payment(number, Charge::unreachable);
      break;
    default:
      pair.cancel(number);
  }
  return true;
}

/// All that is stored, as text; instants that matter relative to now.
std::string key_of(const Pair& pair) {
  std::string key;
  const auto add = [&](auto number) { key += std::to_string(static_cast<std::int64_t>(number)) + ","; };
  const SaleRecord& sale = pair.sale_record();
  for (const std::uint64_t number : {sale.last_number, sale.serving, sale.sold_out_upto, sale.closed_upto}) add(number);
  for (const Units units : {sale.available, sale.held, sale.sold}) add(units);
  for (const auto& [ref, record] : pair.stored().reservations) {
    key += record.customer + ":";
    add(record.state);
    add(record.reason);
    add(record.refund);
    add(record.claimed_at != Instant{});
    add(record.state == ReservationState::held ? (record.expires_at - pair.now()).count() : 0);
    add(record.position);
  }
  return key;
}

/// Returns how many different states there are.
std::size_t explore(const SaleTerms& terms) {
  const std::vector<Action> actions = all_actions();
  std::set<std::string> seen;
  std::deque<std::vector<Action>> ways{{}};
  while (!ways.empty() && !::testing::Test::HasFailure()) {
    const std::vector<Action> way = std::move(ways.front());
    ways.pop_front();
    std::unique_ptr<Pair> pair;
    std::string key;
    for (const Action action : actions) {
      if (!pair) {
        pair = std::make_unique<Pair>(terms);
        for (const Action before : way) act(*pair, before);
        pair->store();
        key = key_of(*pair);
      }
      if (!act(*pair, action)) continue;
      pair->compare();
      const std::string reached = key_of(*pair);
      if (reached == key) continue;  // refused without effect: the next action may use it
      if (seen.insert(reached).second) {
        ways.push_back(way);
        ways.back().push_back(action);
      }
      pair.reset();
    }
  }
  std::cout << seen.size() << " states\n";
  return seen.size();
}

SaleTerms small(SaleTerms terms) {
  terms.hold = 3s;
  return terms;
}

TEST(LedgerExhaustive, WithoutStandby) { EXPECT_GT(explore(small(plain_terms(2))), 100u); }

TEST(LedgerExhaustive, Standby) { EXPECT_GT(explore(small(standby_terms(2))), 100u); }

TEST(LedgerExhaustive, Queue) { EXPECT_GT(explore(small(queue_terms(2, 1))), 100u); }

}  // namespace
}  // namespace firstcome::sale
