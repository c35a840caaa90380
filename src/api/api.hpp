// The HTTP API: every endpoint of openapi.yaml, over the Engine port.
//
// Mechanism: `handle` finds the route, reads the request into a command, submits it and returns; the completion, which
// comes on the same thread after the commit, writes the answer. What a connection needs for that (one Operation, the
// text of one request and one answer) hangs on its exchange and is used again for every request, so that a reservation
// costs no allocation.
//
//   std::unique_ptr<net::HttpServer> server;
//   ApiHooks hooks;
//   hooks.post = [&](auto task) { server->post(std::move(task)); };
//   Api api(*engine, ReservationIds(engine->identity()), &cashier, std::move(hooks));
//   api.metrics().add_counter("firstcome_turns_total", "Turns of the engine", [&] { return turns; });
//   server = std::make_unique<net::HttpServer>(options, api, driven);
#pragma once

#include "api/metrics.hpp"
#include "api/order_path.hpp"
#include "engine/reservation_id.hpp"
#include "net/http_server.hpp"

#include <firstcome/engine.hpp>

#include <chrono>
#include <functional>
#include <memory>

namespace firstcome::payment {
class Cashier;
}
namespace firstcome::events {
class OrderLookup;
}

namespace firstcome::api {

struct ApiHooks {
  /// Runs a task on the server's thread, from any thread: HttpServer::post. Needed where there is a cashier or an order
  /// lookup.
  std::function<void(std::move_only_function<void()>)> post;
  /// Where orders are looked up; null: there is no order service. Must outlive the server.
  events::OrderLookup* orders = nullptr;
  /// Says what beside the decisions is held back, as the delivery of events: a sentence, empty where nothing is. May be
  /// empty itself. Called on the server's thread.
  std::function<std::string()> held_back = {};
  OrderPath order_path = OrderPath::written_by_relay;
  /// For latencies only; tests give their own.
  std::chrono::steady_clock::time_point (*steady_now)() = [] { return std::chrono::steady_clock::now(); };
};

/// Thread safety: use on the server's thread only, `metrics()` included. The engine must complete operations on that
/// thread. Must outlive the server and every operation it has submitted.
class Api final : public net::HttpHandler {
 public:
  /// `cashier` may be null: customers' payments are then answered `not-supported`.
  Api(Engine& engine, engine::ReservationIds ids, payment::Cashier* cashier, ApiHooks hooks);
  ~Api() override;

  void handle(net::Exchange& exchange) noexcept override;
  void refuse(net::BadRequest why, net::Exchange& exchange) noexcept override;
  net::LateAnswer give_up(const net::HttpRequest& request) noexcept override;

  /// What `GET /metrics` shows; whoever composes the program adds the counters of the engine, the server and payments.
  Metrics& metrics();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace firstcome::api
