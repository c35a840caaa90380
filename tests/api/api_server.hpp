// The API over real HTTP in this process: a server thread, a port of its own, and, unless a test scripts the engine,
// the embedded engine on a temporary folder, a clock that only tests move, and a gateway that does what it is told.
#pragma once

#include "api/api.hpp"
#include "engine/driven_engine.hpp"
#include "net/http_server.hpp"
#include "payment/payment_service.hpp"
#include "support/blocking_client.hpp"
#include "support/temporary_folder.hpp"

#include <firstcome/engine.hpp>
#include <firstcome/gateway.hpp>

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace firstcome::api::testing {

/// Charges as told. Thread-safe.
class ObedientGateway final : public Gateway {
 public:
  enum class Mood : std::uint8_t { charge, decline, refuse, be_unreachable, keep_waiting };

  void charge(ChargeRequest request, std::move_only_function<void(ChargeResult)> done) override;
  void refund(std::string key, std::move_only_function<void(RefundOutcome)> done) override;

  void set(Mood mood);
  /// Waits until that many charges have been kept waiting in all, then answers the oldest that still waits.
  void wait_for_kept(std::size_t count);
  void answer_one(Mood mood);

  std::vector<ChargeRequest> charges() const;
  std::vector<std::string> refunds() const;

 private:
  static ChargeResult result(Mood mood, const std::string& key);

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  Mood mood_ = Mood::charge;
  std::size_t kept_ = 0;
  struct Kept {
    std::string key;
    std::move_only_function<void(ChargeResult)> done;
  };
  std::deque<Kept> waiting_;
  std::vector<ChargeRequest> charges_;
  std::vector<std::string> refunds_;
};

/// Serves until it is destroyed; `last` runs on the server's thread after that.
class ServerThread {
 public:
  ServerThread(
      net::HttpServerOptions options, net::HttpHandler& handler, net::Driven& driven,
      std::function<void()> last = [] {});
  ~ServerThread();

  net::HttpServer& server() { return server_; }

 private:
  net::HttpServer server_;
  std::thread thread_;
};

/// The real thing.
class ApiServer final : private net::Driven {
 public:
  using OpenEngine = std::function<std::unique_ptr<engine::DrivenEngine>()>;

  /// `start`: what the clock shows.
  explicit ApiServer(Instant start = Instant{std::chrono::sys_days{std::chrono::year{2026} / 11 / 27}});
  /// Over another engine, which is opened at each start and has a clock of its own.
  explicit ApiServer(OpenEngine open_engine);
  ~ApiServer();

  std::uint16_t port() { return thread_->server().port(); }
  ObedientGateway& gateway() { return gateway_; }
  Metrics& metrics() { return api_->metrics(); }
  Instant now() const { return Instant{Milliseconds{now_.load()}}; }
  /// Ends everything and starts it again on the same folder, at the same time, on another port.
  void restart();
  /// Moves the clock. What is due is done before the next request is.
  void advance(Milliseconds by);
  /// Lets the engine look whether something is due.
  void wake() { thread_->server().wake(); }

 private:
  std::unique_ptr<engine::DrivenEngine> open_embedded();
  void open();
  std::optional<std::chrono::steady_clock::time_point> turn() noexcept override { return engine_->turn(); }

  firstcome::testing::TemporaryFolder folder_;
  std::atomic<std::int64_t> now_;
  ObedientGateway gateway_;
  OpenEngine open_engine_;
  std::unique_ptr<engine::DrivenEngine> engine_;
  std::unique_ptr<payment::PaymentService> payments_;
  std::unique_ptr<Api> api_;
  std::atomic<net::HttpServer*> server_ = nullptr;
  std::unique_ptr<ServerThread> thread_;
};

/// An engine that says what a test wants to hear; commands are answered in the next turn.
class ScriptedEngine final : public Engine, public net::Driven {
 public:
  using Script = std::function<std::expected<Answer, Failure>(const Command&)>;
  explicit ScriptedEngine(Script script, Readiness readiness)
      : script_(std::move(script)), readiness_(std::move(readiness)) {}

  void submit(Operation& operation) override { waiting_.push_back(&operation); }
  Readiness readiness() const override { return readiness_; }
  std::string_view name() const override { return "guarded"; }
  void on_payment_work(std::function<void()>) override {}
  std::optional<std::chrono::steady_clock::time_point> turn() noexcept override;

 private:
  Script script_;
  Readiness readiness_;
  std::vector<Operation*> waiting_;
};

/// The API over a scripted engine, without a cashier.
class ScriptedServer {
 public:
  explicit ScriptedServer(ScriptedEngine::Script script, Readiness readiness = {});
  std::uint16_t port() { return thread_.server().port(); }

 private:
  ScriptedEngine engine_;
  Api api_;
  ServerThread thread_;
};

}  // namespace firstcome::api::testing
