#include "interop/cpp_peer.hpp"

#include "lock/redis/redisson.hpp"

#include <firstcome/lock_mutex.hpp>

#include <gtest/gtest.h>
#include <hiredis/hiredis.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <sstream>
#include <string>

namespace firstcome::interop {

namespace {

using namespace std::chrono_literals;

constexpr const char* variable = "FIRSTCOME_INTEROP_PEER";
constexpr const char* prefix = "peer says ";

void say(const std::string& word) {
  const std::string line = prefix + word + "\n";
  if (::write(1, line.data(), line.size()) < 0) std::_Exit(3);
}

/// Plain reads and writes, as far from atomic as they come.
class Values {
 public:
  explicit Values(std::uint16_t port) : context_(redisConnect("127.0.0.1", port)) {
    if (context_ == nullptr || context_->err != 0) std::_Exit(4);
  }
  ~Values() { redisFree(context_); }
  Values(const Values&) = delete;
  Values& operator=(const Values&) = delete;

  std::string get(const char* key) { return ask("GET %s", key, ""); }
  void set(const char* key, const std::string& value) { ask("SET %s %s", key, value.c_str()); }

 private:
  std::string ask(const char* format, const char* key, const char* value) {
    auto* reply = static_cast<redisReply*>(redisCommand(context_, format, key, value));
    if (reply == nullptr) std::_Exit(5);
    const std::string text = reply->str == nullptr ? "" : std::string(reply->str, reply->len);
    freeReplyObject(reply);
    return text;
  }

  redisContext* context_;
};

int increment(Values& values, Lock* lock, int turns) {
  const std::string me = "cpp-" + std::to_string(::getpid());
  int hand_overs = 0;
  for (int i = 0; i < turns; ++i) {
    std::optional<Acquired> acquired;
    if (lock != nullptr) acquired = acquire_blocking(*lock, {.wait = 60s});
    if (acquired && !*acquired) std::_Exit(6);
    const int seen = std::stoi(values.get("counter"));
    if (values.get("counter:last") != me) ++hand_overs;
    values.set("counter:last", me);
    values.set("counter", std::to_string(seen + 1));
    if (acquired && release_blocking(std::move(**acquired)) != ReleaseOutcome::released) std::_Exit(7);
  }
  return hand_overs;
}

// Not a test: one of the processes.
TEST(InteropChild, DISABLED_Works) {
  const char* const given = std::getenv(variable);
  if (given == nullptr) GTEST_SKIP() << "started by other tests only";
  std::istringstream words(given);
  std::uint16_t port = 0;
  int work = 0;
  int turns = 0;
  words >> port >> work >> turns;
  const auto url = net::parse_redis_url("redis://127.0.0.1:" + std::to_string(port));
  const auto space = lock::make_lock_space(lock::make_redisson_locks(*url).value(), {});
  const auto lock = space->lock("shared");
  if (static_cast<CppWork>(work) == CppWork::hold) {
    const Acquired lease = acquire_blocking(*lock, {.wait = 20s, .lease = 1'500ms});
    if (!lease) std::_Exit(8);
    say("locked");
    ::pause();
  }
  Values values(port);
  const bool locked = static_cast<CppWork>(work) == CppWork::increment;
  say(std::to_string(increment(values, locked ? lock.get() : nullptr, turns)));
}

}  // namespace

std::unique_ptr<testing::ChildProcess> start_cpp_peer(std::uint16_t port, CppWork work, int turns) {
  testing::ChildOptions options;
  options.program = std::filesystem::read_symlink("/proc/self/exe");
  options.arguments = {"--gtest_filter=InteropChild.*", "--gtest_also_run_disabled_tests", "--gtest_brief=1"};
  options.environment = {std::string(variable) + "=" + std::to_string(port) + " " +
                         std::to_string(static_cast<int>(work)) + " " + std::to_string(turns)};
  return std::make_unique<testing::ChildProcess>(std::move(options));
}

std::string line_of(testing::ChildProcess& peer) {
  while (const std::optional<std::string> line = peer.read_line(120s)) {
    if (line->starts_with(prefix)) return line->substr(std::string_view(prefix).size());
  }
  return "(none)";
}

}  // namespace firstcome::interop
