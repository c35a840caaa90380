// The Redis engine in process, for bench/redis.sh, which starts the server and compares.
//
//   bench_redis prepare URL SALE            makes a sale and loads its script; prints the sale's keys, the store and
//   the
//                                           SHA-1 of the script
//   bench_redis run URL SALE FIRST COUNT    COUNT reservations of customers from FIRST on, each asking once with a key
//   of
//                                           its own, 10 000 in flight; prints reservations per second. Those of the
//                                           first 10 000 are not timed.
#include "engine/redis/redis_engine.hpp"
#include "engine/redis/sale_scripts.hpp"
#include "net/redis/client.hpp"

#include <boost/asio/io_context.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace firstcome;
using namespace firstcome::engine;
using Steady = std::chrono::steady_clock;

constexpr std::size_t in_flight = 10'000;

[[noreturn]] void fail(const std::string& why) {
  fmt::print(stderr, "bench_redis: {}\n", why);
  std::exit(2);
}

std::uint64_t mix(std::uint64_t x) {
  x += 0x9e3779b97f4a7c15;
  x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
  x = (x ^ x >> 27) * 0x94d049bb133111eb;
  return x ^ x >> 31;
}

/// An engine, and turns of it whenever it has completed something.
class Node {
 public:
  explicit Node(const std::string& url) {
    const auto parsed = net::parse_redis_url(url);
    if (!parsed) fail(parsed.error());
    RedisEngineOptions options;
    options.url = *parsed;
    options.patience = std::chrono::seconds{30};  // a busy machine makes a run slow, not wrong
    auto opened = RedisEngine::open(std::move(options));
    if (!opened) fail(opened.error().detail);
    engine_ = std::move(*opened);
    engine_->on_ready([this] {
      ready_.fetch_add(1);
      ready_.notify_one();
    });
  }
  ~Node() { engine_.reset(); }
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  RedisEngine& engine() { return *engine_; }

  /// Waits until something is completed, and completes it.
  void turn() {
    ready_.wait(seen_);
    seen_ = ready_.load();
    static_cast<void>(engine_->turn());
  }

 private:
  std::atomic<std::uint32_t> ready_ = 0;
  std::uint32_t seen_ = 0;
  std::unique_ptr<RedisEngine> engine_;
};

/// Runs reservations through an engine, `in_flight` at a time, each submitted again when it is answered.
class Crowd {
 public:
  Crowd(Node& node, std::string sale, std::uint64_t first) : node_(node), sale_(std::move(sale)), customers_(first) {
    for (std::size_t i = 0; i < in_flight; ++i) asks_.push_back(std::make_unique<Ask>(*this));
  }

  /// Reservations per second, those of the first `in_flight` not timed.
  double run(std::uint64_t count) {
    left_to_submit_ = left_to_answer_ = count;
    for (auto& ask : asks_) ask->next();
    const std::uint64_t timed = count - std::min<std::uint64_t>(count, in_flight);
    Steady::time_point start = Steady::now();
    while (left_to_answer_ > 0) {
      const bool was_warm = left_to_answer_ <= timed;
      node_.turn();
      if (!was_warm && left_to_answer_ <= timed) {
        start = Steady::now();
        counted_ = left_to_answer_;
      }
    }
    return static_cast<double>(counted_) / std::chrono::duration<double>(Steady::now() - start).count();
  }

 private:
  struct Ask final : Operation {
    explicit Ask(Crowd& of) : crowd(of) {}
    void next() {
      if (crowd.left_to_submit_ == 0) return;
      --crowd.left_to_submit_;
      const std::uint64_t n = crowd.customers_++;
      fmt::format_to_n(customer, sizeof customer, "customer{:08x}", n);
      command = Reserve{crowd.sale_, {customer, sizeof customer}, 1, {}, {mix(n), mix(n ^ 0x5555)}};
      crowd.node_.engine().submit(*this);
    }
    void completed() noexcept override {
      if (!answer) fail(answer.error().detail);
      if (std::get<ReserveAnswer>(*answer).outcome != Outcome::done) fail("a reservation was refused");
      --crowd.left_to_answer_;
      next();
    }
    Crowd& crowd;
    char customer[16];
  };

  Node& node_;
  const std::string sale_;
  std::vector<std::unique_ptr<Ask>> asks_;
  std::uint64_t customers_;
  std::uint64_t left_to_submit_ = 0;
  std::uint64_t left_to_answer_ = 0;
  std::uint64_t counted_ = 0;
};

struct Creation final : Operation {
  void completed() noexcept override { done = true; }
  bool done = false;
};

/// One command over a connection of its own.
std::string ask(const std::string& url, net::RedisCommand command) {
  boost::asio::io_context io(1);
  auto client = net::make_redis_client(io.get_executor(), *net::parse_redis_url(url));
  if (!client) fail(client.error());
  std::string text;
  (*client)->execute("", std::move(command), Steady::now() + std::chrono::seconds{10}, [&](const auto& result) {
    if (!result) fail(result.error().detail);
    text = result->text;
    client->reset();
    io.stop();
  });
  io.run();
  return text;
}

/// Holds last for longer than any benchmark runs.
void prepare(const std::string& url, const std::string& sale) {
  Node node(url);
  SaleTerms terms;
  terms.id = terms.name = sale;
  terms.stock = limits::stock;
  terms.unit_price = 10'000;
  terms.limit_per_customer = 2;
  terms.hold = limits::hold;
  Creation creation;
  creation.command = CreateSale{terms};
  node.engine().submit(creation);
  while (!creation.done) node.turn();
  if (!creation.answer) fail(creation.answer.error().detail);
  const SaleKeys keys(std::get<SaleAnswer>(*creation.answer).sale.handle);
  const net::RedisScript& script = SaleScripts::standard().decide;
  const std::string sha = ask(url, net::RedisCommand("SCRIPT", std::string_view{"LOAD"}, script.text()));
  const std::string store = ask(url, net::RedisCommand("HGET", keys.hash, std::string_view{"store"}));
  fmt::print("{} {} {} {}\n", keys.hash, keys.stream, store, sha);
}

void run(const std::string& url, const std::string& sale, std::uint64_t first, std::uint64_t count) {
  Node node(url);
  Crowd crowd(node, sale, first);
  fmt::print("{:.0f}\n", crowd.run(count));
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> words(argv + 1, argv + argc);
  if (words.size() == 3 && words[0] == "prepare") {
    prepare(words[1], words[2]);
  } else if (words.size() == 5 && words[0] == "run") {
    run(words[1], words[2], std::stoull(words[3]), std::stoull(words[4]));
  } else {
    fmt::print(stderr, "usage: bench_redis prepare URL SALE | run URL SALE FIRST COUNT\n");
    return 64;
  }
  return 0;
}
