// Sales over HTTP: creating, defaults, changing, closing, deleting, listing.
#include "api/api_test.hpp"

namespace firstcome::api::testing {
namespace {

using namespace std::chrono_literals;

class Sales : public ApiTest {};

TEST_F(Sales, CreatedWithTheDefaultsOfAProduct) {
  const Reply created = create("plain", 10);
  EXPECT_EQ(created.field("location"), "/v1/sales/plain");
  EXPECT_EQ(
      created.text,
      R"({"id":"plain","name":"plain","kind":"product","stock":10,"unit_price":0,"currency":"KRW",)"
      R"("limit_per_customer":null,"max_open":null,"hold_ms":60000,"opens_at":null,"closes_at":null,)"
      R"("queue":null,"standby":false,"payment":"client","extend_ms":0,"state":"open","available":10,"held":0,"sold":0,)"
      R"("queued":0,"serving":0,"engine":"embedded"})");
  EXPECT_EQ(sale("plain").text, created.text);
}

TEST_F(Sales, CreatedWithTheDefaultsOfItsKind) {
  const Reply coupon = create("coupon", 1, R"("kind":"coupon")");
  EXPECT_EQ(coupon.integer("limit_per_customer"), 1);
  EXPECT_EQ(coupon.integer("hold_ms"), 0);
  EXPECT_EQ(coupon.string("standby"), "false");
  const Reply ticket = create("ticket", 1, R"("kind":"ticket")");
  EXPECT_TRUE(ticket.null("limit_per_customer"));
  EXPECT_EQ(ticket.integer("hold_ms"), 300'000);
  EXPECT_EQ(ticket.string("standby"), "true");
  const Reply said = create("said", 1, R"("kind":"coupon","limit_per_customer":null,"hold_ms":5)");
  EXPECT_TRUE(said.null("limit_per_customer"));
  EXPECT_EQ(said.integer("hold_ms"), 5);
}

TEST_F(Sales, EveryMemberComesBackAsItWasSaid) {
  const Reply created = create(
      "full", 7,
      R"("name":"Größe \"42\"","kind":"ticket","unit_price":1000000000000,"currency":"EUR","limit_per_customer":3,)"
      R"("max_open":2,"hold_ms":604800000,"opens_at":"2027-01-01T09:00:00+09:00","closes_at":"2027-01-02T00:00:00Z",)"
      R"("queue":{"admit_per_tick":5,"tick_ms":10},"payment":"auto","extend_ms":86400000)");
  EXPECT_EQ(created.integer("extend_ms"), 86'400'000);
  EXPECT_EQ(created.string("name"), "Größe \"42\"");
  EXPECT_EQ(created.string("opens_at"), "2027-01-01T00:00:00.000Z");
  EXPECT_EQ(created.string("closes_at"), "2027-01-02T00:00:00.000Z");
  EXPECT_EQ(created.string("queue"), R"({"admit_per_tick":5,"tick_ms":10})");
  EXPECT_EQ(created.string("standby"), "true");
  EXPECT_EQ(created.string("payment"), "auto");
  EXPECT_EQ(created.integer("unit_price"), 1'000'000'000'000);
  EXPECT_EQ(created.state(), "scheduled");
}

TEST_F(Sales, TheSameBodyAgainIsTheSameSaleAndAnotherIsRefused) {
  create("s", 5, R"("hold_ms":1000)");
  reserved("s", "c");
  const Reply again = client.post("/v1/sales", R"({"hold_ms":1000,"stock":5,"id":"s","currency":"KRW"})");
  EXPECT_EQ(again.status, 200U);
  EXPECT_EQ(again.integer("held"), 1);
  expect_problem(client.post("/v1/sales", R"({"id":"s","stock":6,"hold_ms":1000})"), 409, "sale-exists");
}

TEST_F(Sales, TheSameBodyIsComparedWithTheSaleAsCreatedAlsoAfterAChange) {
  create("s", 5);
  EXPECT_EQ(patch("s", R"({"stock":9})").status, 200U);
  EXPECT_EQ(client.post("/v1/sales", R"({"id":"s","stock":5})").status, 200U);
  expect_problem(client.post("/v1/sales", R"({"id":"s","stock":9})"), 409, "sale-exists");
}

TEST_F(Sales, WhoIsNotThereIsNotFound) {
  expect_problem(sale("nobody"), 404, "sale-not-found");
  expect_problem(sale("No-Such_Id"), 404, "sale-not-found");
  expect_problem(patch("nobody", "{}"), 404, "sale-not-found");
  expect_problem(client.ask("DELETE", "/v1/sales/nobody"), 404, "sale-not-found");
  expect_problem(client.get("/v1/sales/nobody/audit"), 404, "sale-not-found");
  expect_problem(client.get("/v1/sales/nobody/reservations"), 404, "sale-not-found");
  expect_problem(reserve("nobody", "c"), 404, "sale-not-found");
}

TEST_F(Sales, StatesAreTheFirstThatFits) {
  const std::string soon =
      R"("opens_at":"2026-11-27T00:01:00.000Z","closes_at":"2026-11-27T00:02:00.000Z","hold_ms":0)";
  EXPECT_EQ(create("s", 1, soon).state(), "scheduled");
  EXPECT_EQ(create("none", 0).state(), "sold_out");
  server.advance(60s);
  EXPECT_EQ(sale("s").state(), "open");
  reserved("s", "c");
  EXPECT_EQ(sale("s").state(), "sold_out");
  server.advance(60s);
  EXPECT_EQ(sale("s").state(), "closed");
}

TEST_F(Sales, StockIsRaisedAndLoweredButNotBelowWhatIsInUse) {
  create("s", 2);
  reserved("s", "a");
  reserved("s", "b");
  expect_problem(patch("s", R"({"stock":1})"), 409, "stock-in-use");
  expect_problem(patch("s", R"({"stock":1,"state":"closed"})"), 409, "stock-in-use");
  EXPECT_EQ(sale("s").state(), "open") << "all of it or nothing";
  const Reply more = patch("s", R"({"stock":5})");
  EXPECT_EQ(more.integer("available"), 3);
  EXPECT_EQ(patch("s", R"({"stock":2})").integer("available"), 0);
  EXPECT_EQ(patch("s", "{}").status, 200U);
}

TEST_F(Sales, RaisingTheStockServesThoseWhoWait) {
  create("s", 1, R"("standby":true)");
  reserved("s", "a");
  const std::string waiting = reserved("s", "b");
  EXPECT_EQ(reservation(waiting).integer("position"), 1);
  patch("s", R"({"stock":2})");
  EXPECT_EQ(reservation(waiting).state(), "held");
}

TEST_F(Sales, TheEndIsMovedWhileTheSaleIsNotClosed) {
  create("s", 1, R"("opens_at":"2026-11-26T00:00:00Z")");
  EXPECT_EQ(patch("s", R"({"closes_at":"2026-11-27T00:00:05Z"})").string("closes_at"), "2026-11-27T00:00:05.000Z");
  EXPECT_TRUE(patch("s", R"({"closes_at":null})").null("closes_at"));
  const Reply before = patch("s", R"({"closes_at":"2026-11-25T00:00:00Z"})");
  expect_problem(before, 422, "invalid-field");
  EXPECT_EQ(before.string("field"), "closes_at");
  expect_problem(patch("nobody", R"({"closes_at":"2026-11-25T00:00:00Z"})"), 404, "sale-not-found");
  EXPECT_EQ(patch("s", R"({"closes_at":"2026-11-27T00:00:05Z"})").status, 200U);
  server.advance(5s);
  EXPECT_EQ(sale("s").state(), "closed");
  expect_problem(patch("s", R"({"closes_at":null})"), 410, "sale-closed");
}

TEST_F(Sales, PatchRefusesWhatCannotBeChanged) {
  create("s", 1);
  for (const char* body : {R"({"name":"x"})", R"({"hold_ms":1})", R"({"typo":1})", R"({"state":"scheduled"})",
                           R"({"stock":-1})", R"({"stock":null})", R"({"closes_at":5})"}) {
    const Reply reply = patch("s", body);
    expect_problem(reply, 422, "invalid-field");
    EXPECT_NE(reply.string("field"), "absent") << body;
  }
  expect_problem(patch("s", ""), 400, "malformed-json");
}

TEST_F(Sales, ClosingRefusesThoseWhoWaitAndKeepsTheHolds) {
  create("s", 1, R"("standby":true)");
  const std::string held = reserved("s", "a");
  const std::string waiting = reserved("s", "b");
  EXPECT_EQ(patch("s", R"({"state":"closed"})").state(), "closed");
  EXPECT_EQ(patch("s", R"({"state":"closed"})").status, 200U);
  EXPECT_EQ(reservation(waiting).string("reason"), "sale-closed");
  EXPECT_EQ(act(held, "payment").status, 200U);
  expect_problem(reserve("s", "c"), 410, "sale-closed");
}

TEST_F(Sales, DeletedWhenClosedWithNothingHeld) {
  create("s", 1);
  const std::string id = reserved("s", "a");
  expect_problem(client.ask("DELETE", "/v1/sales/s"), 409, "sale-active");
  patch("s", R"({"state":"closed"})");
  expect_problem(client.ask("DELETE", "/v1/sales/s"), 409, "sale-active");
  act(id, "cancel");
  const Reply gone = client.ask("DELETE", "/v1/sales/s");
  EXPECT_EQ(gone.status, 204U) << gone.text;
  EXPECT_EQ(gone.text, "");
  expect_problem(sale("s"), 404, "sale-not-found");
  expect_problem(reservation(id), 404, "reservation-not-found");
  EXPECT_EQ(create("s", 3).integer("available"), 3);
  expect_problem(reservation(id), 404, "reservation-not-found");
}

TEST_F(Sales, ListedByIdInPages) {
  for (const char* id : {"c", "a", "e", "b", "d"}) create(id, 1);
  std::string seen;
  std::string target = "/v1/sales?limit=2";
  for (int page = 0; page < 3; ++page) {
    const Reply reply = client.get(target);
    for (const auto& item : reply.body.at("items").as_array()) seen += item.at("id").as_string().c_str();
    if (page == 2) {
      EXPECT_TRUE(reply.null("next"));
    } else {
      EXPECT_EQ(reply.body.at("items").as_array().size(), 2U);
    }
    target = "/v1/sales?limit=2&after=" + reply.string("next");
  }
  EXPECT_EQ(seen, "abcde");
  EXPECT_EQ(client.get("/v1/sales").body.at("items").as_array().size(), 5U);
  EXPECT_EQ(client.get("/v1/sales?after=e").text, R"({"items":[],"next":null})");
}

TEST_F(Sales, TheEquationHoldsInEveryAnswer) {
  create("s", 3);
  const std::string first = reserved("s", "a");
  reserved("s", "b");
  act(first, "payment");
  const Reply now = sale("s");
  EXPECT_EQ(now.integer("available"), 1);
  EXPECT_EQ(now.integer("held"), 1);
  EXPECT_EQ(now.integer("sold"), 1);
  EXPECT_EQ(now.integer("serving"), 2);
}

TEST_F(Sales, AuditRecountsWhatIsStored) {
  create("s", 3, R"("limit_per_customer":2)");
  act(reserved("s", "a"), "payment");
  reserved("s", "b");
  const Reply audit = client.get("/v1/sales/s/audit");
  EXPECT_EQ(audit.text, R"({"equation":{"stock":3,"available":1,"held":1,"sold":1},"customers_over_limit":0,)"
                        R"("number_inversions":0,"orders":null,"orders_pending":)" +
                            audit.string("orders_pending") + R"(,"mismatches":[],"ok":true})");
  EXPECT_EQ(client.get("/v1/sales/s/audit?deep=true").status, 200U);
  const Reply wrong = client.get("/v1/sales/s/audit?deep=yes");
  expect_problem(wrong, 422, "invalid-field");
  EXPECT_EQ(wrong.string("field"), "deep");
}

TEST_F(Sales, StockIsChangedBySomeUnits) {
  create("s", 2);
  reserved("s", "a");
  reserved("s", "b");
  EXPECT_EQ(patch("s", R"({"stock_by":3})").integer("stock"), 5);
  EXPECT_EQ(patch("s", R"({"stock_by":-3})").integer("stock"), 2);
  const Reply in_use = patch("s", R"({"stock_by":-1})");
  expect_problem(in_use, 409, "stock-in-use");
  EXPECT_EQ(in_use.integer("in_use"), 2);
  EXPECT_EQ(patch("s", R"({"stock":0})").integer("in_use"), 2);
  const Reply both = patch("s", R"({"stock":5,"stock_by":1})");
  expect_problem(both, 422, "invalid-field");
  EXPECT_EQ(both.string("field"), "stock_by");
  const Reply above = patch("s", R"({"stock_by":999999999})");
  expect_problem(above, 422, "invalid-field");
  EXPECT_EQ(above.string("field"), "stock_by");
  EXPECT_EQ(patch("s", R"({"stock_by":999999998})").integer("stock"), 1'000'000'000);
}

TEST_F(Sales, APausedSaleTakesNobodyServesNobodyAndKeepsEveryPlace) {
  create("s", 1, R"("standby":true)");
  const std::string held = reserved("s", "a");
  const std::string waiting = reserved("s", "b");
  EXPECT_EQ(patch("s", R"({"state":"paused"})").state(), "paused");
  const Reply refused = reserve("s", "c");
  expect_problem(refused, 409, "sale-paused");
  EXPECT_EQ(refused.field("retry-after"), "5");
  EXPECT_EQ(patch("s", R"({"stock":2})").integer("available"), 1);
  EXPECT_EQ(reservation(waiting).state(), "queued");
  EXPECT_EQ(act(held, "confirm", R"({"payment_id":"p"})").state(), "confirmed");
  EXPECT_EQ(patch("s", R"({"stock":1})").state(), "paused");
  EXPECT_EQ(reservation(waiting).state(), "queued") << "nothing is left, and its place is kept";
  patch("s", R"({"stock":2})");
  EXPECT_EQ(patch("s", R"({"state":"open"})").state(), "open");
  EXPECT_EQ(reservation(waiting).state(), "held");
}

TEST_F(Sales, AReplayIsAnsweredWhileTheSaleIsPaused) {
  create("s", 1);
  const Reply first = reserve("s", "a", 1, {key("k")});
  patch("s", R"({"state":"paused"})");
  EXPECT_EQ(reserve("s", "a", 1, {key("k")}).text, first.text);
}

TEST_F(Sales, AClosedSaleIsNeitherPausedNorOpened) {
  create("s", 1);
  patch("s", R"({"state":"paused"})");
  EXPECT_EQ(patch("s", R"({"state":"closed"})").state(), "closed");
  expect_problem(patch("s", R"({"state":"open"})"), 410, "sale-closed");
  expect_problem(patch("s", R"({"state":"paused"})"), 410, "sale-closed");
  EXPECT_EQ(patch("s", R"({"state":"closed"})").status, 200U);
}

TEST_F(Sales, OpeningAndLimitsAreChangedUntilTheSaleOpens) {
  create("s", 5, R"("opens_at":"2026-11-27T01:00:00.000Z","limit_per_customer":1)");
  const Reply changed = patch("s", R"({"opens_at":"2026-11-27T00:01:00.000Z","limit_per_customer":2,"max_open":1})");
  EXPECT_EQ(changed.string("opens_at"), "2026-11-27T00:01:00.000Z");
  EXPECT_EQ(changed.integer("limit_per_customer"), 2);
  EXPECT_EQ(changed.integer("max_open"), 1);
  const Reply before = patch("s", R"({"closes_at":"2026-11-27T00:01:00.000Z"})");
  expect_problem(before, 422, "invalid-field");
  EXPECT_EQ(before.string("field"), "closes_at");
  server.advance(60s);
  expect_problem(reserve("s", "a", 3), 409, "limit-exceeded");
  reserved("s", "a", 1);
  expect_problem(reserve("s", "a", 1), 409, "already-open");
  for (const char* member : {"opens_at", "limit_per_customer", "max_open"}) {
    const Reply late = patch("s", std::string(R"({")") + member + R"(":null})");
    expect_problem(late, 422, "invalid-field");
    EXPECT_EQ(late.string("field"), member);
  }
  EXPECT_EQ(client
                .post("/v1/sales", R"({"id":"s","stock":5,"opens_at":"2026-11-27T01:00:00.000Z",)"
                                   R"("limit_per_customer":1})")
                .status,
            200U)
      << "compared with the terms as created";
}

TEST_F(Sales, ASaleOpensAtOnceWhereItsOpeningIsTakenAway) {
  create("s", 1, R"("opens_at":"2026-11-27T01:00:00.000Z")");
  expect_problem(reserve("s", "a"), 409, "sale-not-open");
  EXPECT_EQ(patch("s", R"({"opens_at":null})").state(), "open");
  reserved("s", "a");
}

TEST_F(Sales, ATagNamesTheTermsAndNotTheCounters) {
  const Reply created = create("s", 5);
  const std::string tag = created.field("etag");
  ASSERT_FALSE(tag.empty());
  reserved("s", "a");
  EXPECT_EQ(sale("s").field("etag"), tag);
  const std::string next = patch("s", R"({"stock":6})").field("etag");
  EXPECT_NE(next, tag);
  EXPECT_EQ(sale("s").field("etag"), next);
  patch("s", R"({"stock":5})");
  EXPECT_NE(sale("s").field("etag"), tag) << "the same terms again are another revision";
  create("t", 5);
  EXPECT_NE(sale("t").field("etag"), tag);
}

TEST_F(Sales, AChangeForOtherTermsIsRefused) {
  const std::string tag = create("s", 5).field("etag");
  const auto patch_if = [&](const std::string& if_match, const char* body) {
    return client.ask("PATCH", "/v1/sales/s", body, {"If-Match: " + if_match});
  };
  const Reply first = patch_if(tag, R"({"stock_by":1})");
  EXPECT_EQ(first.integer("stock"), 6);
  expect_problem(patch_if(tag, R"({"stock_by":1})"), 412, "sale-changed");
  EXPECT_EQ(sale("s").integer("stock"), 6);
  expect_problem(patch_if("W/" + first.field("etag"), R"({"stock_by":1})"), 412, "sale-changed");
  EXPECT_EQ(patch_if(tag + ", " + first.field("etag"), R"({"stock_by":1})").integer("stock"), 7);
  EXPECT_EQ(patch_if("*", R"({"stock_by":1})").integer("stock"), 8);
  expect_problem(client.ask("PATCH", "/v1/sales/nobody", "{}", {"If-Match: " + tag}), 404, "sale-not-found");
}

// Whoever has lost the tag, and sends nothing for it, must not change what others have changed meanwhile.
TEST_F(Sales, AListOfTagsThatNamesNoneOfThisSaleAllowsNoChange) {
  const std::string tag = create("s", 5).field("etag");
  for (const std::string list :
       {"", " ", ",", "\"a,*,b\"", "\"a\", *", "*, \"a\"", "W/*", "\"", "a\"b", "\"a\",, \"b\""}) {
    expect_problem(client.ask("PATCH", "/v1/sales/s", R"({"stock_by":1})", {"If-Match: " + list}), 412, "sale-changed");
  }
  EXPECT_EQ(sale("s").integer("stock"), 5);
  for (const std::string& list : {std::string(" * "), "\"a,b\"," + tag, ", W/" + tag + " ,\t" + tag + ","}) {
    EXPECT_EQ(client.ask("PATCH", "/v1/sales/s", "{}", {"If-Match: " + list}).status, 200U) << list;
  }
}

}  // namespace
}  // namespace firstcome::api::testing
