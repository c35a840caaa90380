#include "net/test_server.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <vector>

namespace firstcome::net::testing {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool sanitized = true;
#else
constexpr bool sanitized = false;
#endif

/// Sets the soft limit of open files while it lives.
class OpenFiles {
 public:
  OpenFiles() { ::getrlimit(RLIMIT_NOFILE, &before_); }
  ~OpenFiles() { ::setrlimit(RLIMIT_NOFILE, &before_); }

  rlim_t set(rlim_t wanted) {
    rlimit now = before_;
    now.rlim_cur = std::min(wanted, before_.rlim_max);
    ::setrlimit(RLIMIT_NOFILE, &now);
    return now.rlim_cur;
  }

 private:
  rlimit before_{};
};

TEST(HttpLimits, TellsOneConnectionTooManySoAndServesTheOthers) {
  HttpServerOptions options;
  options.connections = 2;
  TestServer server{options};
  RawClient first{server.port()};
  RawClient second{server.port()};
  ASSERT_TRUE(first.send(get("/echo")));
  ASSERT_EQ(first.reply().status, 200U);
  ASSERT_TRUE(second.send(get("/echo")));
  ASSERT_EQ(second.reply().status, 200U);
  for (int i = 0; i < 200; ++i) {  // more than are kept to be told so
    RawClient third{server.port()};
    third.send(get("/echo"));
    const Reply reply = third.reply();
    ASSERT_EQ(reply.status, 503U);
    EXPECT_TRUE(reply.has("Connection: close\r\n"));
    EXPECT_TRUE(third.ended());
  }
  EXPECT_EQ(server.handler.handled, 2);
  EXPECT_GE(server.counters().refused, 200U);
  second.close();
  ASSERT_TRUE(eventually([&] { return server.counters().connections <= 1; }));
  RawClient fourth{server.port()};
  ASSERT_TRUE(fourth.send(get("/echo")));
  EXPECT_EQ(fourth.reply().status, 200U);
  ASSERT_TRUE(first.send(get("/echo")));
  EXPECT_EQ(first.reply().status, 200U);
}

TEST(HttpLimits, KeepsNoMoreForSlowReadersThanFits) {
  constexpr std::size_t size = 40'000'000;
  HttpServerOptions options;
  options.unsent_bytes = 50'000'000;
  TestServer server{options};
  RawClient slow{server.port(), 4096};
  ASSERT_TRUE(slow.send(get("/big?" + std::to_string(size))));
  ASSERT_TRUE(slow.readable_within(patience));
  RawClient one_too_many{server.port(), 4096};
  ASSERT_TRUE(one_too_many.send(get("/big?" + std::to_string(size))));
  EXPECT_EQ(one_too_many.reply().status, 0U) << "cut off";
  EXPECT_EQ(server.counters().cut_off, 1U);
  EXPECT_EQ(slow.reply().body.size(), size);
  RawClient next{server.port(), 4096};
  ASSERT_TRUE(next.send(get("/big?" + std::to_string(size))));
  EXPECT_EQ(next.reply().body.size(), size) << "the room is given back";
}

TEST(HttpLimits, AcceptsAgainAfterThereWereNoFileDescriptors) {
  TestServer server;
  RawClient early{server.port()};
  ASSERT_TRUE(early.send(get("/echo")));
  ASSERT_EQ(early.reply().status, 200U);

  OpenFiles limit;
  limit.set(256);
  std::vector<FileDescriptor> hogs;
  for (;;) {
    FileDescriptor hog{::open("/dev/null", O_RDONLY | O_CLOEXEC)};
    if (!hog) break;
    hogs.push_back(std::move(hog));
  }
  ASSERT_FALSE(hogs.empty());
  hogs.pop_back();  // for the client's socket; none is left for the server's
  RawClient late{server.port()};
  ASSERT_TRUE(late.connected());
  ASSERT_TRUE(late.send(get("/echo")));
  ASSERT_TRUE(eventually([&] { return server.counters().accept_errors > 0; }));

  ASSERT_TRUE(early.send(get("/echo")));
  EXPECT_EQ(early.reply().status, 200U) << "others are served meanwhile";
  const int turns = server.handler.turns;
  EXPECT_FALSE(late.readable_within(350ms));
  EXPECT_LE(server.handler.turns - turns, 10) << "it looks for a descriptor now and then, not all the time";

  hogs.clear();
  EXPECT_EQ(late.reply().status, 200U);
  EXPECT_EQ(server.counters().connections, 2U);
}

TEST(HttpLimits, AcceptsAtOnceWhenAConnectionMakesRoom) {
  TestServer server;
  RawClient early{server.port()};
  ASSERT_TRUE(early.send(get("/echo")));
  ASSERT_EQ(early.reply().status, 200U);
  OpenFiles limit;
  limit.set(256);
  std::vector<FileDescriptor> hogs;
  for (;;) {
    FileDescriptor hog{::open("/dev/null", O_RDONLY | O_CLOEXEC)};
    if (!hog) break;
    hogs.push_back(std::move(hog));
  }
  hogs.pop_back();
  RawClient late{server.port()};
  ASSERT_TRUE(late.send(get("/echo")));
  ASSERT_TRUE(eventually([&] { return server.counters().accept_errors > 0; }));
  early.send_no_more();  // the server's end goes; the client's end does not
  EXPECT_EQ(late.reply().status, 200U);
}

std::size_t resident_bytes() {
  std::ifstream statm{"/proc/self/statm"};
  std::size_t total = 0;
  std::size_t resident = 0;
  statm >> total >> resident;
  return resident * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

/// In a process of its own, for it needs as many descriptors as the server: opens connections, makes one request on
/// each, says how many it holds, and holds them until it is ended.
[[noreturn]] void hold_connections(std::uint16_t port, int count, int tell) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  std::vector<RawClient> clients;
  clients.reserve(static_cast<std::size_t>(count));
  int held = 0;
  for (int i = 0; i < count; ++i) {
    clients.emplace_back(port);
    if (!clients.back().send(get("/echo")) || clients.back().reply().status != 200) break;
    ++held;
  }
  [[maybe_unused]] const ssize_t told = ::write(tell, &held, sizeof held);
  for (;;) ::pause();
}

TEST(HttpLimits, ServesBesideTenThousandIdleConnections) {
  OpenFiles limit;
  const int count = static_cast<int>(std::min<rlim_t>(10'000, limit.set(10'500) - 200));
  if (count < 10'000) std::printf("only %d idle connections: no more open files are allowed here\n", count);
  TestHandler handler;
  HttpServer server{{}, handler, handler};
  int pipe[2];
  ASSERT_EQ(::pipe(pipe), 0);
  const FileDescriptor told{pipe[0]};
  const FileDescriptor tell{pipe[1]};
  const pid_t child = ::fork();  // before there is a second thread
  if (child == 0) hold_connections(server.port(), count, tell.get());
  ASSERT_GT(child, 0);

  const std::size_t before = resident_bytes();
  std::thread thread{[&] { server.run(); }};
  int held = 0;
  EXPECT_EQ(::read(told.get(), &held, sizeof held), static_cast<ssize_t>(sizeof held));
  EXPECT_EQ(held, count);
  const std::size_t each = (resident_bytes() - before) / static_cast<std::size_t>(count);
  RecordProperty("bytes_per_idle_connection", static_cast<int>(each));
  EXPECT_LE(each, sanitized ? 4096U : 1024U);

  RawClient client{server.port()};
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(client.send(get("/echo")));
    ASSERT_EQ(client.reply().status, 200U);
  }
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  server.stop();
  thread.join();
}

}  // namespace
}  // namespace firstcome::net::testing
