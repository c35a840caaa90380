#include "lock/redis/late_arrivals.hpp"

#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <vector>

namespace firstcome::lock {
namespace {

using namespace std::chrono_literals;

struct LateArrivalsTest : ::testing::Test {
  boost::asio::io_context io;
  std::vector<std::string> looked;
  LateArrivals late{io.get_executor(), [this](const LateArrivals::Owned& owned, std::move_only_function<void()> done) {
                      looked.push_back(owned.name + " " + owned.owner);
                      done();
                    }};
};

TEST_F(LateArrivalsTest, LooksSeveralTimesAndThenSaysSo) {
  const auto begin = std::chrono::steady_clock::now();
  bool done = false;
  late.look_for({"a", "me:1"}, [&done] { done = true; });
  EXPECT_TRUE(looked.empty());  // that was just done
  io.run();
  EXPECT_TRUE(done);
  ASSERT_GE(looked.size(), 3U);
  for (const std::string& one : looked) EXPECT_EQ(one, "a me:1");
  EXPECT_GE(std::chrono::steady_clock::now() - begin, 1s);
}

TEST_F(LateArrivalsTest, LooksForSeveralAtOnce) {
  int done = 0;
  for (const char* owner : {"me:1", "me:2", "me:3"}) late.look_for({"a", owner}, [&done] { ++done; });
  io.run();
  EXPECT_EQ(done, 3);
  EXPECT_EQ(looked.size() % 3, 0U);
}

TEST_F(LateArrivalsTest, EndsAtOnceAndAnswersAll) {
  int done = 0;
  late.look_for({"a", "me:1"}, [&done] { ++done; });
  late.look_for({"b", "me:2"});
  late.close();
  EXPECT_EQ(done, 1);
  late.look_for({"c", "me:3"}, [&done] { ++done; });
  EXPECT_EQ(done, 2);
  io.run();
  EXPECT_TRUE(looked.empty());
}

}  // namespace
}  // namespace firstcome::lock
