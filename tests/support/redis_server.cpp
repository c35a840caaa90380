#include "support/redis_server.hpp"

#include <hiredis/hiredis.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <thread>

namespace firstcome::testing {

namespace {

using namespace std::chrono_literals;

constexpr const char* server_program = "/usr/bin/redis-server";

struct FreeContext {
  void operator()(redisContext* context) const { redisFree(context); }
};
using Context = std::unique_ptr<redisContext, FreeContext>;

RedisAnswer answer_of(const redisReply* reply) {
  switch (reply->type) {
    case REDIS_REPLY_NIL:
      return {"(nil)", {}};
    case REDIS_REPLY_INTEGER:
      return {std::to_string(reply->integer), {}};
    case REDIS_REPLY_ERROR:
      return {"-" + std::string(reply->str, reply->len), {}};
    case REDIS_REPLY_ARRAY: {
      RedisAnswer answer;
      for (std::size_t i = 0; i < reply->elements; ++i) answer.elements.push_back(answer_of(reply->element[i]));
      return answer;
    }
    default:
      return {std::string(reply->str, reply->len), {}};
  }
}

RedisAnswer ask(redisContext* context, const std::vector<std::string>& arguments) {
  std::vector<const char*> texts;
  std::vector<std::size_t> sizes;
  for (const std::string& argument : arguments) {
    texts.push_back(argument.data());
    sizes.push_back(argument.size());
  }
  auto* reply =
      static_cast<redisReply*>(redisCommandArgv(context, static_cast<int>(texts.size()), texts.data(), sizes.data()));
  if (reply == nullptr) return {"-" + std::string(context->errstr), {}};
  RedisAnswer answer = answer_of(reply);
  freeReplyObject(reply);
  return answer;
}

}  // namespace

bool redis_is_installed() { return access(server_program, X_OK) == 0; }

bool all_is_required() {
  const char* given = std::getenv("FIRSTCOME_REQUIRE_ALL");
  return given != nullptr && std::string_view(given) == "1";
}

bool eventually(const std::function<bool()>& holds, std::chrono::milliseconds patience) {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  while (!holds()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(5ms);
  }
  return true;
}

RedisServer::RedisServer(RedisServerOptions options) : options_(std::move(options)) {
  port_ = options_.port ? *options_.port : free_port();
  if (options_.tls && !options_.tls_port) options_.tls_port = free_port();
  for (const auto& [name, content] : options_.files) std::ofstream(folder() / name) << content;
  start();
}

void RedisServer::start() {
  const std::filesystem::path file = folder() / "redis.conf";
  if (!std::filesystem::exists(file)) {  // a sentinel has written into it what it knows
    std::ofstream lines(file);
    lines << "bind 127.0.0.1\nport " << port_ << "\ndir " << folder().string() << "\nlogfile "
          << (folder() / "redis.log").string() << "\ndaemonize no\n";
    if (options_.arguments.empty()) lines << "save \"\"\nrepl-diskless-sync-delay 0\n";
    if (!options_.password.empty()) lines << "requirepass " << options_.password << "\n";
    if (const auto& tls = options_.tls) {
      lines << "tls-port " << tls_port() << "\ntls-cert-file " << tls->certificate << "\ntls-key-file " << tls->key
            << "\ntls-ca-cert-file " << tls->authority << "\ntls-auth-clients no\ntls-replication yes\n";
    }
    for (const std::string& line : options_.lines) lines << line << "\n";
  }
  ChildOptions child;
  child.program = server_program;
  child.arguments = {file.string()};
  child.arguments.insert(child.arguments.end(), options_.arguments.begin(), options_.arguments.end());
  process_ = std::make_unique<ChildProcess>(std::move(child));
  const bool answers = eventually([this] {
    if (process_->wait(0ms)) return true;  // it ended
    return text({"PING"}) == "PONG";
  });
  if (!answers || process_->wait(0ms)) throw std::runtime_error("redis-server did not start:\n" + log());
}

void RedisServer::stop() {
  if (!process_) return;
  process_->signal(SIGTERM);
  process_->wait(10s);
  process_.reset();
}

std::string RedisServer::log() const {
  std::ifstream file(folder() / "redis.log");
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

RedisAnswer RedisServer::command(const std::vector<std::string>& arguments) const {
  const Context context(redisConnectWithTimeout("127.0.0.1", port_, timeval{.tv_sec = 5, .tv_usec = 0}));
  if (!context) throw std::bad_alloc();
  if (context->err != 0) return {"-" + std::string(context->errstr), {}};
  redisSetTimeout(context.get(), timeval{.tv_sec = 10, .tv_usec = 0});
  if (!options_.password.empty()) ask(context.get(), {"AUTH", options_.password});
  return ask(context.get(), arguments);
}

std::string RedisServer::info(std::string_view field) const {
  std::istringstream lines(text({"INFO"}));
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with(field) && line.size() > field.size() && line[field.size()] == ':') {
      return line.substr(field.size() + 1, line.find('\r') - field.size() - 1);
    }
  }
  return {};
}

}  // namespace firstcome::testing
