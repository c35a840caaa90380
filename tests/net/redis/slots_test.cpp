#include "net/redis/slots.hpp"

#include <gtest/gtest.h>

#include <string>

namespace firstcome::net {
namespace {

using namespace std::chrono_literals;

using Type = RedisReply::Type;
using What = RedisVerdict::What;

RedisReply number(std::int64_t value) { return {.type = Type::integer, .integer = value}; }
RedisReply text(std::string value) { return {.type = Type::text, .text = std::move(value)}; }
RedisReply array(std::vector<RedisReply> all) { return {.type = Type::array, .elements = std::move(all)}; }

RedisReply range(std::int64_t first, std::int64_t last, std::string host, std::int64_t port) {
  const RedisReply replica = array({text("9.9.9.9"), number(1), text("id")});
  return array({number(first), number(last), array({text(std::move(host)), number(port), text("id")}), replica});
}

const RedisAddress asked{"10.0.0.1", 7000};

TEST(RedisSlots, AreThoseOfTheSpecification) {
  EXPECT_EQ(key_slot("123456789"), 0x31C3U);
  EXPECT_EQ(key_slot("foo"), 12'182U);
  EXPECT_EQ(key_slot("bar"), 5'061U);
  EXPECT_EQ(key_slot(""), 0U);
}

TEST(RedisSlots, LookOnlyAtTheHashTag) {
  EXPECT_EQ(key_slot("{foo}.a"), key_slot("foo"));
  EXPECT_EQ(key_slot("a{foo}b{bar}"), key_slot("foo"));
  EXPECT_EQ(key_slot("foo{{bar}}zap"), key_slot("{bar"));
  EXPECT_NE(key_slot("foo{}{bar}"), key_slot("bar"));  // the first tag is empty: the whole key
  EXPECT_NE(key_slot("foo{bar"), key_slot("bar"));
  EXPECT_EQ(key_slot("}{foo}"), key_slot("foo"));
}

TEST(RedisSlotMap, KnowsTheMasterOfEachSlot) {
  const auto map = RedisSlotMap::read(
      array({range(0, 5'460, "10.0.0.1", 7000), range(5'461, 10'922, "", 7001), range(10'924, 16'383, "?", 7002)}),
      asked);
  ASSERT_TRUE(map) << map.error();
  EXPECT_EQ(*map->owner(0), (RedisAddress{"10.0.0.1", 7000}));
  EXPECT_EQ(*map->owner(5'460), (RedisAddress{"10.0.0.1", 7000}));
  EXPECT_EQ(*map->owner(5'461), (RedisAddress{"10.0.0.1", 7001}));
  EXPECT_EQ(map->owner(10'923), nullptr);
  EXPECT_EQ(*map->owner(16'383), (RedisAddress{"10.0.0.1", 7002}));
  EXPECT_EQ(map->masters().size(), 3U);
}

constexpr RedisSlotMap::TimePoint start{};

RedisSlotMap map_of(const RedisReply& reply) { return RedisSlotMap::read(reply, asked).value(); }

TEST(RedisSlotMap, LearnsFromMoved) {
  RedisSlotMap map = map_of(array({range(0, 1, "a", 1)}));
  map.learn(0, {"b", 2}, start);
  map.learn(7, {"b", 2}, start);
  EXPECT_EQ(map.owner(0)->host, "b");
  EXPECT_EQ(map.owner(1)->host, "a");
  EXPECT_EQ(map.owner(7)->host, "b");
  map.learn(1, {"b", 2}, start);
  EXPECT_EQ(map.masters(), (std::set<RedisAddress>{{"b", 2}}));
}

TEST(RedisSlotMap, KeepsWhatMovedSaidWhereAMapIsStillTheOldOne) {
  const RedisReply stale = array({range(0, 9, "a", 1), range(10, 19, "c", 3)});
  RedisSlotMap map = map_of(stale);
  map.learn(0, {"b", 2}, start);
  map.adopt(map_of(stale), start + 1s);
  EXPECT_EQ(map.owner(0)->host, "b");
  EXPECT_EQ(map.owner(1)->host, "a");
  EXPECT_EQ(map.owner(10)->host, "c");
  map.adopt(map_of(stale), start + 4s);
  EXPECT_EQ(map.owner(0)->host, "b") << "a second stale map has won";
  map.adopt(map_of(stale), start + 6s);
  EXPECT_EQ(map.owner(0)->host, "a") << "by now every node must know";
}

TEST(RedisSlotMap, FollowsAMapThatKnowsMoreThanMoved) {
  RedisSlotMap map = map_of(array({range(0, 9, "a", 1)}));
  map.learn(0, {"b", 2}, start);
  map.adopt(map_of(array({range(0, 9, "b", 2)})), start + 1s);
  map.adopt(map_of(array({range(0, 9, "c", 3)})), start + 2s);
  EXPECT_EQ(map.owner(0)->host, "c") << "it was confirmed, and has moved on since";
}

TEST(RedisSlotMap, ForgetsWhatMovedSaidOfAServerThatIsGone) {
  RedisSlotMap map = map_of(array({range(0, 9, "a", 1)}));
  map.learn(0, {"b", 2}, start);
  map.forget_learnt({"b", 2});
  map.adopt(map_of(array({range(0, 9, "a", 1)})), start + 1s);
  EXPECT_EQ(map.owner(0)->host, "a");
}

TEST(RedisSlotMap, RefusesWhatIsNoAnswer) {
  EXPECT_FALSE(RedisSlotMap::read(text("x"), asked));
  EXPECT_FALSE(RedisSlotMap::read(array({}), asked));
  EXPECT_FALSE(RedisSlotMap::read(array({number(1)}), asked));
  EXPECT_FALSE(RedisSlotMap::read(array({range(0, 16'384, "a", 1)}), asked));
  EXPECT_FALSE(RedisSlotMap::read(array({range(5, 4, "a", 1)}), asked));
  EXPECT_FALSE(RedisSlotMap::read(array({range(-1, 4, "a", 1)}), asked));
  EXPECT_FALSE(RedisSlotMap::read(array({range(0, 4, "a", 0)}), asked));
  EXPECT_FALSE(RedisSlotMap::read(array({range(0, 4, "a", 70'000)}), asked));
}

RedisVerdict on(std::string error) { return judge(refused(std::move(error)), asked); }

TEST(RedisVerdict, FollowsRedirections) {
  const RedisVerdict moved = on("MOVED 3999 127.0.0.1:6381");
  EXPECT_EQ(moved.what, What::moved);
  EXPECT_EQ(moved.slot, 3'999U);
  EXPECT_EQ(moved.address, (RedisAddress{"127.0.0.1", 6381}));
  const RedisVerdict ask = on("ASK 16383 ::1:6381");
  EXPECT_EQ(ask.what, What::ask);
  EXPECT_EQ(ask.address, (RedisAddress{"::1", 6381}));
  EXPECT_EQ(on("MOVED 1 :7009").address, (RedisAddress{"10.0.0.1", 7009}));
}

TEST(RedisVerdict, GivesTheCallerRedirectionsThatAreNone) {
  for (const char* error : {"MOVED", "MOVED x a:1", "MOVED 16384 a:1", "MOVED 1", "MOVED 1 a", "ASK 1 a:0", "ASK 1 a:x",
                            "MOVED 1 a:99999"}) {
    EXPECT_EQ(on(error).what, What::give) << error;
  }
}

TEST(RedisVerdict, WaitsWhereTheClusterIsNotReadyAndTheCommandDidNotRun) {
  EXPECT_EQ(on("TRYAGAIN Multiple keys request during rehashing of slot").what, What::again);
  EXPECT_EQ(on("CLUSTERDOWN The cluster is down").what, What::refresh);
  EXPECT_EQ(on("LOADING Redis is loading the dataset in memory").what, What::refresh);
  EXPECT_EQ(judge({.kind = RedisFailure::Kind::not_sent, .code = "down", .detail = ""}, asked).what, What::refresh);
}

TEST(RedisVerdict, LeavesTheRestToTheCaller) {
  EXPECT_EQ(on("WRONGTYPE Operation against a key").what, What::give);
  EXPECT_EQ(on("READONLY You can't write").what, What::give);
  using Kind = RedisFailure::Kind;
  EXPECT_EQ(judge({.kind = Kind::unknown, .detail = ""}, asked).what, What::give);
  EXPECT_EQ(judge({.kind = Kind::timed_out, .detail = ""}, asked).what, What::give);
  EXPECT_EQ(judge({.kind = Kind::not_sent, .code = "full", .detail = ""}, asked).what, What::give);
  EXPECT_EQ(judge({.kind = Kind::not_sent, .code = "late", .detail = ""}, asked).what, What::give);
}

}  // namespace
}  // namespace firstcome::net
