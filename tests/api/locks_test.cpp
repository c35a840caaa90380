// The lock service over HTTP.
#include "api/api_test.hpp"

#include <chrono>
#include <string>
#include <thread>

namespace firstcome::api::testing {
namespace {

using namespace std::chrono_literals;

const std::string holder = R"({"lease":"holder-0123456789"})";
const std::string other = R"({"lease":"other-0123456789"})";

class Locks : public ApiTest {
 protected:
  Reply acquire(std::string_view body = "", std::string_view name = "a") {
    return client.post("/v1/locks/" + std::string(name) + "/acquire", body);
  }
  /// Until that many wait for `a`.
  void wait_for_waiting(std::int64_t count) {
    const auto deadline = std::chrono::steady_clock::now() + 10s;
    while (client.get("/v1/locks/a").integer("waiting") != count) {
      ASSERT_LT(std::chrono::steady_clock::now(), deadline);
      std::this_thread::yield();
    }
  }
};

TEST_F(Locks, AreAcquiredRenewedInspectedAndReleased) {
  const Reply grant = acquire(R"({"lease_ms":5000,"lease":"holder-0123456789"})");
  EXPECT_EQ(grant.status, 200U);
  EXPECT_EQ(grant.string("name"), "a");
  EXPECT_EQ(grant.string("lease"), "holder-0123456789");
  EXPECT_EQ(grant.integer("expires_in_ms"), 5'000);
  server.advance(2s);
  Reply view = client.get("/v1/locks/a");
  EXPECT_EQ(view.string("held"), "true");
  EXPECT_EQ(view.integer("token"), grant.integer("token"));
  EXPECT_EQ(view.integer("expires_in_ms"), 3'000);
  EXPECT_EQ(view.integer("waiting"), 0);
  EXPECT_EQ(client.post("/v1/locks/a/renew", holder).integer("expires_in_ms"), 5'000);
  EXPECT_EQ(client.post("/v1/locks/a/release", holder).status, 200U);
  view = client.get("/v1/locks/a");
  EXPECT_EQ(view.string("held"), "false");
  EXPECT_TRUE(view.null("token"));
  EXPECT_TRUE(view.null("expires_in_ms"));
}

TEST_F(Locks, AreFreedByTheTokenOfTheirGrantAndNoOther) {
  const std::int64_t token = acquire(holder).integer("token");
  const auto free = [&](std::int64_t of) {
    return client.post("/v1/locks/a/free", "{\"token\":" + std::to_string(of) + "}");
  };
  expect_problem(free(token + 1), 409, "lease-lost");
  EXPECT_EQ(client.get("/v1/locks/a").string("held"), "true");
  const Reply freed = free(token);
  EXPECT_EQ(freed.status, 200U);
  EXPECT_EQ(freed.string("name"), "a");
  EXPECT_EQ(freed.integer("token"), token);
  EXPECT_EQ(client.get("/v1/locks/a").string("held"), "false");
  expect_problem(client.post("/v1/locks/a/release", holder), 409, "lease-lost");
  expect_problem(free(token), 409, "lease-lost");
  EXPECT_GT(acquire(other).integer("token"), token);
}

TEST_F(Locks, TellOthersWhenToComeAgain) {
  acquire(holder);
  server.advance(6'001ms);
  const Reply refused = acquire(other);
  expect_problem(refused, 409, "locked");
  EXPECT_EQ(refused.field("retry-after"), "4");
  expect_problem(client.post("/v1/locks/a/renew", other), 409, "lease-lost");
  expect_problem(client.post("/v1/locks/a/release", other), 409, "lease-lost");
}

TEST_F(Locks, TheSameLeaseAgainGetsTheSameGrant) {
  const Reply first = acquire(holder);
  const Reply again = acquire(holder);
  EXPECT_EQ(again.status, 200U);
  EXPECT_EQ(again.integer("token"), first.integer("token"));
}

TEST_F(Locks, ALeaseThatHasEndedIsLost) {
  acquire(holder);
  server.advance(10s);
  expect_problem(client.post("/v1/locks/a/renew", holder), 409, "lease-lost");
  EXPECT_EQ(acquire(other).status, 200U);
}

TEST_F(Locks, TheServerChoosesALeaseWhereNoneIsGiven) {
  const Reply grant = acquire();
  EXPECT_EQ(grant.status, 200U);
  EXPECT_EQ(grant.string("lease").size(), 32U);
  EXPECT_EQ(client.post("/v1/locks/a/release", R"({"lease":")" + grant.string("lease") + R"("})").status, 200U);
}

TEST_F(Locks, AreWaitedForAndHandedOver) {
  acquire(holder);
  Client waiter(server.port());
  waiter.send("POST", "/v1/locks/a/acquire", R"({"wait_ms":60000,"lease":"other-0123456789"})");
  wait_for_waiting(1);
  client.post("/v1/locks/a/release", holder);
  const Reply granted = waiter.receive();
  EXPECT_EQ(granted.status, 200U) << granted.text;
  EXPECT_EQ(granted.string("lease"), "other-0123456789");
}

TEST_F(Locks, AClientThatDisconnectsLeavesTheQueue) {
  acquire(holder);
  {
    Client gone(server.port());
    gone.send("POST", "/v1/locks/a/acquire", R"({"wait_ms":60000,"lease":"other-0123456789"})");
    wait_for_waiting(1);
  }
  wait_for_waiting(0);
  client.post("/v1/locks/a/release", holder);
  EXPECT_EQ(client.get("/v1/locks/a").string("held"), "false");
}

TEST_F(Locks, NamesMayHoldAnythingButBraces) {
  EXPECT_EQ(acquire("", "stock%2Fnight%20run%20%E2%82%AC").status, 200U);
  EXPECT_EQ(client.get("/v1/locks/stock%2Fnight%20run%20%E2%82%AC").string("held"), "true");
  for (const std::string& bad : {std::string("a%7Bb"), std::string("a%7D"), std::string(513, 'a')}) {
    const Reply refused = acquire("", bad);
    expect_problem(refused, 422, "invalid-field");
    EXPECT_EQ(refused.string("field"), "name");
  }
  EXPECT_EQ(acquire("", std::string(512, 'a')).status, 200U);
}

TEST_F(Locks, BadBodiesNameTheFieldAndTheRule) {
  const auto expect_field = [&](std::string_view verb, std::string_view body, std::string_view field) {
    const Reply refused = client.post("/v1/locks/a/" + std::string(verb), body);
    expect_problem(refused, 422, "invalid-field");
    EXPECT_EQ(refused.string("field"), field) << body;
  };
  expect_field("acquire", R"({"lease_ms":0})", "lease_ms");
  expect_field("acquire", R"({"lease_ms":-1})", "lease_ms");
  expect_field("acquire", R"({"wait_ms":60001})", "wait_ms");
  expect_field("acquire", R"({"wait_ms":-1})", "wait_ms");
  expect_field("acquire", R"({"lease":"short"})", "lease");
  expect_field("acquire", R"({"lease":"with a space 0123456789"})", "lease");
  expect_field("renew", "{}", "lease");
  expect_field("release", "", "lease");
  expect_problem(acquire(R"({"wait":1})"), 422, "unknown-field");
}

TEST(LocksAtTheEnd, AServerThatDrainsEndsTheWaits) {
  auto server = std::make_unique<ApiServer>();
  Client client(server->port());
  client.post("/v1/locks/a/acquire", holder);
  Client waiter(server->port());
  waiter.send("POST", "/v1/locks/a/acquire", R"({"wait_ms":60000,"lease":"other-0123456789"})");
  const auto deadline = std::chrono::steady_clock::now() + 10s;
  while (client.get("/v1/locks/a").integer("waiting") != 1) ASSERT_LT(std::chrono::steady_clock::now(), deadline);
  server.reset();
  expect_problem(waiter.receive(), 409, "locked");
}

}  // namespace
}  // namespace firstcome::api::testing
