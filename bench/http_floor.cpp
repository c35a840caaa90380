// The HTTP server with nothing behind it: each request is answered, in the turn, with a 201 like that of a reservation.
// What it reaches is the ceiling of the `http` figure. Driven by bench/http_floor.sh; ends with SIGTERM, and tells then
// how many requests a turn answered.
#include "net/http_server.hpp"
#include "net/json_writer.hpp"

#include <fmt/core.h>

#include <csignal>
#include <cstdio>
#include <optional>
#include <string>
#include <vector>

namespace {

using namespace firstcome::net;

class Floor final : public HttpHandler, public Driven {
 public:
  void handle(Exchange& exchange) noexcept override { ready_.push_back(&exchange); }
  void refuse(BadRequest, Exchange& exchange) noexcept override { exchange.respond(400, "", ""); }

  std::optional<std::chrono::steady_clock::time_point> turn() noexcept override {
    if (!ready_.empty()) ++turns;
    for (Exchange* exchange : ready_) answer(*exchange);
    ready_.clear();
    return std::nullopt;
  }

  std::uint64_t turns = 0;

 private:
  void answer(Exchange& exchange) {
    body_.clear();
    JsonWriter json{body_};
    const firstcome::Instant now{std::chrono::milliseconds{1'767'323'045'678}};
    json.begin_object();
    json.key("id");
    json.string("AAAAAAAAAAEAAAAAAAAABWJmZ2hpamtsbW5v");
    json.key("sale");
    json.string("tour-2026");
    json.key("customer");
    json.string("customer-0000001");
    json.key("quantity");
    json.integer(1);
    json.key("state");
    json.string("held");
    json.key("number");
    json.unsigned_integer(5);
    json.key("created_at");
    json.instant(now);
    json.key("expires_at");
    json.instant(now);
    json.key("position");
    json.null();
    json.end_object();
    const HttpField fields[] = {{"Location", "/v1/reservations/AAAAAAAAAAEAAAAAAAAABWJmZ2hpamtsbW5v"}};
    exchange.respond(201, "application/json", body_, fields);
  }

  std::vector<Exchange*> ready_;
  std::string body_;
};

HttpServer* running = nullptr;

}  // namespace

int main() {
  Floor floor;
  HttpServer server{HttpServerOptions{}, floor, floor};
  running = &server;
  std::signal(SIGTERM, [](int) { running->stop(); });
  fmt::print("listening on http://127.0.0.1:{}\n", server.port());
  std::fflush(stdout);
  server.run();
  fmt::print("{} requests in {} turns\n", server.counters().requests, floor.turns);
}
