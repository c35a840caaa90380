// One server and its channels, as the locks see them: how long the way to it was undisturbed.
#include "net/redis/client.hpp"
#include "net/redis/loop.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>
#include <gtest/gtest.h>

#include <array>
#include <list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace firstcome::net {
namespace {

using namespace testing;
namespace asio = boost::asio;
using asio::ip::tcp;

std::string bulk(std::string_view text) {
  return "$" + std::to_string(text.size()) + "\r\n" + std::string(text) + "\r\n";
}
std::string about_channel(std::string_view what, std::string_view channel, int left) {
  return "*3\r\n" + bulk(what) + bulk(channel) + ":" + std::to_string(left) + "\r\n";
}

/// Greets, confirms subscriptions, and ends one by itself, as proxies before Redis do.
class MoodyServer {
 public:
  explicit MoodyServer(asio::io_context& io) : acceptor_(io, tcp::endpoint(asio::ip::address_v4::loopback(), 0)) {
    accept();
  }

  std::uint16_t port() const { return acceptor_.local_endpoint().port(); }

  /// REQUIRES: it was subscribed.
  void end_subscription(std::string_view channel) { say(*subscriber_, about_channel("unsubscribe", channel, 1)); }

 private:
  struct Peer {
    explicit Peer(tcp::socket accepted) : socket(std::move(accepted)) {}
    tcp::socket socket;
    std::array<char, 4'096> bytes{};
  };

  void accept() {
    acceptor_.async_accept([this](boost::system::error_code error, tcp::socket socket) {
      if (error) return;
      hear(peers_.emplace_back(std::move(socket)));
      accept();
    });
  }

  void hear(Peer& peer) {
    peer.socket.async_read_some(asio::buffer(peer.bytes),
                                [this, &peer](boost::system::error_code error, std::size_t size) {
                                  if (error) return;
                                  answer(peer, std::string_view(peer.bytes.data(), size));
                                  hear(peer);
                                });
  }

  /// Who has subscribed is greeted in another form.
  void answer(Peer& peer, std::string_view asked) {
    for (const std::string_view channel : {"first", "second"}) {
      if (asked.find(channel) == asked.npos) continue;
      subscriber_ = &peer;
      say(peer, about_channel("subscribe", channel, 1));
    }
    if (asked.find("PING") == asked.npos) return;
    say(peer, &peer == subscriber_ ? "*2\r\n" + bulk("pong") + bulk("") : "+PONG\r\n");
  }

  static void say(Peer& peer, const std::string& bytes) { asio::write(peer.socket, asio::buffer(bytes)); }

  tcp::acceptor acceptor_;
  std::list<Peer> peers_;
  Peer* subscriber_ = nullptr;
};

TEST(RedisSingleClient, TrustsTheOtherChannelsWhereTheServerEndsOne) {
  Loop loop;
  MoodyServer server(loop.io());
  std::vector<std::string> dropped;
  RedisClientEvents events;
  events.dropped = [&dropped](const std::string& channel) { dropped.push_back(channel); };
  const auto client = make_redis_client(loop.executor(), at_port(server.port()), std::move(events));
  for (const std::string channel : {"first", "second"}) {
    ASSERT_EQ(loop.subscribed([&](RedisSubscribed done) { client->subscribe(channel, in(10s), std::move(done)); }), "");
  }
  ASSERT_TRUE(loop.run_until([&] { return client->settled_since("k") <= steady_clock::now(); }));
  const auto before = steady_clock::now();
  server.end_subscription("first");
  ASSERT_TRUE(loop.run_until([&] { return !dropped.empty(); }));
  EXPECT_EQ(dropped, std::vector<std::string>{"first"});
  EXPECT_GE(client->settled_since("k"), before);
  EXPECT_LE(client->settled_since("k"), steady_clock::now()) << "as if the second were not heard either";
}

}  // namespace
}  // namespace firstcome::net
