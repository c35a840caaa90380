// Whatever is asked, in any order: the server lives, says nothing that openapi.yaml does not promise, and after a
// restart it says the same as before.
//
// FIRSTCOME_SEED=7 FIRSTCOME_ROUNDS=20000 repeats and prolongs it.
#include "api/contract.hpp"
#include "api/random_request.hpp"
#include "engine/redis/redis_harness.hpp"
#include "support/rounds.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <map>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace firstcome::api::testing {
namespace {

using namespace std::chrono_literals;
using SteadyClock = std::chrono::steady_clock;

constexpr int steps_between_restarts = 250;
constexpr auto time_enough = 20s;  // unless more rounds are asked for

struct OnTheEmbeddedEngine {
  static constexpr bool has_locks = true;  ///< and a feed of all sales together

  void advance(Milliseconds by) { server.advance(by); }
  void created() {}

  ApiServer server;
};

/// The clock of each sale is stopped as soon as it is created. A restart is another node.
struct OnRedis {
  static constexpr bool has_locks = false;

  void advance(Milliseconds by) {
    redis.advance(by);
    server.wake();
  }
  void created() { redis.stop_clocks(); }

  test::RedisHarness redis;
  ApiServer server{[this]() -> std::unique_ptr<engine::DrivenEngine> {
    return std::move(engine::RedisEngine::open(test::options_for(redis.url())).value());
  }};
};

template <class Place>
class AnyRequest : public ::testing::Test {
 protected:
  AnyRequest() : seed_(firstcome::testing::seed()), maker_(seed_) {
    std::fprintf(stderr, "FIRSTCOME_SEED=%llu\n", static_cast<unsigned long long>(seed_));
  }

  void open() {
    place_.emplace();
    client_.emplace(place_->server.port());
  }

  Reply ask(const RandomRequest& request) {
    Reply reply = client_->ask(request.method, request.target, request.body, request.fields);
    const std::string what = request.method + " " + request.target + "\n" + request.body;
    EXPECT_NE(reply.status, 0U) << what;
    EXPECT_NE(reply.status, 500U) << what;
    EXPECT_EQ(broken_promise(request.method, request.pattern, reply), "") << what << "\n"
                                                                          << reply.status << " " << reply.text;
    const bool made = reply.status == 201 || reply.status == 202;
    if (made && request.pattern.ends_with("/reservations")) maker_.learn(reply.id());
    if (made && request.pattern == "/v1/sales") place_->created();
    if (const std::string tag = reply.field("etag"); !tag.empty()) maker_.learn_tag(tag);
    return reply;
  }

  void step() {
    if (maker_.chance(0.1)) {
      constexpr std::array<Milliseconds, 7> leaps{1ms, 10ms, 1s, 1min, 5min, 1h, 8 * 24h};
      place_->advance(leaps[maker_.below(leaps.size())]);
    }
    if (maker_.chance(0.05)) {
      using enum ObedientGateway::Mood;
      constexpr std::array moods{charge, decline, refuse, be_unreachable};
      place_->server.gateway().set(moods[maker_.below(moods.size())]);
    }
    ask(maker_.next());
  }

  /// What all reads say, by target.
  struct State {
    std::map<std::string, std::string> now;
    std::map<std::string, std::vector<std::string>> events;  ///< of each sale; of all together under ""
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
    state.now[id + " tag"] = read("/v1/sales/" + id).field("etag");
    each_item("/v1/events?limit=1000&sale=" + id,
              [&](const json::object& event) { state.events[id].push_back(json::serialize(event)); });
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
    if constexpr (Place::has_locks) {
      for (const std::string_view name : random_locks()) {
        const std::string target = "/v1/locks/" + std::string(name);
        state.now[target] = read(target).text;
      }
      each_item("/v1/events?limit=1000",
                [&](const json::object& event) { state.events[""].push_back(json::serialize(event)); });
    }
    return state;
  }

  /// Waits until the payments' thread changes nothing any more.
  State read_settled() {
    place_->server.gateway().set(ObedientGateway::Mood::be_unreachable);
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
    place_->server.restart();
    client_.emplace(place_->server.port());
    const State after = read_all();
    for (const auto& [target, text] : before.now) {
      const auto found = after.now.find(target);
      EXPECT_EQ(found == after.now.end() ? "absent" : found->second, text) << target;
    }
    EXPECT_EQ(after.now.size(), before.now.size());
    for (const auto& [sale, told] : before.events) {
      const auto found = after.events.find(sale);
      ASSERT_NE(found, after.events.end()) << sale;
      ASSERT_GE(found->second.size(), told.size()) << sale;
      EXPECT_TRUE(std::equal(told.begin(), told.end(), found->second.begin())) << sale;
    }
  }

  const std::uint64_t seed_;
  RequestMaker maker_;
  std::optional<Place> place_;
  std::optional<Client> client_;
};

using Places = ::testing::Types<OnTheEmbeddedEngine, OnRedis>;
struct PlaceNames {
  template <class Place>
  static std::string GetName(int) {
    return Place::has_locks ? "Embedded" : "Redis";
  }
};
TYPED_TEST_SUITE(AnyRequest, Places, PlaceNames);

TYPED_TEST(AnyRequest, IsAnsweredAsPromisedAndARestartChangesNothing) {
  if constexpr (std::is_same_v<TypeParam, OnRedis>) {
    FIRSTCOME_NEEDS_REDIS();
  }
  this->open();
  const int steps = firstcome::testing::rounds(2'000);
  const auto end = SteadyClock::now() + (steps > 2'000 ? 24h : time_enough);
  for (int i = 1; i <= steps && SteadyClock::now() < end && !this->HasFailure(); ++i) {
    this->step();
    if (i % steps_between_restarts == 0) this->restart_and_compare();
  }
  if (!this->HasFailure()) this->restart_and_compare();
}

}  // namespace
}  // namespace firstcome::api::testing
