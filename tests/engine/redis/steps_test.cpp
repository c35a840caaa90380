// What is more than one call may do, more than one node, and counting while it
// goes on.
#include "engine/redis/redis_harness.hpp"
#include "engine/redis/sale_scripts.hpp"

#include <deque>
#include <set>

namespace firstcome::test {
namespace {

using namespace std::chrono_literals;

std::vector<std::string> names(std::string_view prefix, int count) {
  std::vector<std::string> all;
  for (int i = 0; i < count; ++i) all.push_back(std::string(prefix) + std::to_string(i));
  return all;
}

/// Submits all at once and waits for all.
std::vector<ReserveAnswer> reserve_all(RedisNode& node, const std::vector<std::string>& customers, Units quantity = 1) {
  std::deque<Asked> asked;
  for (const std::string& customer : customers) {
    asked.emplace_back().command = Reserve{"s", customer, quantity, {}, key_of(customer)};
    node.engine().submit(asked.back());
  }
  std::vector<ReserveAnswer> answers;
  for (Asked& one : asked) {
    node.finish(one);
    answers.push_back(one.as<ReserveAnswer>());
  }
  return answers;
}

SaleAnswer create(RedisHarness& redis, const SaleTerms& terms) {
  Asked asked;
  asked.command = CreateSale{terms};
  redis.engine().submit(asked);
  redis.finish(asked);
  return asked.as<SaleAnswer>();
}

TEST(RedisSteps, EndAThousandHoldsInPiecesAndDecideNothingInBetween) {
  FIRSTCOME_NEEDS_REDIS();
  RedisHarness redis;
  create(redis, terms_of("s", 1'000));
  for (const ReserveAnswer& answer : reserve_all(redis.node(), names("a", 1'000))) {
    ASSERT_EQ(answer.outcome, Outcome::done);
  }
  redis.advance(61s);
  // All of them find all units back, though one call ends 128 holds at most.
  const auto later = reserve_all(redis.node(), names("b", 1'000));
  for (std::size_t i = 0; i < later.size(); ++i) {
    ASSERT_EQ(later[i].outcome, Outcome::done) << i;
    ASSERT_EQ(value(later[i].ref.number), 1'001 + i);
  }
  const SaleView sale = redis.node().ask(GetSale{"s"})->sale;
  EXPECT_EQ(sale.held, 1'000);
  EXPECT_TRUE(redis.node().ask(AuditSale{"s"})->ok);
}

TEST(RedisSteps, EndExtendedHoldsEachAtItsOwnTime) {
  FIRSTCOME_NEEDS_REDIS();
  RedisHarness redis;
  SaleTerms terms = terms_of("s", 200);
  terms.extend = 1h;
  create(redis, terms);
  const auto held = reserve_all(redis.node(), names("a", 200));
  for (std::size_t i = 0; i < held.size(); ++i) {
    const Milliseconds by{1'000 + 10 * (i * 89 % 200)};
    ASSERT_EQ(redis.node().ask(Extend{held[i].ref, by})->outcome, Outcome::done);
  }
  redis.advance(61s);
  for (Units left = 199; left >= 0; left -= 3) {
    ASSERT_EQ(redis.node().ask(GetSale{"s"})->sale.held, left);
    redis.advance(30ms);
  }
  EXPECT_EQ(redis.node().ask(GetSale{"s"})->sale.held, 0);
  EXPECT_TRUE(redis.node().ask(AuditSale{"s"})->ok);
}

TEST(RedisSteps, ServeAThousandWhoStandByInTheirOrderWhenStockIsRaised) {
  FIRSTCOME_NEEDS_REDIS();
  RedisHarness redis;
  SaleTerms terms = terms_of("s", 1);
  terms.standby = Standby::yes;
  create(redis, terms);
  reserve_all(redis.node(), names("first", 1));
  for (const ReserveAnswer& answer : reserve_all(redis.node(), names("a", 1'000))) {
    ASSERT_EQ(answer.outcome, Outcome::waiting);
  }
  PatchSale more;
  more.sale = "s";
  more.stock = 901;
  ASSERT_EQ(redis.node().ask(more)->outcome, Outcome::done);
  const auto page = redis.node().ask(ListReservations{"s", std::nullopt, Number{}, 1'000});
  ASSERT_EQ(page->items.size(), 1'000U);
  for (const ReservationView& one : page->items) {
    ASSERT_EQ(one.state, value(one.ref.number) <= 901 ? ReservationState::held : ReservationState::queued)
        << value(one.ref.number);
  }
  EXPECT_EQ(page->items.back().position, 99U);
  EXPECT_TRUE(redis.node().ask(AuditSale{"s"})->ok);
}

TEST(RedisSteps, MakeATickOfThousandsWhole) {
  FIRSTCOME_NEEDS_REDIS();
  RedisHarness redis;
  SaleTerms terms = terms_of("s", 5'000);
  terms.queue = QueueTerms{.admit_per_tick = 700, .tick = 1'000ms};
  terms.standby = Standby::yes;
  create(redis, terms);
  reserve_all(redis.node(), names("a", 1'500));
  redis.advance(1s);
  EXPECT_EQ(redis.node().ask(GetSale{"s"})->sale.held, 700);
  redis.advance(1s);
  const SaleView sale = redis.node().ask(GetSale{"s"})->sale;
  EXPECT_EQ(sale.held, 1'400);
  EXPECT_EQ(sale.queued, 100U);
  EXPECT_EQ(value(sale.serving), 1'400U);
}

TEST(RedisSteps, KeepPositionsExactWhenHundredsLeaveTheLine) {
  FIRSTCOME_NEEDS_REDIS();
  RedisHarness redis;
  SaleTerms terms = terms_of("s", 1);
  terms.standby = Standby::yes;
  const SaleHandle handle = create(redis, terms).sale.handle;
  reserve_all(redis.node(), names("a", 2'001));  // 1 is held, 2 to 2001 wait
  std::deque<Asked> asked;
  for (std::uint64_t number = 3; number <= 2'001; number += 3) {
    asked.emplace_back().command = Cancel{{handle, Number{number}}};
    redis.engine().submit(asked.back());
  }
  for (Asked& one : asked) redis.node().finish(one);
  std::uint64_t position = 0;
  for (std::uint64_t number = 2; number <= 2'001; ++number) {
    if (number % 3 == 0) continue;
    ++position;
    if (number % 50 != 2) continue;
    const auto answer = redis.node().ask(GetReservation{{handle, Number{number}}});
    ASSERT_EQ(answer->reservation.position, position) << number;
  }
}

TEST(RedisNodes, SellOneStockTogetherAndNumberItWithoutGaps) {
  FIRSTCOME_NEEDS_REDIS();
  RedisHarness redis;
  create(redis, terms_of("s", 1'000));
  std::vector<std::unique_ptr<RedisNode>> nodes;
  for (int i = 0; i < 3; ++i) nodes.push_back(std::make_unique<RedisNode>(options_for(redis.url())));
  std::deque<Asked> asked;
  const auto customers = names("c", 1'500);
  for (std::size_t i = 0; i < customers.size(); ++i) {
    asked.emplace_back().command = Reserve{"s", customers[i], 1, {}, key_of(customers[i])};
    nodes[i % nodes.size()]->engine().submit(asked.back());
  }
  std::set<std::uint64_t> numbers;
  std::size_t refused = 0;
  for (std::size_t i = 0; i < asked.size(); ++i) {
    nodes[i % nodes.size()]->finish(asked[i]);
    const auto& answer = asked[i].as<ReserveAnswer>();
    if (answer.outcome == Outcome::done) {
      numbers.insert(value(answer.ref.number));
    } else {
      ASSERT_EQ(answer.outcome, Outcome::sold_out_holds_pending);
      ++refused;
    }
  }
  EXPECT_EQ(numbers.size(), 1'000U);
  EXPECT_EQ(*numbers.rbegin(), 1'000U);
  EXPECT_EQ(refused, 500U);
  // What one has made, another finds by its key.
  const auto again = nodes[1]->ask(Reserve{"s", customers[0], 1, {}, key_of(customers[0])});
  EXPECT_EQ(again->outcome, Outcome::unchanged);
}

TEST(RedisNodes, CountASaleWhileOthersSell) {
  FIRSTCOME_NEEDS_REDIS();
  RedisHarness redis;
  create(redis, terms_of("s", 100'000));
  reserve_all(redis.node(), names("early", 3'000));
  RedisNode other(options_for(redis.url()));
  std::deque<Asked> asked;
  const auto late = names("late", 4'000);
  for (const std::string& customer : late) {
    asked.emplace_back().command = Reserve{"s", customer, 1, {}, {}};
    other.engine().submit(asked.back());
  }
  Asked audit;
  audit.command = AuditSale{"s"};
  redis.engine().submit(audit);
  redis.node().finish(audit);
  const AuditAnswer& counted = audit.as<AuditAnswer>();
  EXPECT_TRUE(counted.ok) << ::testing::PrintToString(counted.mismatches);
  EXPECT_GE(counted.held, 3'000);
  for (Asked& one : asked) other.finish(one);
  EXPECT_EQ(redis.node().ask(AuditSale{"s"})->held, 7'000);
}

TEST(RedisNodes, SeeASaleThatIsWrongInItsStore) {
  FIRSTCOME_NEEDS_REDIS();
  RedisHarness redis;
  const SaleHandle handle = create(redis, terms_of("s", 10)).sale.handle;
  reserve_all(redis.node(), names("a", 3));
  redis.server().command({"HDEL", engine::SaleKeys(handle).hash, "r2"});
  const auto audit = redis.node().ask(AuditSale{"s"});
  EXPECT_FALSE(audit->ok);
  EXPECT_FALSE(audit->mismatches.empty());
}

TEST(RedisNodes, GoOnWithACreationThatWasLeftHalfDone) {
  FIRSTCOME_NEEDS_REDIS();
  RedisHarness redis;
  const std::string store = redis.server().text({"HGET", "firstcome:sales", "store"});
  // As a node leaves it that dies after its first step.
  redis.server().command({"HSET", "firstcome:sales", "s:s", "7 making", "last", "7"});
  redis.server().command({"HINCRBY", "firstcome:sales", "version", "1"});
  EXPECT_EQ(redis.node().ask(GetSale{"s"})->outcome, Outcome::sale_not_found);
  EXPECT_EQ(create(redis, terms_of("s", 5)).outcome, Outcome::done);
  EXPECT_EQ(redis.node().ask(GetSale{"s"})->sale.handle, SaleHandle{7});
  EXPECT_EQ(create(redis, terms_of("s", 5)).outcome, Outcome::unchanged);
  EXPECT_EQ(create(redis, terms_of("s", 6)).outcome, Outcome::sale_exists);
}

TEST(RedisNodes, ForgetANodeThatWasNotHeardOfForAnHour) {
  FIRSTCOME_NEEDS_REDIS();
  RedisHarness redis;
  const SaleHandle handle = create(redis, terms_of("s", 10)).sale.handle;
  reserve_all(redis.node(), names("a", 1));
  redis.advance(61min);
  redis.reopen();
  reserve_all(redis.node(), names("b", 1));
  const std::string hash = engine::SaleKeys(handle).hash;
  EXPECT_EQ(redis.server().text({"HSTRLEN", hash, "N"}), "8");
}

TEST(RedisNodes, TakeANodeThatWasForgottenForNoSignOfALostAnswer) {
  FIRSTCOME_NEEDS_REDIS();
  RedisHarness redis;
  create(redis, terms_of("s", 10));
  reserve_all(redis.node(), names("a", 1));
  redis.advance(61min);
  RedisNode newcomer(options_for(redis.url()));
  reserve_all(newcomer, names("b", 1));
  reserve_all(redis.node(), names("c", 1));
  const auto figure = [&redis](std::string_view name) {
    for (const engine::EngineFigure& one : redis.engine().figures()) {
      if (one.name == name) return one.read();
    }
    return -1.0;
  };
  ASSERT_TRUE(testing::eventually([&] { return figure("firstcome_engine_operations_total") >= 3; }));
  EXPECT_EQ(figure("firstcome_engine_rollbacks_total"), 0);
}

TEST(RedisNodes, ThatCameAndWentByThousandsCostANewcomerLittle) {
  FIRSTCOME_NEEDS_REDIS();
  constexpr int gone = 2'000;
  RedisHarness redis;
  const SaleHandle handle = create(redis, terms_of("s", 100)).sale.handle;
  reserve_all(redis.node(), names("a", 1));
  const std::string hash = engine::SaleKeys(handle).hash;
  redis.server().command(
      {"EVAL",
       "local list = '' for i = 1, tonumber(ARGV[1]) do local node = string.format('%08d', i) "
       "redis.call('HSET', KEYS[1], 'n' .. node, struct.pack('<I6I6', 1, 0)) list = list .. node end "
       "redis.call('HSET', KEYS[1], 'N', redis.call('HGET', KEYS[1], 'N') .. list)",
       "1", hash, std::to_string(gone)});
  const auto known = [&] { return std::stol(redis.server().text({"HSTRLEN", hash, "N"})) / 8; };
  ASSERT_EQ(known(), gone + 1);
  redis.server().command({"CONFIG", "RESETSTAT"});
  for (int i = 0; i < 3; ++i) {
    RedisNode newcomer(options_for(redis.url()));
    reserve_all(newcomer, names("n" + std::to_string(i), 1));
  }
  EXPECT_LE(known(), gone + 1 - 3 * 15);
  const std::string stats = redis.server().text({"INFO", "commandstats"});
  const std::string_view hget = "cmdstat_hget:calls=";
  EXPECT_LT(std::stol(stats.substr(stats.find(hget) + hget.size())), 200);
}

TEST(RedisNodes, KeepNoCopyOfAPageThatWasRead) {
  FIRSTCOME_NEEDS_REDIS();
  testing::RedisServer server;
  engine::RedisEngineOptions options = options_for("redis://" + server.address());
  RedisNode node(std::move(options));
  ASSERT_TRUE(node.ask(CreateSale{terms_of("s", 1'000)}));
  reserve_all(node, names("a", 500));
  std::deque<Asked> asked;
  asked.emplace_back().command = Reserve{"s", "before", 1, {}, {}};
  asked.emplace_back().command = Reserve{"s", "beside", 1, {}, {}};
  asked.emplace_back().command = ListReservations{"s", std::nullopt, Number{}, 100};
  asked.emplace_back().command = Reserve{"s", "behind", 1, {}, {}};
  for (Asked& one : asked) node.engine().submit(one);
  for (const Asked& one : asked) node.finish(one);
  EXPECT_EQ(asked[2].as<ReservationsAnswer>().items.size(), 100U);
  const std::string hash = engine::SaleKeys(SaleHandle{1}).hash;
  const std::string name = server.text({"HGET", hash, "N"});
  ASSERT_EQ(name.size(), 8U);
  EXPECT_LT(std::stol(server.text({"HSTRLEN", hash, "n" + name})), 1'000);
}

TEST(RedisNodes, ServeASaleAgainWhoseDeletionWasLeftHalfDone) {
  FIRSTCOME_NEEDS_REDIS();
  testing::RedisServer server;
  engine::RedisEngineOptions options = options_for("redis://" + server.address());
  options.patience = 100ms;
  RedisNode node(std::move(options));
  ASSERT_TRUE(testing::eventually([&] { return node.ask(CreateSale{terms_of("s", 10)}).has_value(); }));
  ASSERT_TRUE(testing::eventually([&] { return node.ask(CreateSale{terms_of("t", 10)}).has_value(); }));
  // One whose node died before it asked the sale, and one whose node died when the keys were gone.
  server.command({"HSET", "firstcome:sales", "s:s", "1 erasing", "s:t", "2 erasing"});
  server.command({"HINCRBY", "firstcome:sales", "version", "1"});
  const engine::SaleKeys gone(SaleHandle{2});
  server.command({"DEL", gone.hash, gone.stream});
  EXPECT_TRUE(testing::eventually([&] { return server.text({"HGET", "firstcome:sales", "s:s"}) == "1 open"; }));
  EXPECT_TRUE(testing::eventually([&] { return server.text({"HEXISTS", "firstcome:sales", "s:t"}) == "0"; }));
}

TEST(RedisNodes, DoNotServeASaleAgainWhileALaterDeletionOfItGoesOn) {
  FIRSTCOME_NEEDS_REDIS();
  testing::RedisServer server;
  engine::RedisEngineOptions options = options_for("redis://" + server.address());
  options.patience = 1s;
  RedisNode node(std::move(options));
  ASSERT_TRUE(testing::eventually([&] { return node.ask(CreateSale{terms_of("s", 10)}).has_value(); }));
  const std::string store = server.text({"HGET", "firstcome:sales", "store"});
  const auto tell = [&](std::string_view phase) {
    server.command({"EVAL", engine::SaleScripts::standard().registry.text(), "1", "firstcome:sales", "phase", store,
                    "s", "1", std::string(phase)});
  };
  tell("erasing");
  const auto began = std::chrono::steady_clock::now();
  const auto until = [&](std::chrono::milliseconds since) {
    return testing::eventually([&] { return std::chrono::steady_clock::now() - began >= since; });
  };
  ASSERT_TRUE(until(4s));
  ASSERT_EQ(server.text({"HGET", "firstcome:sales", "s:s"}), "1 erasing");
  tell("open");  // between two looks of the node
  tell("erasing");
  ASSERT_TRUE(until(8s));
  EXPECT_EQ(server.text({"HGET", "firstcome:sales", "s:s"}), "1 erasing") << "that deletion is 4 s old";
  EXPECT_TRUE(testing::eventually([&] { return server.text({"HGET", "firstcome:sales", "s:s"}) == "1 open"; }));
  EXPECT_EQ(server.text({"HEXISTS", "firstcome:sales", "e:s"}), "0");
}

TEST(RedisNodes, LetGoOfSalesThatAreDeleted) {
  FIRSTCOME_NEEDS_REDIS();
  RedisHarness redis;
  for (int i = 0; i < 20; ++i) {
    const std::string id = "sale-" + std::to_string(i);
    ASSERT_TRUE(redis.node().ask(CreateSale{terms_of(id, 1)}));
    PatchSale closing;
    closing.sale = id;
    closing.state = PatchSale::State::closed;
    ASSERT_TRUE(redis.node().ask(closing));
    ASSERT_EQ(redis.node().ask(DeleteSale{id})->outcome, Outcome::done);
  }
  const auto sales = [&redis] {
    for (const engine::EngineFigure& one : redis.engine().figures()) {
      if (one.name == "firstcome_engine_sales") return one.read();
    }
    return -1.0;
  };
  EXPECT_TRUE(testing::eventually([&] {
    redis.engine().turn();
    return sales() == 0;
  })) << sales();
}

}  // namespace
}  // namespace firstcome::test
