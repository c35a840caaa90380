#include "cli/serve_options.hpp"

#include "cli/serve.hpp"
#include "cli/time_option.hpp"
#include "engine/guarded/guarded_options.hpp"

#include <boost/asio/ip/address.hpp>

#include <charconv>
#include <memory>

namespace firstcome::cli {
namespace {

void add_limits(CLI::App& command, ServeOptions& options) {
  const std::string group = "Limits";
  auto limit = [&](const std::string& name, auto& target, const std::string& text) {
    command.add_option(name, target, text)->capture_default_str()->check(CLI::PositiveNumber)->group(group);
  };
  limit("--queue-limit", options.queue_limit,
        "Requests that may wait to be decided; one more is answered 503 overloaded");
  limit("--turn-limit", options.turn_limit, "Requests decided in one turn, committed together");
  limit("--connections", options.connections, "Connections open at once; one more is answered 503 and closed");
  limit("--body-limit", options.body_limit, "Bytes of a request's body");
  limit("--header-timeout-ms", options.header_timeout_ms, "From the first byte of a request to its last header");
  limit("--body-timeout-ms", options.body_timeout_ms, "For the body of a request");
  limit("--idle-timeout-ms", options.idle_timeout_ms, "Between two requests of a connection");
  limit("--write-timeout-ms", options.write_timeout_ms, "For a client that does not read its answer");
  limit("--drain-timeout-ms", options.drain_timeout_ms, "For what is under way when the server is told to stop");
  limit("--redis-timeout-ms", options.redis_timeout_ms,
        "For one decision of Redis; after that a request is answered 503");
  limit("--gateway-timeout-ms", options.gateway_timeout_ms, "For one answer of the payment gateway");
}

void add_guard(CLI::App& command, ServeOptions& options) {
  const std::string group = "With --engine guarded";
  auto option = [&](const std::string& name, auto& target, const std::string& text) {
    return command.add_option(name, target, text)->group(group)->capture_default_str();
  };
  option("--inventory", options.inventory,
         "Where the stock is: sqlite:///PATH, postgresql://..., mysql://... or redis://...");
  option("--guard", options.guard, "What keeps two sellers apart: " + engine::guard_words());
  option("--release", options.release, "When the guard is let go; before the commit is the trap that oversells")
      ->check(CLI::IsMember({"after-commit", "before-commit"}));
  option(
      "--commit-after-ms", options.commit_after_ms,
      "With --release before-commit: what the service does between letting the guard go and the commit takes so long");
  option("--pay", options.pay, "Whether a charge is made inside the guard or after it")
      ->check(CLI::IsMember({"inside", "after"}));
  option("--fencing", options.fencing, "Whether the inventory refuses who has lost the lock meanwhile (fifo)")
      ->check(CLI::IsMember({"on", "off"}));
  option("--guard-lease-ms", options.guard_lease_ms, "For how long a lock is held at most; nobody renews it");
  option("--guard-wait-ms", options.guard_wait_ms, "How long a request waits for the guard; then 409 busy");
  option("--guard-workers", options.guard_workers, "Threads that sell, each with a session of its own");
  option("--admit-per-tick", options.admit_per_tick,
         "A waiting room before the guard: how many requests to buy are let in each tick; 0: all at once");
  option("--tick-ms", options.tick_ms, "How long a tick of the waiting room is");
  option("--node", options.node, "This server's name in what is told of an oversell");
}

}  // namespace

ListenAddress parse_listen(const std::string& text) {
  auto fail = [&](const std::string& rule) -> CLI::ValidationError {
    return CLI::ValidationError("--listen", rule + " (was: " + text + ")");
  };
  std::size_t colon = text.rfind(':');
  if (colon == std::string::npos) throw fail("must be HOST:PORT");
  ListenAddress address{text.substr(0, colon), 0};
  const bool in_brackets = address.host.starts_with('[') && address.host.ends_with(']');
  if (in_brackets) address.host = address.host.substr(1, address.host.size() - 2);
  if (!in_brackets && address.host.find(':') != std::string::npos) throw fail("an IPv6 address must be in brackets");
  const char* end = text.data() + text.size();
  auto [stop, error] = std::from_chars(text.data() + colon + 1, end, address.port);
  if (error != std::errc{} || stop != end) throw fail("PORT must be 0 to 65535");
  if (address.host == "localhost") address.host = "127.0.0.1";
  boost::system::error_code not_an_address;
  const auto parsed = boost::asio::ip::make_address(address.host, not_an_address);
  if (not_an_address || !parsed.is_loopback() || parsed.is_v6() != in_brackets)
    throw fail("HOST must be a loopback address (127.0.0.1, [::1]) or localhost, which is 127.0.0.1");
  return address;
}

void add_serve_command(CLI::App& app, Run& run) {
  auto options = std::make_shared<ServeOptions>();
  CLI::App* command = app.add_subcommand("serve", "Serve sales over HTTP until SIGTERM or SIGINT");
  command->set_config("--config", "", "Read options from a TOML file");
  command
      ->add_option("--listen", options->listen,
                   "HOST:PORT, as in 127.0.0.1:8080 or [::1]:8080; port 0 picks a free one")
      ->capture_default_str()
      ->envname("FIRSTCOME_LISTEN");
  command->add_option("--data", options->data, "Folder of the sales; made if missing")
      ->capture_default_str()
      ->envname("FIRSTCOME_DATA");
  command->add_option("--sales", options->sales, "JSON array of sales; those that are missing are created at start")
      ->check(CLI::ExistingFile);
  command->add_flag("--sales-strict", options->sales_strict,
                    "Refuse to start where --sales says other terms than the store has; else each is a warning");
  command
      ->add_option("--engine", options->engine,
                   "How reservations are decided: embedded, or by many servers together in redis://HOST:PORT, "
                   "redis+sentinel://..., redis+cluster://..., or guarded: as others do it, to compare")
      ->capture_default_str()
      ->envname("FIRSTCOME_ENGINE");
  command
      ->add_option(
          "--durability", options->durability,
          "On Redis, what an answer survives: memory, aof (a crash of Redis) or replicated (loss of the primary)")
      ->capture_default_str()
      ->check(CLI::IsMember({"memory", "aof", "replicated"}));
  command
      ->add_option("--locks", options->locks,
                   "Where /v1/locks are kept: embedded, or redis://HOST:PORT, "
                   "redis+sentinel://..., redis+cluster://...; where the sales are if not said. With --engine "
                   "guarded: where the guard's locks are")
      ->envname("FIRSTCOME_LOCKS");
  command->add_option("--lock-kind", options->lock_kind, "On Redis: fifo, redisson (shared with Java) or setnx")
      ->check(CLI::IsMember({"fifo", "redisson", "setnx"}))
      ->capture_default_str();
  auto* simulate = command->add_option("--simulate-payment", options->simulate_payment,
                                       "Charges that fail by themselves: before=0.2,during=0.2,delay_ms=50,seed=1");
  auto* gateway =
      command->add_option("--gateway", options->gateway, "http[s]://HOST[:PORT][/PATH] of a payment provider")
          ->envname("FIRSTCOME_GATEWAY")
          ->excludes(simulate);
  command
      ->add_option("--gateway-credentials", options->gateway_credentials,
                   "File whose first line is sent to the provider as Authorization, as in: Bearer 1234")
      ->check(CLI::ExistingFile)
      ->needs(gateway);
  command
      ->add_option("--gateway-ca", options->gateway_ca, "PEM file of who signs the certificate of an https:// provider")
      ->check(CLI::ExistingFile)
      ->needs(gateway);
  command
      ->add_option("--events", options->events,
                   "Where events go: none (no further than the orders here and the feed) or kafka://HOST:PORT")
      ->capture_default_str()
      ->envname("FIRSTCOME_EVENTS");
  command->add_option("--kafka-prefix", options->kafka_prefix, "What the topics' names begin with")
      ->capture_default_str();
  command->add_option("--kafka-ca", options->kafka_ca, "PEM file of who signs the certificate of a kafkas:// broker")
      ->check(CLI::ExistingFile);
  command
      ->add_option("--orders", options->orders,
                   "Where orders are written: none, sqlite:///PATH, postgresql://... or mysql://...; if not said, "
                   "DATA/orders.db with the embedded engine, unless --events takes the events elsewhere")
      ->envname("FIRSTCOME_ORDERS");
  command
      ->add_option("--outbox-limit", options->outbox_limit,
                   "Events that may wait to be delivered; with more, nothing is sold (503 outbox-full). 0: no limit")
      ->capture_default_str();
  add_wait_for(*command, options->wait_for_ms);
  command->add_option("--log-level", options->log_level, "What is logged to standard error")
      ->capture_default_str()
      ->check(CLI::IsMember({"trace", "debug", "info", "warning", "error", "off"}));
  add_redis_options(*command, options->redis);
  command
      ->add_flag("--redis-unchecked", options->redis_unchecked,
                 "Serve also where Redis does not tell its settings (no CONFIG, no INFO): you have checked them")
      ->group("Redis");
  add_guard(*command, *options);
  add_limits(*command, *options);
  command->callback([options, &run] {
    ListenAddress address = parse_listen(options->listen);
    run = [options, address] { return serve(*options, address); };
  });
}

}  // namespace firstcome::cli
