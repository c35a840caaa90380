// Whatever is asked, in any order: the server lives, says nothing that openapi.yaml does not promise, and after a
// restart it says the same as before.
//
// FIRSTCOME_SEED=7 FIRSTCOME_ROUNDS=20000 repeats and prolongs it.
#include "api/contract.hpp"
#include "api/random_request.hpp"
#include "support/redis_server.hpp"
#include "support/rounds.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace firstcome::api::testing {
namespace {

using namespace std::chrono_literals;
using SteadyClock = std::chrono::steady_clock;

constexpr int steps_between_restarts = 250;
constexpr auto time_enough = 20s;  // unless more rounds are asked for

class AnyRequest : public ::testing::Test {
 protected:
  AnyRequest() : seed_(firstcome::testing::seed()), maker_(seed_) {
    std::fprintf(stderr, "FIRSTCOME_SEED=%llu\n", static_cast<unsigned long long>(seed_));
    client_.emplace(server_.port());
  }

  Reply ask(const RandomRequest& request) {
    Reply reply = client_->ask(request.method, request.target, request.body, request.fields);
    const std::string what = request.method + " " + request.target + "\n" + request.body;
    EXPECT_NE(reply.status, 0U) << what;
    EXPECT_NE(reply.status, 500U) << what;
    EXPECT_EQ(broken_promise(request.method, request.pattern, reply), "") << what << "\n"
                                                                          << reply.status << " " << reply.text;
    if (reply.status == 201 || reply.status == 202) {
      if (request.pattern.ends_with("/reservations")) maker_.learn(reply.id());
    }
    return reply;
  }

  void step() {
    if (maker_.chance(0.1)) {
      constexpr std::array<Milliseconds, 7> leaps{1ms, 10ms, 1s, 1min, 5min, 1h, 8 * 24h};
      server_.advance(leaps[maker_.below(leaps.size())]);
    }
    if (maker_.chance(0.05)) {
      using enum ObedientGateway::Mood;
      constexpr std::array moods{charge, decline, be_unreachable};
      server_.gateway().set(moods[maker_.below(moods.size())]);
    }
    ask(maker_.next());
  }

  /// What all reads say, by target.
  struct State {
    std::map<std::string, std::string> now;
    std::vector<std::string> events;
  };

  Reply read(const std::string& target) {
    Reply reply = client_->get(target);
    EXPECT_EQ(reply.status, 200U) << target << " " << reply.text;
    return reply;
  }

  /// All items of a list.
  template <class Each>
  void each_item(const std::string& target, Each each) {
    std::string next;
    do {
      const Reply page = read(target + (next.empty() ? "" : "&after=" + next));
      if (page.status != 200) return;
      for (const auto& item : page.body.at("items").as_array()) each(item.as_object());
      next = page.null("next") ? "" : page.string("next");
    } while (!next.empty());
  }

  void read_sale(const std::string& id, State& state) {
    each_item("/v1/sales/" + id + "/reservations?limit=1000", [&](json::object reservation) {
      reservation.erase("eta_ms");  // comes from the rate of grants in the last minute, which is not stored
      const std::string target = "/v1/reservations/" + std::string(reservation.at("id").as_string());
      state.now[target] = json::serialize(reservation);
    });
    const Reply audit = read("/v1/sales/" + id + "/audit");
    EXPECT_EQ(audit.string("ok"), "true") << audit.text;
    state.now[id + " audit"] = audit.text;
  }

  State read_all() {
    State state;
    each_item("/v1/sales?limit=2", [&](const json::object& sale) {
      const auto units = [&](const char* name) { return sale.at(name).as_int64(); };
      EXPECT_EQ(units("available") + units("held") + units("sold"), units("stock")) << json::serialize(sale);
      const std::string id(sale.at("id").as_string());
      state.now[id] = json::serialize(sale);
      read_sale(id, state);
    });
    for (const std::string_view name : random_locks()) {
      const std::string target = "/v1/locks/" + std::string(name);
      state.now[target] = read(target).text;
    }
    each_item("/v1/events?limit=1000",
              [&](const json::object& event) { state.events.push_back(json::serialize(event)); });
    return state;
  }

  /// Waits until the payments' thread changes nothing any more.
  State read_settled() {
    server_.gateway().set(ObedientGateway::Mood::be_unreachable);
    State state = read_all();
    const auto settled = [&] {
      State again = read_all();
      const bool same = again.now == state.now;
      state = std::move(again);
      return same;
    };
    EXPECT_TRUE(firstcome::testing::eventually(settled));
    return state;
  }

  void restart_and_compare() {
    const State before = read_settled();
    server_.restart();
    client_.emplace(server_.port());
    const State after = read_all();
    for (const auto& [target, text] : before.now) {
      const auto found = after.now.find(target);
      EXPECT_EQ(found == after.now.end() ? "absent" : found->second, text) << target;
    }
    EXPECT_EQ(after.now.size(), before.now.size());
    ASSERT_GE(after.events.size(), before.events.size());
    EXPECT_TRUE(std::equal(before.events.begin(), before.events.end(), after.events.begin()));
  }

  const std::uint64_t seed_;
  RequestMaker maker_;
  ApiServer server_;
  std::optional<Client> client_;
};

TEST_F(AnyRequest, IsAnsweredAsPromisedAndARestartChangesNothing) {
  const int steps = firstcome::testing::rounds(2'000);
  const auto end = SteadyClock::now() + (steps > 2'000 ? 24h : time_enough);
  for (int i = 1; i <= steps && SteadyClock::now() < end && !HasFailure(); ++i) {
    step();
    if (i % steps_between_restarts == 0) restart_and_compare();
  }
  if (!HasFailure()) restart_and_compare();
}

}  // namespace
}  // namespace firstcome::api::testing
