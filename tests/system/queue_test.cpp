// A waiting queue of 30 000 customers for 1 000 units, 100 a tick, over real HTTP, with a kill -9 half-way.
#include "support/blocking_client.hpp"
#include "support/json.hpp"
#include "support/server_process.hpp"
#include "support/temporary_folder.hpp"
#include "system/witness.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <mutex>
#include <thread>

namespace firstcome::testing {
namespace {

using namespace std::chrono_literals;
using SteadyClock = std::chrono::steady_clock;

constexpr std::int64_t units = 1'000;
constexpr int connections = 8;
constexpr int customers = 30'000;

struct Place {
  std::string id;
  std::int64_t number;
  SteadyClock::time_point sent;
  SteadyClock::time_point answered;
};

struct Line {
  std::mutex mutex;
  std::vector<Place> places;
  int refused_at_the_door = 0;
};

void join(Line& line, std::uint16_t port, int which) {
  BlockingClient client(port);
  for (int i = which; i < customers; i += connections) {
    auto sent = SteadyClock::now();
    auto answer =
        client.request("POST", "/v1/sales/drop/reservations", R"({"customer":"c-)" + std::to_string(i) + "\"}");
    auto answered = SteadyClock::now();
    ASSERT_TRUE(answer);
    std::lock_guard lock(line.mutex);
    if (answer->status == 410) {
      ++line.refused_at_the_door;
      continue;
    }
    ASSERT_EQ(answer->status, 202U) << answer->body;
    auto body = parse_json(answer->body);
    line.places.push_back({text_of(body, "id"), integer_of(body, "number"), sent, answered});
  }
}

/// Nobody who was answered before another had sent has a higher number than that other.
void expect_arrival_order(std::vector<Place> places) {
  auto by_answer = places;
  std::ranges::sort(places, {}, &Place::sent);
  std::ranges::sort(by_answer, {}, &Place::answered);
  std::int64_t highest_answered = 0;
  auto next = by_answer.begin();
  std::int64_t inversions = 0;
  for (const Place& place : places) {
    for (; next != by_answer.end() && next->answered < place.sent; ++next) {
      highest_answered = std::max(highest_answered, next->number);
    }
    inversions += place.number < highest_answered;
  }
  EXPECT_EQ(inversions, 0);
}

boost::json::value sale(BlockingClient& client) {
  auto answer = client.request("GET", "/v1/sales/drop");
  if (!answer || answer->status != 200) throw std::runtime_error("the sale cannot be read");
  return parse_json(answer->body);
}

void wait_until_sold(BlockingClient& client, std::int64_t sold) {
  auto deadline = SteadyClock::now() + 100s;
  while (integer_of(sale(client), "sold") < sold) ASSERT_LT(SteadyClock::now(), deadline) << "the queue is stuck";
}

void expect_places_kept(BlockingClient& client, const Line& line) {
  for (std::size_t i = 0; i < line.places.size(); i += 97) {
    auto answer = client.request("GET", "/v1/reservations/" + line.places[i].id);
    ASSERT_TRUE(answer);
    ASSERT_EQ(answer->status, 200U);
    EXPECT_EQ(integer_of(parse_json(answer->body), "number"), line.places[i].number);
  }
}

void expect_everybody_told(BlockingClient& client, const Line& line) {
  std::map<std::string, std::int64_t> numbers;
  for (const Place& place : line.places) numbers[place.id] = place.number;
  std::int64_t confirmed = 0;
  for (const std::string& item : list_all(client, "/v1/sales/drop/reservations")) {
    auto body = parse_json(item);
    ASSERT_TRUE(numbers.contains(text_of(body, "id")));
    EXPECT_EQ(numbers[text_of(body, "id")], integer_of(body, "number"));
    std::string expected = integer_of(body, "number") <= units ? "confirmed" : "refused";
    ASSERT_EQ(text_of(body, "state"), expected) << item;
    if (expected == "refused") {
      EXPECT_EQ(text_of(body, "reason"), "sold-out");
    }
    confirmed += expected == "confirmed";
  }
  EXPECT_EQ(confirmed, units);
}

TEST(Queue, ThirtyThousandKeepTheirPlacesThroughAKill) {
  TemporaryFolder folder;
  Line line;
  {
    ServerProcess server(folder.path() / "data");
    BlockingClient client(server.port());
    auto created = client.request(
        "POST", "/v1/sales", R"({"id":"drop","stock":1000,"hold_ms":0,"queue":{"admit_per_tick":100,"tick_ms":1500}})");
    ASSERT_TRUE(created);
    ASSERT_EQ(created->status, 201U) << created->body;
    {
      std::vector<std::jthread> crowd;
      for (int i = 0; i < connections; ++i) crowd.emplace_back(join, std::ref(line), server.port(), i);
    }
    ASSERT_EQ(line.places.size() + static_cast<std::size_t>(line.refused_at_the_door), std::size_t{customers});
    ASSERT_GT(line.places.size(), std::size_t{2 * units});
    expect_arrival_order(line.places);
    wait_until_sold(client, units / 2);
    server.process().kill();
  }
  ServerProcess server(folder.path() / "data");
  BlockingClient client(server.port());
  expect_places_kept(client, line);
  wait_until_sold(client, units);
  expect_everybody_told(client, line);
}

}  // namespace
}  // namespace firstcome::testing
