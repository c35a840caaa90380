#include "net/host_lookup.hpp"

#include "net/find_host.hpp"
#include "net/redis/connection.hpp"
#include "net/redis/url.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <exception>
#include <future>
#include <memory>
#include <optional>
#include <string>

namespace firstcome::net {
namespace {

using namespace std::chrono_literals;

/// A name server that says nothing until it is told to.
class SilentNameServer {
 public:
  ~SilentNameServer() {
    if (!spoken_) speak();
  }
  LookUpHost look_up() {
    return [silence = silence_, asked = asked_](const std::string&) {
      ++*asked;
      silence.wait();
      return HostAddresses{.error = {}, .addresses = {boost::asio::ip::make_address("127.0.0.1")}};
    };
  }
  void speak() {
    spoken_ = true;
    speech_.set_value();
  }
  int asked() const { return *asked_; }

 private:
  bool spoken_ = false;
  std::promise<void> speech_;
  std::shared_future<void> silence_{speech_.get_future()};
  std::shared_ptr<std::atomic<int>> asked_ = std::make_shared<std::atomic<int>>(0);
};

TEST(HostLookup, FindsTheAddressesOfAHost) {
  boost::asio::io_context io;
  std::optional<HostAddresses> found;
  const HostLookup lookup(io.get_executor(), "localhost", [&](HostAddresses given) { found = std::move(given); });
  io.run();
  ASSERT_TRUE(found);
  EXPECT_FALSE(found->error) << found->error.message();
  ASSERT_FALSE(found->addresses.empty());
  EXPECT_TRUE(found->addresses[0].is_loopback());
}

TEST(HostLookup, SaysThatAHostIsNotKnown) {
  boost::asio::io_context io;
  std::optional<HostAddresses> found;
  const HostLookup lookup(io.get_executor(), "no-such-host.invalid",
                          [&](HostAddresses given) { found = std::move(given); });
  io.run();
  ASSERT_TRUE(found);
  EXPECT_TRUE(found->error);
  EXPECT_TRUE(found->addresses.empty());
}

TEST(HostLookup, IsGivenUpWhileTheNameServerIsSilent) {
  SilentNameServer names;
  bool told = false;
  {
    boost::asio::io_context io;
    {
      const HostLookup lookup(
          io.get_executor(), "silent-1.test", [&](const HostAddresses&) { told = true; }, names.look_up());
    }
    io.run();  // nothing is left to wait for
  }
  names.speak();
  EXPECT_FALSE(told);
}

TEST(HostLookup, IsSharedByThoseWhoAskForTheSameHost) {
  SilentNameServer names;
  boost::asio::io_context io;
  int told = 0;
  const auto found = [&](const HostAddresses& given) { told += static_cast<int>(given.addresses.size()); };
  const HostLookup first(io.get_executor(), "silent-2.test", found, names.look_up());
  const HostLookup second(io.get_executor(), "silent-2.test", found, names.look_up());
  names.speak();
  io.run();
  EXPECT_EQ(told, 2);
  EXPECT_EQ(names.asked(), 1);
}

HostAddresses found_by(std::chrono::milliseconds patience, LookUpHost look_up) {
  boost::asio::io_context io;
  std::optional<HostAddresses> result;
  boost::asio::co_spawn(io.get_executor(),
                        find_host("silent-4.test", std::chrono::steady_clock::now() + patience, look_up),
                        [&](const std::exception_ptr&, HostAddresses found) { result = std::move(found); });
  io.run();
  return result.value();
}

TEST(FindHost, EndsAtItsDeadline) {
  SilentNameServer names;
  EXPECT_EQ(found_by(20ms, names.look_up()).error, boost::asio::error::timed_out);
}

TEST(FindHost, FindsTheAddressesOfAHost) {
  SilentNameServer names;
  names.speak();
  EXPECT_EQ(found_by(20s, names.look_up()).addresses.size(), 1U);
}

TEST(HostLookup, DoesNotKeepAConnectionToRedisFromEnding) {
  SilentNameServer names;
  boost::asio::io_context io;
  std::optional<RedisResult> result;
  {
    RedisConnection connection(io.get_executor(), {.address = {.host = "silent-3.test"}},
                               {.connect_timeout = 50ms, .look_up = names.look_up()});
    connection.execute(RedisCommand("PING"), std::chrono::steady_clock::now() + 20s,
                       [&](RedisResult given) { result = std::move(given); });
    while (!result) io.run_one();
  }
  io.run();
  ASSERT_FALSE(*result);
  EXPECT_NE(result->error().detail.find("silent-3.test"), std::string::npos) << result->error().detail;
}

}  // namespace
}  // namespace firstcome::net
