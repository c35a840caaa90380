// A Redis that starts from its last save: no id is given twice, and what is lost is known.
#include "engine/redis/past_codec.hpp"
#include "engine/redis/selling.hpp"
#include "support/tcp_proxy.hpp"

#include <gmock/gmock.h>

#include <string>

namespace firstcome::test {
namespace {

using std::chrono::seconds;
using testing::eventually;
using ::testing::HasSubstr;
using testing::RedisServer;

class RedisPastTest : public ::testing::Test {
 protected:
  void SetUp() override {
    FIRSTCOME_NEEDS_REDIS();
    server.emplace();
    node = open();
    create_sale(*node, 100);
  }

  std::unique_ptr<RedisNode> open() const {
    engine::RedisEngineOptions options = options_for("redis://" + server->address());
    options.patience = seconds{10};
    return std::make_unique<RedisNode>(options);
  }
  static std::string id_of(RedisNode& at, ReservationRef ref) {
    const auto text = engine::ReservationIds(at.engine().identity()).encode(ref);
    return {text.begin(), text.end()};
  }
  static std::string buy(RedisNode& at, std::string_view customer) {
    return id_of(at, at.reserve(customer).value().ref);
  }
  static bool knows(RedisNode& at, const std::string& id) {
    const auto ref = engine::ReservationIds(at.engine().identity()).decode(id);
    return ref && at.ask(GetReservation{*ref}).value().outcome == Outcome::done;
  }
  static Number told(RedisNode& at, ReservationRef ref) {
    return engine::ReservationIds(at.engine().identity()).told(ref);
  }
  void save() { ASSERT_EQ(server->text({"SAVE"}), "OK"); }
  void start_from_the_save() {
    server->kill();
    server->start();
  }

