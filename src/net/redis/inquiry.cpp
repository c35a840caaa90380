#include "net/redis/inquiry.hpp"

#include <cassert>
#include <utility>

namespace firstcome::net {

using std::chrono::steady_clock;

struct RedisInquiry::Run : std::enable_shared_from_this<RedisInquiry::Run> {
  Run(IoExecutor where, const RedisOptions& how) : executor(where), options(how) {
    options.when_down = RedisOptions::WhenDown::fail;
  }

  void ask_next();
  void answered(const RedisResult& result);

  IoExecutor executor;
  RedisOptions options;
  std::vector<RedisEndpoint> endpoints = {};
  std::size_t asked = 0;
  RedisCommand command = {};
  Accept accept = {};
  Finished finished = {};
  std::optional<RedisConnection> connection = {};
  bool running = false;
  RedisFailure problem = {};
};

void RedisInquiry::Run::ask_next() {
  connection.emplace(executor, endpoints[asked++], options);
  connection->execute(command, steady_clock::now() + options.connect_timeout,
                      [weak = weak_from_this()](const RedisResult& result) {
                        if (const auto self = weak.lock(); self && self->running) self->answered(result);
                      });
}

void RedisInquiry::Run::answered(const RedisResult& result) {
  const std::shared_ptr<Run> keep = shared_from_this();
  const std::string why = result ? accept(*result, endpoints[asked - 1].address) : result.error().detail;
  if (!running) return;
  const bool denied = !result && result.error().is_denied();
  if (denied || !problem.is_denied()) problem = {.code = denied ? "denied" : "down", .detail = why};
  if (!why.empty() && asked < endpoints.size()) return ask_next();
  running = false;
  connection.reset();
  Finished last = std::move(finished);
  last(why.empty() ? RedisFailure{} : problem);
}

RedisInquiry::RedisInquiry(IoExecutor executor, RedisOptions options)
    : executor_(executor), options_(std::move(options)) {}

RedisInquiry::~RedisInquiry() {
  if (run_) run_->running = false;
}

bool RedisInquiry::is_running() const { return run_ && run_->running; }

void RedisInquiry::start(std::vector<RedisEndpoint> endpoints, RedisCommand command, Accept accept, Finished finished) {
  assert(!is_running() && !endpoints.empty());
  run_ = std::make_shared<Run>(executor_, options_);
  run_->endpoints = std::move(endpoints);
  run_->command = std::move(command);
  run_->accept = std::move(accept);
  run_->finished = std::move(finished);
  run_->running = true;
  run_->ask_next();
}

}  // namespace firstcome::net
