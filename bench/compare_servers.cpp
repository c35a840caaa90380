// Starts the servers that a comparison needs, runs `firstcome rush compare` with their addresses, and stops them.
//
//     bench_compare_servers PROGRAM [arguments of `firstcome rush compare`]
//
// PostgreSQL, MariaDB, Redis, three Redis for Redlock, and Kafka: on free ports, in temporary folders, all of them with
// the durability that a shop would want (its log is synced at each commit). With --quick only the Redis servers. What
// is not installed is left out, and said so. A Redis that is killed meanwhile (--fault kill-redis) is started again.
// Ends with the exit code of the comparison.
#include "support/kafka_server.hpp"
#include "support/redis_server.hpp"
#include "support/sql_server.hpp"

#include <fmt/format.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace {

using namespace firstcome::testing;
using namespace std::chrono_literals;

/// Java's own compilers, all of them: it runs for long.
const KafkaServerOptions as_usual{.java_arguments = {}};

constexpr int killed_by = 128;
constexpr int unavailable = 69;

/// The servers, and what the comparison is told of them.
class Servers {
 public:
  enum class Which : std::uint8_t { redis_only, all };

  explicit Servers(Which which) {
    start("Redis", redis_is_installed(), [this] { start_redis(); });
    if (which == Which::redis_only) return;
    start("PostgreSQL", PostgresServer::is_installed(), [this] {
      postgres_ = std::make_unique<PostgresServer>(Sync::at_each_commit);
      tell("--postgresql", postgres_->url(), "postgresql", postgres_->pid());
    });
    start("MariaDB", MariadbServer::is_installed(), [this] {
      mariadb_ = std::make_unique<MariadbServer>(Sync::at_each_commit);
      tell("--mysql", mariadb_->url(), "mariadb", mariadb_->pid());
    });
    start("Kafka", fetch_kafka().empty(), [this] {
      kafka_ = std::make_unique<KafkaServer>(as_usual);
      tell("--kafka", kafka_->url(), "kafka", kafka_->pid());
    });
  }

  const std::vector<std::string>& arguments() const { return arguments_; }

  /// Starts Redis again where somebody has killed it.
  void heal() {
    if (!redis_) return;
    siginfo_t ended{};
    const auto pid = static_cast<id_t>(redis_->pid());
    if (waitid(P_PID, pid, &ended, WEXITED | WNOHANG | WNOWAIT) != 0 || ended.si_pid == 0) return;
    redis_->kill();
    redis_->start();
  }

 private:
  template <class Start>
  void start(const char* name, bool there, Start start) {
    if (there) return start();
    fmt::print(stderr, "{} is not installed, or cannot be had: its ways are left out\n", name);
  }

  void start_redis() {
    redis_ = std::make_unique<RedisServer>();
    tell("--redis", "redis://" + redis_->address(), "redis", redis_->pid());
    std::string addresses;
    for (int i = 0; i < 3; ++i) {
      redlock_.push_back(std::make_unique<RedisServer>());
      addresses += (addresses.empty() ? "" : ",") + redlock_.back()->address();
    }
    arguments_.insert(arguments_.end(), {"--redlock", "redlock://" + addresses});
  }

  void tell(std::string option, std::string url, const std::string& name, pid_t pid) {
    arguments_.insert(arguments_.end(),
                      {std::move(option), std::move(url), "--server-process", fmt::format("{}={}", name, pid)});
  }

  std::vector<std::string> arguments_;
  std::unique_ptr<RedisServer> redis_;
  std::vector<std::unique_ptr<RedisServer>> redlock_;
  std::unique_ptr<PostgresServer> postgres_;
  std::unique_ptr<MariadbServer> mariadb_;
  std::unique_ptr<KafkaServer> kafka_;
};

volatile sig_atomic_t interrupted = 0;

/// On our own standard streams, so that it knows a terminal when it writes to one.
pid_t start(std::vector<std::string> words) {
  std::vector<char*> pointers;
  for (std::string& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  const pid_t pid = fork();
  if (pid != 0) return pid;
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  execv(pointers.front(), pointers.data());
  std::perror(pointers.front());
  _exit(127);
}

int run(const std::string& program, const std::vector<std::string>& given) {
  const bool quick = std::ranges::find(given, "--quick") != given.end();
  Servers servers(quick ? Servers::Which::redis_only : Servers::Which::all);
  std::vector<std::string> words{program, "rush", "compare"};
  words.insert(words.end(), servers.arguments().begin(), servers.arguments().end());
  words.insert(words.end(), given.begin(), given.end());
  const pid_t pid = start(std::move(words));
  if (pid < 0) return unavailable;
  int status = 0;
  while (waitpid(pid, &status, WNOHANG) == 0) {
    if (interrupted != 0) kill(pid, SIGTERM);
    servers.heal();
    std::this_thread::sleep_for(20ms);
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : killed_by + WTERMSIG(status);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    fmt::print(stderr, "usage: {} PROGRAM [arguments of `firstcome rush compare`]\n", argv[0]);
    return 64;
  }
  const auto interrupt = [](int) { interrupted = 1; };
  signal(SIGINT, interrupt);
  signal(SIGTERM, interrupt);
  try {
    return run(argv[1], {argv + 2, argv + argc});
  } catch (const std::exception& error) {
    fmt::print(stderr, "{}\n", error.what());
    return unavailable;
  }
}
