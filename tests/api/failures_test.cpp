// Answers that the real engine gives only when something is broken, from an engine that says so.
#include "api/api_test.hpp"
#include "api/problem.hpp"

#include <set>

namespace firstcome::api::testing {
namespace {

struct Told {
  FailureCode failure;
  unsigned status;
  const char* code;
};

TEST(Failures, EachHasItsCodeAndSaysWhenToAskAgain) {
  for (const Told& told : std::vector<Told>{{FailureCode::overloaded, 503, "overloaded"},
                                            {FailureCode::stopping, 503, "overloaded"},
                                            {FailureCode::store_unavailable, 503, "store-unavailable"},
                                            {FailureCode::store_lost, 503, "store-lost"},
                                            {FailureCode::outbox_full, 503, "outbox-full"},
                                            {FailureCode::outcome_unknown, 503, "outcome-unknown"},
                                            {FailureCode::not_supported, 501, "not-supported"}}) {
    ScriptedServer server([&](const Command&) -> std::expected<Answer, Failure> {
      return std::unexpected(Failure{told.failure, "a path on this machine"});
    });
    Client client(server.port());
    for (const Reply& reply :
         {client.post("/v1/sales/s/reservations", R"({"customer":"c"})"), client.get("/v1/sales/s"),
          client.get("/v1/sales"), client.get("/v1/events"), client.get("/v1/sales/s/audit"),
          client.post("/v1/sales", R"({"id":"s","stock":1})"), client.ask("DELETE", "/v1/sales/s")}) {
      expect_problem(reply, told.status, told.code);
      const bool tells = told.failure == FailureCode::not_supported;  // what to do instead
      EXPECT_EQ(reply.text.find("machine") != std::string::npos, tells) << "details are for the log";
      EXPECT_EQ(reply.field("retry-after").empty(), told.status == 501) << reply.text;
    }
  }
}

TEST(Failures, AnAuditThatRunsIs429) {
  ScriptedServer server([](const Command&) -> std::expected<Answer, Failure> {
    AuditAnswer answer;
    answer.outcome = Outcome::audit_running;
    return answer;
  });
  const Reply reply = Client(server.port()).get("/v1/sales/s/audit");
  expect_problem(reply, 429, "audit-running");
  EXPECT_EQ(reply.field("retry-after"), "1");
}

TEST(Failures, NotReadySaysWhy) {
  ScriptedServer server([](const Command&) -> std::expected<Answer, Failure> { return SaleAnswer{}; },
                        {false, "no space left on the device"});
  Client client(server.port());
  const Reply reply = client.get("/readyz");
  expect_problem(reply, 503, "store-unavailable");
  EXPECT_EQ(reply.string("detail"), "no space left on the device");
  EXPECT_EQ(client.get("/healthz").status, 200U);
}

TEST(Failures, WithoutAGatewayPaymentsAreNotSupported) {
  ScriptedServer server([](const Command&) -> std::expected<Answer, Failure> { return SaleAnswer{}; });
  engine::ReservationIds ids({1, 2, 3});
  const auto id = ids.encode({SaleHandle{1}, Number{1}});
  const std::string path = "/v1/reservations/" + std::string(id.begin(), id.end()) + "/payment";
  expect_problem(Client(server.port()).post(path), 501, "not-supported");
}

TEST(Failures, AMistakeOfOursIsInternalWithAnIdAndWithoutDetail) {
  // An answer of another type than the command's: what reads it throws, and the border catches that.
  ScriptedServer server([](const Command&) -> std::expected<Answer, Failure> { return EventsAnswer{}; });
  Client client(server.port());
  const Reply reply = client.get("/v1/sales/s");
  expect_problem(reply, 500, "internal");
  EXPECT_EQ(reply.string("detail"), "absent");
  EXPECT_NE(reply.string("request_id"), "absent");
  EXPECT_NE(client.get("/v1/sales/s").string("request_id"), reply.string("request_id"));
  EXPECT_EQ(client.get("/healthz").status, 200U) << "the server lives on";
}

TEST(Failures, EveryRefusalOfTheBusinessHasItsCode) {
  for (int number = 0; number < 256; ++number) {
    const auto outcome = static_cast<Outcome>(number);
    if (outcome == Outcome::sale_not_found || (number >= 10 && number <= 13) || (number >= 20 && number <= 26) ||
        (number >= 40 && number <= 49) || (number >= 60 && number <= 62)) {
      EXPECT_GE(row_of(code_of(outcome)).status, 400U) << number;
    }
  }
}

TEST(Problems, EveryRowIsNamedAfterItsCodeOnce) {
  std::set<std::string_view> names;
  for (const ProblemRow& row : problem_table()) {
    EXPECT_TRUE(names.insert(row.name).second) << row.name;
    EXPECT_GE(row.status, 400U);
    EXPECT_FALSE(row.title.empty());
    EXPECT_EQ(row.retry_after_seconds > 0, row.status == 503 || row.status == 429 || row.code == Code::sale_not_open ||
                                               row.code == Code::sale_paused ||
                                               row.code == Code::sold_out_holds_pending || row.code == Code::busy ||
                                               row.code == Code::locked || row.code == Code::request_in_progress ||
                                               row.code == Code::payment_in_progress)
        << row.name;
  }
}

TEST(Problems, RetryAfterIsRoundedUpAndNeverZero) {
  using namespace std::chrono_literals;
  EXPECT_EQ(retry_after_seconds(0ms), 1);
  EXPECT_EQ(retry_after_seconds(1000ms), 1);
  EXPECT_EQ(retry_after_seconds(1001ms), 2);
}

}  // namespace
}  // namespace firstcome::api::testing
