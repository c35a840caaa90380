// openapi.yaml against the table of routes, the table of problems, and the running server.
#include "api/api_test.hpp"
#include "api/contract.hpp"
#include "api/problem.hpp"
#include "api/routes.hpp"
#include "net/response.hpp"

#include <algorithm>
#include <cctype>
#include <set>
#include <string>

namespace firstcome::api::testing {
namespace {

/// Every documented answer was given in AnswersAsItSays, but those that a server cannot be brought to give there.
void expect_all_given(const std::set<std::string>& seen) {
  const std::set<std::string> elsewhere{"413", "415", "429", "503", "501"};  // bad_input_test, failures_test
  const std::set<std::string> with_orders{"GET /v1/orders 200", "GET /v1/orders/{reservation} 200",
                                          "GET /v1/orders/{reservation} 404"};  // orders_test, to the letter
  for (const auto& path : contract()["paths"]) {
    for (const auto& operation : path.second) {
      std::string method = operation.first.as<std::string>();
      std::ranges::transform(method, method.begin(),
                             [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
      for (const auto& response : operation.second["responses"]) {
        const std::string status = response.first.as<std::string>();
        const std::string what = method + " " + path.first.as<std::string>() + " " + status;
        EXPECT_TRUE(elsewhere.contains(status) || with_orders.contains(what) || seen.contains(what))
            << "never given: " << what;
      }
    }
  }
}

class Contract : public ApiTest {
 protected:
  /// Holds an answer against what the contract says of it, and notes that it was seen.
  void check(const std::string& method, const std::string& pattern, const Reply& reply) {
    const std::string what = method + " " + pattern + " " + std::to_string(reply.status);
    seen.insert(what);
    EXPECT_EQ(broken_promise(method, pattern, reply), "") << what << "\n" << reply.text;
  }

  /// Asks, with `id` for what stands in braces.
  Reply ask(const std::string& method, const std::string& pattern, const std::string& id, std::string_view body = "",
            const std::string& query = "", const std::vector<std::string>& fields = {}) {
    std::string target = pattern;
    if (const std::size_t brace = target.find('{'); brace != target.npos)
      target.replace(brace, target.find('}') - brace + 1, id);
    Reply reply = client.ask(method, target + query, body, fields);
    check(method, pattern, reply);
    return reply;
  }

  std::set<std::string> seen;
};

TEST(StatusLine, SaysAReasonForEveryStatusOfTheContract) {
  std::set<unsigned> statuses;
  for (const auto& path : contract()["paths"])
    for (const auto& operation : path.second)
      for (const auto& response : operation.second["responses"]) statuses.insert(response.first.as<unsigned>());
  EXPECT_TRUE(statuses.contains(412));
  for (const unsigned status : statuses) {
    net::Response response;
    response.status = status;
    net::OutputBuffer out;
    net::append(out, response);
    const std::string beginning = "HTTP/1.1 " + std::to_string(status) + " ";
    const std::string text(out.view(0, out.size()));
    ASSERT_TRUE(text.starts_with(beginning)) << text;
    EXPECT_TRUE(std::isupper(static_cast<unsigned char>(text[beginning.size()]))) << text;
  }
}

TEST_F(Contract, HasEveryRouteAndNoOther) {
  std::set<std::string> of_the_server;
  for (const Route& route : routes())
    of_the_server.insert(lower(name_of(route.method)) + " " + std::string(route.pattern));
  std::set<std::string> documented;
  for (const auto& path : contract()["paths"])
    for (const auto& operation : path.second)
      if (operation.first.as<std::string>() != "parameters")
        documented.insert(operation.first.as<std::string>() + " " + path.first.as<std::string>());
  EXPECT_EQ(documented, of_the_server);
}

TEST_F(Contract, HasEveryCodeAndNoOther) {
  std::set<std::string> of_the_server;
  for (const ProblemRow& row : problem_table()) of_the_server.emplace(row.name);
  const auto list =
      contract()["components"]["schemas"]["Problem"]["properties"]["code"]["enum"].as<std::vector<std::string>>();
  EXPECT_EQ(std::set<std::string>(list.begin(), list.end()), of_the_server);
}

TEST_F(Contract, EveryReferenceLeadsSomewhereAndEveryOperationHasItsWords) {
  std::set<std::string> ids;
  for (const auto& path : contract()["paths"]) {
    for (const auto& operation : path.second) {
      if (operation.first.as<std::string>() == "parameters") continue;
      EXPECT_TRUE(ids.insert(operation.second["operationId"].as<std::string>()).second);
      EXPECT_TRUE(operation.second["summary"]);
      for (const auto& response : operation.second["responses"])
        EXPECT_TRUE(resolve(response.second)["description"]) << path.first << response.first;
    }
  }
}

TEST_F(Contract, DocumentsTheQueryParametersThatAreRead) {
  for (const Route& route : routes()) {
    std::set<std::string> documented;
    for (const auto& parameter :
         contract()["paths"][std::string(route.pattern)][lower(name_of(route.method))]["parameters"])
      if (const YAML::Node node = resolve(parameter); node["in"].as<std::string>() == "query")
        documented.insert(node["name"].as<std::string>());
    std::set<std::string> read;
    if ((route.query & (after_text | after_number)) != 0) read.insert("after");
    if ((route.query & page_limit) != 0) read.insert("limit");
    if ((route.query & customer_filter) != 0) read.insert("customer");
    if ((route.query & deep_audit) != 0) read.insert("deep");
    if ((route.query & sale_filter) != 0) read.insert("sale");
    EXPECT_EQ(documented, read) << route.pattern;
  }
}

/// Every operation is asked for each of its answers that this server can be brought to give here.
TEST_F(Contract, AnswersAsItSays) {
  const std::string sales = "/v1/sales";
  const std::string one_sale = "/v1/sales/{id}";
  const std::string queue = "/v1/sales/{id}/reservations";
  ask("POST", sales, "", R"({"id":"s","stock":2,"unit_price":3,"kind":"ticket","extend_ms":1000})");
  ask("POST", sales, "", R"({"id":"s","stock":2,"unit_price":3,"kind":"ticket","extend_ms":1000})");
  ask("POST", sales, "", R"({"id":"s","stock":3})");
  ask("POST", sales, "", "{");
  ask("POST", sales, "", "{}");
  ask("GET", sales, "");
  ask("GET", sales, "", "", "?x=1");

  const std::string held = ask("POST", queue, "s", R"({"customer":"a","reference":"r"})").id();
  const std::string other = ask("POST", queue, "s", R"({"customer":"b"})").id();
  const std::string waiting = ask("POST", queue, "s", R"({"customer":"c"})").id();
  ask("POST", queue, "nobody", R"({"customer":"c"})");
  ask("POST", queue, "s", "{");
  ask("POST", queue, "s", R"({"customer":1})");
  ask("POST", queue, "s", R"({"customer":"c","quantity":3})");
  ask("GET", queue, "s");
  ask("GET", queue, "nobody");
  ask("GET", queue, "s", "", "?limit=0");

  const std::string path = "/v1/reservations/{id}";
  ask("GET", path, waiting);
  ask("GET", path, "nobody");
  ask("GET", path, held, "", "?x=1");
  for (const std::string what : {"/payment", "/confirm", "/cancel", "/return"}) {
    const std::string good = what == "/confirm" ? R"({"payment_id":"p"})" : "";
    ask("POST", path + what, "nobody", good);
    ask("POST", path + what, waiting, "{");
    ask("POST", path + what, waiting, R"({"x":1})");
    ask("POST", path + what, what == "/cancel" ? "nobody" : waiting, good);
  }
  for (const auto& [what, good] : {std::pair{"/extend", R"({"ms":1})"}, std::pair{"/transfer", R"({"customer":"z"})"},
                                   std::pair{"/fulfil", "{}"}}) {
    ask("POST", path + what, "nobody", good);
    ask("POST", path + what, waiting, "{");
    ask("POST", path + what, waiting, R"({"x":1})");
    ask("POST", path + what, waiting, good);
  }
  ask("POST", path + "/extend", held, R"({"ms":1})");
  ask("POST", path + "/transfer", held, R"({"customer":"a2"})");
  server.gateway().set(ObedientGateway::Mood::be_unreachable);
  ask("POST", path + "/payment", held);
  server.gateway().set(ObedientGateway::Mood::charge);
  ask("POST", path + "/payment", held);
  ask("GET", path, held);
  ask("POST", path + "/cancel", held);
  ask("POST", path + "/fulfil", held);
  ask("POST", path + "/return", held, R"({"if_quantity":9})");
  ask("POST", path + "/return", held);
  server.gateway().set(ObedientGateway::Mood::decline);
  EXPECT_EQ(ask("POST", path + "/payment", waiting).code(), "payment-failed");
  ask("POST", path + "/confirm", other, R"({"payment_id":"p"})");
  ask("POST", path + "/cancel", reserved("s", "e"));

  ask("GET", one_sale, "s");
  ask("GET", one_sale, "nobody");
  ask("GET", one_sale, "s", "", "?x=1");
  const std::string late = reserved("s", "d");
  server.advance(std::chrono::minutes{5});
  ask("POST", path + "/payment", late);
  ask("POST", path + "/cancel", late);
  ask("PATCH", one_sale, "s", R"({"stock":0})");
  ask("PATCH", one_sale, "s", R"({"stock":1})");
  ask("PATCH", one_sale, "s", R"({"stock_by":1})", "", {"If-Match: \"of-another\""});
  ask("PATCH", one_sale, "s", "{");
  ask("PATCH", one_sale, "nobody", "{}");
  ask("DELETE", one_sale, "s");
  ask("PATCH", one_sale, "s", R"({"state":"closed"})");
  ask("PATCH", one_sale, "s", R"({"closes_at":null})");
  ask("PATCH", one_sale, "s", R"({"x":null})");
  ask("POST", queue, "s", R"({"customer":"e"})");
  ask("GET", "/v1/sales/{id}/audit", "s");
  ask("GET", "/v1/sales/{id}/audit", "nobody");
  ask("GET", "/v1/sales/{id}/audit", "s", "", "?deep=1");
  ask("DELETE", one_sale, "s", "", "?x=1");
  ask("DELETE", one_sale, "s");
  ask("DELETE", one_sale, "s");
  const std::string lock = "/v1/locks/{name}";
  const std::string lease = R"({"lease":"0123456789abcdef"})";
  for (const std::string verb : {"/acquire", "/renew", "/release"}) {
    ask("POST", lock + verb, "a", verb == "/acquire" ? "" : lease);
    ask("POST", lock + verb, "a", lease);
    ask("POST", lock + verb, "b", lease);
    ask("POST", lock + verb, "a", "{");
    ask("POST", lock + verb, "a", R"({"x":1})");
  }
  ask("POST", lock + "/acquire", "b", lease);
  ask("POST", lock + "/renew", "b", lease);
  ask("POST", lock + "/release", "b", lease);
  ask("POST", lock + "/acquire", "a", lease);
  const std::string token = std::to_string(client.get("/v1/locks/a").integer("token"));
  for (const std::string& body : {"{\"token\":" + token + "}", std::string("{"), std::string(R"({"token":0})")})
    ask("POST", lock + "/free", "a", body);
  ask("POST", lock + "/free", "a", "{\"token\":" + token + "}");
  ask("GET", lock, "a");
  ask("GET", lock, "a", "", "?x=1");
  ask("GET", "/v1/events", "");
  ask("GET", "/v1/events", "", "", "?x=1");
  ask("GET", "/v1/events", "", "", "?sale=nobody");
  const std::string settle = "/v1/losses/settle";
  ask("POST", settle, "", R"({"by":"mina","reason":"refunded"})");
  ask("POST", settle, "", "{");
  ask("POST", settle, "", "{}");
  for (const std::string plain :
       {"/v1/orders", "/v1/orders/{reservation}", "/v1/losses", "/healthz", "/readyz", "/metrics", "/openapi.yaml"}) {
    ask("GET", plain, "x");
    ask("GET", plain, "x", "", "?x=1");
  }
  expect_all_given(seen);
}

}  // namespace
}  // namespace firstcome::api::testing
