// Events, orders, and what operators ask.
#include "api/api_test.hpp"

namespace firstcome::api::testing {
namespace {

using namespace std::chrono_literals;

class Operations : public ApiTest {};

TEST_F(Operations, HealthAndReadiness) {
  EXPECT_EQ(client.get("/healthz").text, R"({"status":"ok"})");
  EXPECT_EQ(client.get("/readyz").text, R"({"status":"ready"})");
}

TEST_F(Operations, HeadIsGetWithoutABody) {
  client.send_raw("HEAD /healthz HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
  const std::string all = client.receive_raw();
  EXPECT_TRUE(all.starts_with("HTTP/1.1 200 ")) << all;
  EXPECT_TRUE(all.ends_with("\r\n\r\n")) << all;
}

TEST_F(Operations, LoadBalancersMayAskWithOptions) {
  for (const char* target : {"/", "*"}) EXPECT_EQ(client.ask("OPTIONS", target).status, 204U) << target;
  const Reply reply = client.ask("OPTIONS", "/v1/sales/any");
  EXPECT_EQ(reply.status, 204U);
  EXPECT_EQ(reply.field("allow"), "GET, HEAD, PATCH, DELETE, OPTIONS");
  expect_problem(client.ask("OPTIONS", "/nothing"), 404, "not-found");
  client.send_raw("OPTIONS / HTTP/1.0\r\n\r\n");  // as HAProxy does
  EXPECT_TRUE(client.receive_raw().starts_with("HTTP/1.1 204 "));
}

TEST_F(Operations, NoCacheMayKeepWhatChanges) {
  create("s", 2);
  for (const char* target : {"/v1/sales/s", "/v1/sales", "/v1/sales/none", "/v1/events", "/healthz", "/metrics"})
    EXPECT_EQ(client.get(target).field("cache-control"), "no-store") << target;
}

TEST_F(Operations, TheContractIsServed) {
  const Reply reply = client.get("/openapi.yaml");
  EXPECT_EQ(reply.status, 200U);
  EXPECT_EQ(reply.field("content-type"), "application/yaml");
  EXPECT_TRUE(reply.text.starts_with("openapi: 3.1.0"));
}

TEST_F(Operations, OrdersAreNotSupportedWithoutAnOrderServiceAndSaySo) {
  for (const char* target : {"/v1/orders/xyz", "/v1/orders?customer=c", "/v1/orders"}) {
    const Reply reply = client.get(target);
    expect_problem(reply, 501, "not-supported");
    EXPECT_NE(reply.string("detail").find("order service"), std::string::npos);
  }
}

TEST_F(Operations, EventsTellWhatHappenedInOrder) {
  create("s", 2, R"("unit_price":5)");
  const Reply paid = client.post("/v1/sales/s/reservations", R"({"customer":"a","reference":"r-1"})");
  act(paid.id(), "payment");
  act(reserved("s", "b"), "cancel");
  patch("s", R"({"stock":9})");
  patch("s", R"({"state":"closed"})");
  const Reply feed = client.get("/v1/events");
  EXPECT_EQ(feed.status, 200U);
  std::vector<std::string> types;
  std::int64_t sale_sequence = 0;
  std::int64_t sequence = 0;
  for (const auto& event : feed.body.at("items").as_array()) {
    types.emplace_back(event.at("type").as_string());
    EXPECT_EQ(event.at("sale_sequence").as_int64(), ++sale_sequence);
    EXPECT_GT(event.at("sequence").as_int64(), sequence);
    sequence = event.at("sequence").as_int64();
    EXPECT_EQ(event.at("sale").as_string(), "s");
  }
  const std::vector<std::string> wanted{"sale-created",          "reservation-held", "payment-begun",
                                        "reservation-confirmed", "reservation-held", "reservation-cancelled",
                                        "stock-changed",         "sale-closed"};
  EXPECT_EQ(types, wanted) << feed.text;
  const auto& confirmed = feed.body.at("items").at(3);
  EXPECT_EQ(confirmed.at("reservation").as_string(), paid.id());
  EXPECT_EQ(confirmed.at("customer").as_string(), "a");
  EXPECT_EQ(confirmed.at("reference").as_string(), "r-1");
  EXPECT_EQ(confirmed.at("amount").as_int64(), 5);
  EXPECT_EQ(feed.body.at("items").at(6).at("value").as_int64(), 9);
}

TEST_F(Operations, EventsOfOneSaleTellWhatItsReservationsWerePaidWith) {
  create("other", 2);
  create("s", 2, R"("unit_price":5)");
  reserved("other", "x");
  const std::string paid = reserved("s", "a");
  act(paid, "payment");
  reserved("s", "b");
  const Reply feed = client.get("/v1/events?sale=s");
  EXPECT_EQ(feed.status, 200U);
  const auto& items = feed.body.at("items").as_array();
  ASSERT_EQ(items.size(), 5U) << feed.text;
  for (const auto& event : items) EXPECT_EQ(event.at("sale").as_string(), "s");
  EXPECT_FALSE(items.at(0).as_object().contains("payment")) << "it is of the sale";
  const auto& payment = items.at(3).at("payment").as_object();
  EXPECT_EQ(payment.at("id").as_string(),
            client.get("/v1/reservations/" + paid).body.at("payment").at("id").as_string());
  EXPECT_EQ(payment.at("amount").as_int64(), 5);
  EXPECT_TRUE(items.at(4).at("payment").is_null());
  EXPECT_EQ(feed.body.at("oldest").as_int64(), 1);
  expect_problem(client.get("/v1/events?sale=nobody"), 404, "sale-not-found");
}

TEST_F(Operations, TheFeedOfAnEmptyStoreHasNoOldest) { EXPECT_TRUE(client.get("/v1/events").null("oldest")); }

TEST_F(Operations, EventsArePagedBySequence) {
  create("s", 9, R"("hold_ms":0)");
  for (int i = 0; i < 4; ++i) reserved("s", "c");
  const Reply first = client.get("/v1/events?limit=3");
  EXPECT_EQ(first.body.at("items").as_array().size(), 3U);
  ASSERT_FALSE(first.null("next"));
  const Reply second = client.get("/v1/events?after=" + first.string("next"));
  EXPECT_EQ(second.body.at("items").as_array().size(), 2U);
  EXPECT_TRUE(second.null("next"));
  EXPECT_GT(second.body.at("items").at(0).at("sequence").as_int64(),
            first.body.at("items").at(2).at("sequence").as_int64());
}

TEST_F(Operations, MetricsCountRequestsByRouteAndStatus) {
  create("s", 1, R"("hold_ms":0)");
  reserved("s", "a");
  reserve("s", "b");
  reserve("s", "c");
  client.get("/nowhere");
  const Reply reply = client.get("/metrics");
  EXPECT_EQ(reply.status, 200U);
  EXPECT_TRUE(reply.field("content-type").starts_with("text/plain")) << reply.field("content-type");
  const auto has = [&](std::string_view line) { return reply.text.find(line) != std::string::npos; };
  const std::string labels = R"(method="POST",route="/v1/sales/{id}/reservations")";
  EXPECT_TRUE(has("firstcome_http_requests_total{" + labels + R"(,status="201"} 1)")) << reply.text;
  EXPECT_TRUE(has("firstcome_http_requests_total{" + labels + R"(,status="410"} 2)")) << reply.text;
  EXPECT_TRUE(has(R"(firstcome_http_requests_total{method="any",route="unmatched",status="404"} 1)")) << reply.text;
  EXPECT_TRUE(has("firstcome_http_request_seconds_count{" + labels + "} 3")) << reply.text;
  EXPECT_TRUE(has("# TYPE firstcome_http_request_seconds histogram"));
}

TEST(MetricsTest, RegisteredValuesAreReadWhenAskedAndFamiliesAreOne) {
  double value = 1;
  Metrics metrics(std::vector<Metrics::Route>{});
  metrics.add_counter("x_total", "Xs", [&] { return value; }, {{"kind", "a"}});
  metrics.add_counter("x_total", "Xs", [&] { return value * 2; }, {{"kind", "b"}});
  metrics.add_gauge("y", "Ys", [] { return 0.5; });
  value = 21;
  const std::string text = metrics.text();
  EXPECT_NE(text.find("# HELP x_total Xs\n# TYPE x_total counter\nx_total{kind=\"a\"} 21\nx_total{kind=\"b\"} 42\n"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("# TYPE y gauge\ny 0.5\n"), std::string::npos) << text;
}

TEST(MetricsTest, LatenciesFallIntoTheirBuckets) {
  Metrics metrics(std::vector<Metrics::Route>{{"GET", "/x"}});
  metrics.count_request(0, 200, 100us);
  metrics.count_request(0, 200, 101us);
  metrics.count_request(0, 200, 1h);
  const std::string text = metrics.text();
  EXPECT_NE(text.find("le=\"0.0001\"} 1\n"), std::string::npos) << text;
  EXPECT_NE(text.find("le=\"0.0002\"} 2\n"), std::string::npos) << text;
  EXPECT_NE(text.find("le=\"5\"} 2\n"), std::string::npos) << text;
  EXPECT_NE(text.find("le=\"+Inf\"} 3\n"), std::string::npos) << text;
}

}  // namespace
}  // namespace firstcome::api::testing
