// A server in a thread of its own, with a handler that tests can look into.
#pragma once

#include "net/http_server.hpp"
#include "net/raw_client.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <deque>
#include <string>
#include <thread>

namespace firstcome::net::testing {

/// Answers in the turn after the request:
///   /echo      200 with the method, the path, the query, the fields and the body
///   /big?N     200 with N bytes
///   /later     when `answer_later` is called
///   all else   404
/// Refusals are answered with the status that the reason stands for.
class TestHandler final : public HttpHandler, public Driven {
 public:
  void handle(Exchange& exchange) noexcept override {
    ++handled;
    if (exchange.request().path == "/later")
      later_.push_back(&exchange);
    else
      waiting_.push_back(&exchange);
  }

  void refuse(BadRequest why, Exchange& exchange) noexcept override {
    ++refused;
    static constexpr unsigned status[] = {400, 408, 413, 414, 431, 501, 503};
    exchange.respond(status[static_cast<std::size_t>(why)], "text/plain", "refused");
  }

  LateAnswer give_up(const HttpRequest& request) noexcept override {
    return {503, "text/plain", "given up: " + std::string{request.path}, {{"Retry-After", "1"}}};
  }

  std::optional<std::chrono::steady_clock::time_point> turn() noexcept override {
    ++turns;
    std::deque<Exchange*> now;
    now.swap(waiting_);
    for (Exchange* exchange : now) answer(*exchange);
    return std::nullopt;
  }

  /// On the server's thread.
  void answer_later() {
    for (Exchange* exchange : later_) answer(*exchange);
    later_.clear();
  }

  std::atomic<int> handled{0};
  std::atomic<int> refused{0};
  std::atomic<int> turns{0};

 private:
  static void answer(Exchange& exchange) {
    const HttpRequest& request = exchange.request();
    if (request.path == "/big")
      return exchange.respond(200, "text/plain", std::string(std::stoul(std::string{request.query}), 'x'));
    if (request.path != "/echo" && request.path != "/later") return exchange.respond(404, "text/plain", "none");
    std::string text = std::to_string(static_cast<int>(request.method)) + "|" + std::string{request.path} + "|" +
                       std::string{request.query} + "|" + std::string{request.content_type} + "|" +
                       std::string{request.idempotency_key} + "|" + std::to_string(request.idempotency_keys) + "|" +
                       std::string{request.authorization} + "|" + std::string{request.body};
    const HttpField fields[] = {{"X-Answer", "yes"}};
    exchange.respond(200, "text/plain", text, fields);
  }

  std::deque<Exchange*> waiting_;
  std::deque<Exchange*> later_;
};

/// Waits until `condition` holds. False: it did not within `patience`.
template <class Condition>
bool eventually(Condition condition) {
  const auto until = std::chrono::steady_clock::now() + patience;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > until) return false;
    std::this_thread::sleep_for(1ms);  // allowed: between two looks at the condition
  }
  return true;
}

class TestServer {
 public:
  explicit TestServer(HttpServerOptions options = {})
      : server(std::move(options), handler, handler), thread_([this] {
          server.run();
          ended_ = true;
        }) {}

  ~TestServer() {
    on_thread([this] { handler.answer_later(); });
    stop();
  }

  std::uint16_t port() const { return server.port(); }

  void stop() {
    server.stop();
    if (thread_.joinable()) thread_.join();
  }

  /// Runs `task` on the server's thread and waits until it has run. Does nothing once the server has ended.
  template <class Task>
  void on_thread(Task task) {
    std::atomic<bool> done{false};
    server.post([&task, &done] {
      task();
      done = true;
    });
    eventually([&] { return done || ended_; });
  }

  HttpServerCounters counters() {
    HttpServerCounters counters;
    on_thread([&] { counters = server.counters(); });
    return counters;
  }

  TestHandler handler;
  HttpServer server;

 private:
  std::atomic<bool> ended_{false};
  std::thread thread_;
};

inline std::string get(std::string_view target, std::string_view fields = {}) {
  return "GET " + std::string{target} + " HTTP/1.1\r\nHost: x\r\n" + std::string{fields} + "\r\n";
}

inline std::string post(std::string_view target, std::string_view body, std::string_view fields = {}) {
  return "POST " + std::string{target} + " HTTP/1.1\r\nHost: x\r\n" + std::string{fields} +
         "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + std::string{body};
}

}  // namespace firstcome::net::testing