  std::optional<RedisServer> server;
  std::unique_ptr<RedisNode> node;
};

TEST_F(RedisPastTest, GivesNobodyTheIdOfAnotherAndNotesWhatIsLost) {
  const std::string kept = buy(*node, "kept");
  save();
  const std::string lost = buy(*node, "lost");
  start_from_the_save();
  const ReservationRef next = node->reserve("next").value().ref;
  EXPECT_NE(id_of(*node, next), lost);
  EXPECT_EQ(told(*node, next), Number{3}) << "the second was given to the one that is lost";
  EXPECT_TRUE(knows(*node, kept));
  EXPECT_TRUE(knows(*node, id_of(*node, next)));
  EXPECT_FALSE(knows(*node, lost));

  const LossesAnswer losses = node->ask(ListLosses{}).value();
  ASSERT_EQ(losses.items.size(), 1U);
  EXPECT_EQ(losses.items[0].number_from, 2U);
  EXPECT_EQ(losses.items[0].number_upto, 2U);
  EXPECT_TRUE(eventually([&] { return !node->engine().readiness().reason.empty(); }));
  EXPECT_TRUE(node->engine().readiness().ready);
  const AuditAnswer audit = node->ask(AuditSale{"s", AuditSale::Depth::standard}).value();
  EXPECT_FALSE(audit.ok);
  EXPECT_THAT(audit.mismatches.at(0), HasSubstr("reservations 2 to 2"));
  EXPECT_EQ(node->ask(SettleLosses{"mina", "called"}).value().outcome, Outcome::done);
  EXPECT_TRUE(node->ask(AuditSale{"s", AuditSale::Depth::standard}).value().ok);
  EXPECT_EQ(node->ask(SettleLosses{"mina", "again"}).value().outcome, Outcome::unchanged);
}

TEST_F(RedisPastTest, GivesNoIdTwiceThoughNobodyRemembers) {
  buy(*node, "kept");
  save();
  const std::string lost = buy(*node, "lost");
  node.reset();
  start_from_the_save();
  node = open();
  EXPECT_NE(buy(*node, "next"), lost);
  EXPECT_FALSE(knows(*node, lost));
}

TEST_F(RedisPastTest, NotesNoLossWhereNothingIsLost) {
  const std::string kept = buy(*node, "kept");
  save();
  start_from_the_save();
  const ReservationRef next = node->reserve("next").value().ref;
  EXPECT_EQ(told(*node, next), Number{2});
  EXPECT_TRUE(knows(*node, kept));
  EXPECT_TRUE(node->ask(ListLosses{}).value().items.empty());
}

TEST_F(RedisPastTest, AllNodesTellTheSameIds) {
  const auto other = open();
  buy(*node, "kept");
  save();
  buy(*node, "lost");
  start_from_the_save();
  const ReservationRef next = node->reserve("next").value().ref;
  const ReservationRef last = other->reserve("last").value().ref;
  EXPECT_EQ(value(last.number), value(next.number) + 1);
  const auto same = [&] {
    return id_of(*node, next) == id_of(*other, next) && id_of(*node, last) == id_of(*other, last);
  };
  node->ask(GetReservation{last}).value();
  EXPECT_TRUE(same());
  EXPECT_TRUE(knows(*node, id_of(*other, last)));
}

TEST_F(RedisPastTest, NobodyReachesTheReservationOfAnotherByAnIdThatIsLost) {
  testing::TcpProxy way(server->port());
  engine::RedisEngineOptions options = options_for("redis://127.0.0.1:" + std::to_string(way.port()));
  RedisNode other(options);
  buy(*node, "kept");
  save();
  Asked cancel;
  cancel.command = Cancel{other.reserve("lost").value().ref};
  way.refuse();
  way.cut();
  start_from_the_save();
  const ReservationRef next = node->reserve("next").value().ref;
  ASSERT_EQ(next, std::get<Cancel>(cancel.command).ref);
  other.engine().submit(cancel);
  way.resume();
  other.finish(cancel);
  EXPECT_EQ(cancel.as<ReservationAnswer>().outcome, Outcome::reservation_not_found);
  EXPECT_EQ(node->ask(GetReservation{next}).value().reservation.state, ReservationState::confirmed);
}

TEST_F(RedisPastTest, ACallThatMayHaveRunIsNotMadeAgainWithTheIdOfALostPast) {
  testing::TcpProxy way(server->port());
  RedisNode other(options_for("redis://127.0.0.1:" + std::to_string(way.port())));
  buy(*node, "kept");
  save();
  Asked cancel;
  cancel.command = Cancel{other.reserve("lost").value().ref};
  way.stall_after(1, testing::TcpProxy::Direction::to_server);
  other.engine().submit(cancel);
  ASSERT_TRUE(eventually([&] { return way.standing_still() == 1; }));
  way.refuse();
  way.cut();
  start_from_the_save();
  const ReservationRef next = node->reserve("next").value().ref;
  ASSERT_EQ(next, std::get<Cancel>(cancel.command).ref);
  way.resume();
  other.finish(cancel);
  EXPECT_EQ(cancel.as<ReservationAnswer>().outcome, Outcome::reservation_not_found);
  EXPECT_EQ(node->ask(GetReservation{next}).value().reservation.state, ReservationState::confirmed);
  EXPECT_TRUE(other.reserve("later")) << "it goes on";
}

TEST_F(RedisPastTest, ACallOfAnIncarnationThatHasEndedIsRefusedThoughTheConnectionIsUp) {
  const auto other = open();
  const ReservationRef lost = other->reserve("lost").value().ref;
  const std::string id = id_of(*other, lost);
  const std::string hash = engine::SaleKeys(SaleHandle{1}).hash;
  // As if the store had gone back to before that, and another node had noted it and sold the number again: the era ends
  // with the incarnation, and what was added.
  std::string eras = server->text({"HGET", hash, "i"});
  ASSERT_GE(eras.size(), 28U);
  eras.resize(eras.size() - 28);
  eras += engine::pack_era({.sale = SaleHandle{1}, .incarnation = Incarnation{0x1234}, .added_to_number = 1});
  server->command({"HSET", hash, "i", eras});
  EXPECT_EQ(other->ask(Cancel{lost}).value().outcome, Outcome::reservation_not_found);
  EXPECT_EQ(open()->ask(GetReservation{lost}).value().reservation.state, ReservationState::confirmed);
  EXPECT_FALSE(knows(*other, id));
  EXPECT_TRUE(other->reserve("next")) << "it goes on";
}

TEST_F(RedisPastTest, TellsEventsUnderTheIncarnationThatHoldsNow) {
  buy(*node, "kept");
  save();
  buy(*node, "lost");
  const SaleHandle sale{1};
  const auto before = node->engine().identity()->incarnations()->told_sequence(sale, 3);
  start_from_the_save();
  buy(*node, "next");
  const auto after = node->engine().identity()->incarnations()->told_sequence(sale, 3);
  EXPECT_NE(after.incarnation, before.incarnation);
  EXPECT_GT(after.sequence, before.sequence);
  const OutboxAnswer outbox = node->ask(ReadOutbox{sale, 100}).value();
  EXPECT_EQ(outbox.items.size(), 3U);
}

TEST_F(RedisPastTest, AnEmptiedRedisGivesNoIdTwice) {
  const std::string lost = buy(*node, "lost");
  ASSERT_EQ(server->text({"FLUSHALL"}), "OK");
  const auto refused = node->reserve("next");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, FailureCode::store_lost);
  node.reset();
  node = open();
  create_sale(*node, 100);
  EXPECT_NE(buy(*node, "next"), lost);
  EXPECT_FALSE(knows(*node, lost));
}

// The replica has not heard of the last sale when it takes over.
TEST(RedisFailover, ThatLosesAnswersGivesNoIdTwice) {
  FIRSTCOME_NEEDS_REDIS();
  auto first = std::make_unique<RedisServer>();
  RedisServer second({.lines = {"replicaof 127.0.0.1 " + first->port_text()}});
  testing::TcpProxy way(first->port());
  RedisNode node(options_for("redis://127.0.0.1:" + std::to_string(way.port())));
  create_sale(node, 100);
  const auto id_of = [&](ReservationRef ref) {
    const auto text = engine::ReservationIds(node.engine().identity()).encode(ref);
    return std::string(text.begin(), text.end());
  };
  ASSERT_TRUE(node.reserve("kept"));
  const std::string hash = engine::SaleKeys(SaleHandle{1}).hash;
  ASSERT_TRUE(eventually([&] { return second.text({"HGET", hash, "m"}) == first->text({"HGET", hash, "m"}); }));
  ASSERT_EQ(second.text({"REPLICAOF", "NO", "ONE"}), "OK");
  const std::string lost = id_of(node.reserve("lost").value().ref);
  way.aim_at(second.port());
  first.reset();
  way.cut();
  const auto next = node.reserve("next");
  ASSERT_TRUE(next) << next.error().detail;
  EXPECT_NE(id_of(next->ref), lost);
  EXPECT_EQ(engine::ReservationIds(node.engine().identity()).told(next->ref), Number{3});
  EXPECT_EQ(node.ask(ListLosses{}).value().items.size(), 1U);
}

TEST(PastCodec, ReadsWhatItWrote) {
  Loss loss;
  loss.sale = SaleHandle{7};
  loss.sale_id = "ticket";
  const Loss of_sale = loss;
  loss.incarnation = Incarnation{0xabcdef01};
  loss.number_from = 3;
  loss.number_upto = 4;
  loss.witness = "the servers";
  loss.found_at = Instant{Milliseconds{1'790'000'000'000}};
  Loss settled = loss;
  settled.settled = {loss.found_at, "mina", "called"};
  const std::vector losses{loss, settled};
  EXPECT_EQ(engine::read_losses(engine::pack_losses(losses), of_sale), losses);
  EXPECT_FALSE(engine::read_losses(engine::pack_losses(losses).substr(1), of_sale));
  const engine::Era era{SaleHandle{7}, 2, 5, Incarnation{0x1234}, 10, 100};
  EXPECT_EQ(engine::read_eras(engine::pack_era(era), SaleHandle{7}), std::vector{era});
  EXPECT_FALSE(engine::read_eras("x", SaleHandle{7}));
}

}  // namespace
}  // namespace firstcome::test
