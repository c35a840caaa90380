#include "lock_server.hpp"

#include "net/redis/client.hpp"

#include <fmt/core.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <random>
#include <sstream>
#include <stdexcept>
#include <thread>

extern char** environ;  // NOLINT(readability-redundant-declaration): POSIX says to declare it

namespace firstcome::bench {
namespace {

using namespace std::chrono_literals;
using Steady = std::chrono::steady_clock;

/// One command over a connection of its own; empty where there is no server.
std::string ask(const std::string& url, net::RedisCommand command) {
  boost::asio::io_context io(1);
  auto client = net::make_redis_client(io.get_executor(), *net::parse_redis_url(url));
  std::string text;
  (*client)->execute("", std::move(command), Steady::now() + 2s, [&](const net::RedisResult& result) {
    if (result) text = result->text;
    client->reset();
    io.stop();
  });
  io.run();
  return text;
}

constexpr std::string_view prefix = "cmdstat_";

bool is_one_of(std::string_view name, std::initializer_list<std::string_view> names) {
  return std::ranges::find(names, name) != names.end();
}

/// The number behind `name` up to anything else.
double number_after(const std::string& text, std::string_view name) {
  const std::size_t at = text.find(name);
  return at == text.npos ? 0 : std::strtod(text.c_str() + at + name.size(), nullptr);
}

}  // namespace

Worker::Worker(const std::vector<std::string>& command) {
  std::vector<char*> arguments;
  for (const std::string& argument : command) arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);
  const int error = ::posix_spawnp(&pid_, arguments.front(), nullptr, nullptr, arguments.data(), environ);
  if (error != 0) throw std::runtime_error(fmt::format("{}: {}", command.front(), std::strerror(error)));
}

Worker::~Worker() {
  if (pid_ < 0) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

bool Worker::runs() const { return pid_ >= 0 && ::kill(pid_, 0) == 0; }

void Worker::wait() {
  int status = 0;
  for (const auto until = Steady::now() + 60s; ::waitpid(pid_, &status, WNOHANG) == 0;) {
    if (Steady::now() > until) throw std::runtime_error("a process of the crowd did not end");
    std::this_thread::sleep_for(2ms);
  }
  pid_ = -1;
  if (status != 0) throw std::runtime_error(fmt::format("a process of the crowd failed (status {})", status));
}

LockServer::LockServer() {
  std::string name = (std::filesystem::temp_directory_path() / "firstcome-locks-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("no temporary folder");
  folder_ = name;
  std::random_device random;
  for (int attempt = 0; attempt < 5; ++attempt)
    if (start(static_cast<std::uint16_t>(20'000 + random() % 20'000))) return;
  throw std::runtime_error("redis-server does not start");
}

LockServer::~LockServer() {
  process_.clear();
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

bool LockServer::start(std::uint16_t port) {
  process_.clear();
  process_.emplace_back(std::vector<std::string>{"redis-server", "--port", std::to_string(port), "--bind", "127.0.0.1",
                                                 "--save", "", "--dir", folder_.string(), "--logfile",
                                                 (folder_ / "log").string()});
  url_ = fmt::format("redis://127.0.0.1:{}", port);
  for (const auto until = Steady::now() + 5s; Steady::now() < until && process_.front().runs();) {
    if (!ask(url_, net::RedisCommand("PING")).empty()) return true;
    std::this_thread::sleep_for(20ms);
  }
  return false;
}

ServerCounts LockServer::counts() const {
  const std::string commands = ask(url_, net::RedisCommand("INFO", "commandstats"));
  const std::string cpu = ask(url_, net::RedisCommand("INFO", "cpu"));
  ServerCounts counts;
  // Lines `cmdstat_NAME:calls=NUMBER,...`. Calls inside scripts stand in the same statistics.
  std::istringstream lines(commands);
  for (std::string line; std::getline(lines, line);) {
    const std::size_t end = line.find(":calls=");
    if (!line.starts_with(prefix) || end == line.npos) continue;
    const std::string name = line.substr(prefix.size(), end - prefix.size());
    const std::uint64_t calls = std::strtoull(line.c_str() + end + 7, nullptr, 10);
    if (is_one_of(name, {"eval", "evalsha"})) {
      counts.scripts += calls;
    } else if (is_one_of(name, {"subscribe", "unsubscribe"})) {
      counts.subscriptions += calls;
    } else if (name == "set") {
      counts.sets += calls;
    } else if (name.find('|') == name.npos && !is_one_of(name, {"info", "ping", "hello", "auth", "select", "role"})) {
      counts.others += calls;
    }
  }
  counts.cpu_seconds = number_after(cpu, "used_cpu_sys:") + number_after(cpu, "used_cpu_user:");
  return counts;
}

}  // namespace firstcome::bench
