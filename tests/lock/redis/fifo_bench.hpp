// The scripts of the FIFO lock on a real server, one call at a time, on a clock that a test moves.
#pragma once

#include "lock/redis/fifo_scripts.hpp"
#include "net/redis/loop.hpp"
#include "support/redis_server.hpp"

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace firstcome::lock::test {

/// The same scripts with another text; throws where none has the old one.
inline FifoScripts altered(const FifoScripts& scripts, std::string_view old_text, std::string_view new_text) {
  bool found = false;
  const auto alter = [&](const net::RedisScript& script) {
    std::string text = script.text();
    const std::size_t at = text.find(old_text);
    if (at == std::string::npos) return script;
    found = true;
    return net::RedisScript(text.replace(at, old_text.size(), new_text));
  };
  FifoScripts all{alter(scripts.acquire), alter(scripts.release), alter(scripts.renew), alter(scripts.cancel),
                  alter(scripts.pulse),   alter(scripts.inspect), alter(scripts.free)};
  if (!found) throw std::invalid_argument("no script has: " + std::string(old_text));
  return all;
}

/// With a clock that runs ahead of the server's by the milliseconds in the key `skew`.
inline FifoScripts skewed(const FifoScripts& scripts) {
  constexpr std::string_view now = "local now = (micros - micros % 1000) / 1000";
  return altered(scripts, now,
                 "micros = micros + 1000 * tonumber(call('GET', 'skew') or 0)\n"
                 "local now = (micros - micros % 1000) / 1000");
}

/// One process that asks for the lock L, as a client of its own.
struct Asker {
  std::string process;
  std::uint64_t last_number = 0;
};

class FifoBench : public ::testing::Test {
 protected:
  void SetUp() override {
    FIRSTCOME_NEEDS_REDIS();
    server = std::make_unique<firstcome::testing::RedisServer>();
    connection = std::make_unique<net::RedisConnection>(loop.executor(), net::testing::at_port(server->port()));
  }

  static Asker asker(char letter) { return {std::string(32, letter)}; }
  static FifoPlace place(const Asker& who) {
    return fifo_place({Share::Of::lock, "L"}, who.process, Channels::one_for_all);
  }
  static const std::string& key() {
    static const std::string name = "firstcome:lock:{L}";
    return name;
  }

  net::RedisReply run(net::RedisCommand command) {
    net::RedisResult result = loop.ask(*connection, std::move(command));
    if (!result) throw std::runtime_error(result.error().detail);
    return std::move(*result);
  }
  /// The error's whole text; empty: there was none.
  std::string error_of(net::RedisCommand command) {
    const net::RedisResult result = loop.ask(*connection, std::move(command));
    return result ? "" : result.error().detail;
  }

  struct Terms {
    Milliseconds lease{30'000};
    Once once = Once::no;
    Repeated repeated = Repeated::no;
    Trust trust = Trust::yes;
  };
  AcquireReply acquire(const Asker& who, std::uint64_t number, Terms terms) {
    const AcquireRequest request{number, terms.lease, terms.once, terms.repeated};
    return read_acquire(run(acquire_command(scripts, place(who), times, request, terms.trust)), terms.lease).value();
  }
  AcquireReply acquire(const Asker& who, const AcquireRequest& request) {
    return read_acquire(run(acquire_command(scripts, place(who), times, request, Trust::yes)), request.lease).value();
  }
  AcquireReply acquire(const Asker& who, std::uint64_t number) { return acquire(who, number, Terms{}); }
  AcquireReply again(const Asker& who, std::uint64_t number) {
    return acquire(who, number, Terms{.repeated = Repeated::yes});
  }
  ReleaseReply release(const Asker& who, std::uint64_t number, std::uint64_t token, Repeated repeated = Repeated::no,
                       Trust trust = Trust::yes) {
    return release(who, ReleaseRequest{.grant = {number, token}, .repeated = repeated}, trust);
  }
  ReleaseReply release(const Asker& who, const ReleaseRequest& request, Trust trust = Trust::yes) {
    return read_release(run(release_command(scripts, place(who), times, request, trust))).value();
  }
  FreeReply free(std::uint64_t token) {
    return read_free(run(free_command(scripts, place(asker('x')), token, Trust::yes))).value();
  }
  RenewReply renew(const Asker& who, std::uint64_t number, std::uint64_t token, Milliseconds lease) {
    return read_renew(run(renew_command(scripts, place(who), times, {{number, token}, lease}))).value();
  }
  RenewReply renew(const Asker& who, const RenewRequest& request) {
    return read_renew(run(renew_command(scripts, place(who), times, request))).value();
  }
  /// What it did: left, gave, nothing.
  std::string cancel(const Asker& who, CancelRequest request, Trust trust = Trust::yes) {
    const net::RedisReply reply = run(cancel_command(scripts, place(who), times, request, trust));
    cancelled = read_cancel(reply).value();
    return reply.at(0).text;
  }
  PulseReply pulse(const Asker& who, Trust trust = Trust::yes) {
    return read_pulse(run(pulse_command(scripts, place(who), times, trust))).value();
  }
  InspectReply inspect() { return read_inspect(run(inspect_command(scripts, place(asker('x'))))).value(); }
  std::string cancel(const Asker& who, std::uint64_t number, Trust trust = Trust::yes) {
    return cancel(who, CancelRequest{.number = number}, trust);
  }
  static std::string owner(const Asker& who, std::uint64_t number) {
    return who.process + ":" + std::to_string(number);
  }

  /// Time passes, for the scripts.
  void pass(Milliseconds time) {
    skew += time;
    run(net::RedisCommand("SET", "skew", skew.count()));
  }

  bool has_field(const std::string& name) { return run(net::RedisCommand("HEXISTS", key(), name)).integer == 1; }
  std::vector<std::string> fields() {
    std::vector<std::string> names;
    for (const net::RedisReply& name : run(net::RedisCommand("HKEYS", key())).elements) names.push_back(name.text);
    return names;
  }

  /// From now on this process hears its messages.
  void listen(const Asker& who) {
    net::RedisSubscriberEvents events;
    events.message = [&heard = messages[who.process]](std::string_view, std::string_view text) {
      heard.emplace_back(text);
    };
    auto inbox = std::make_unique<net::RedisSubscriber>(loop.executor(), net::testing::at_port(server->port()),
                                                        std::move(events));
    const std::string problem = loop.subscribed([&](net::RedisSubscribed done) {
      inbox->subscribe(place(who).channel(), net::RedisChannelKind::plain, net::testing::in(std::chrono::seconds(10)),
                       std::move(done));
    });
    if (!problem.empty()) throw std::runtime_error(problem);
    inboxes[who.process] = std::move(inbox);
  }
  void hang_up(const Asker& who) {
    inboxes.erase(who.process);
    const std::string channel = place(who).channel();
    const bool gone = firstcome::testing::eventually(
        [&] { return run(net::RedisCommand("PUBSUB", "NUMSUB", channel)).at(1).integer == 0; });
    if (!gone) throw std::runtime_error("still subscribed");
  }
  /// The next message to this process; throws where none comes.
  FifoGrant heard(const Asker& who) {
    std::vector<std::string>& all = messages[who.process];
    if (!loop.run_until([&] { return !all.empty(); })) throw std::runtime_error("no message");
    const std::string text = all.front();
    all.erase(all.begin());
    const auto grant = read_message(text);
    if (!grant) throw std::runtime_error("no message but: " + text);
    return *grant;
  }
  /// Whether no message has come. One that was sent before this one would come before it.
  bool is_silent(const Asker& who) {
    run(net::RedisCommand("PUBLISH", place(who).channel(), "0 0 0 0"));
    return heard(who) == FifoGrant{};
  }

  FifoScripts scripts = skewed(FifoScripts::standard());
  FifoTimes times;
  net::testing::Loop loop;
  std::unique_ptr<firstcome::testing::RedisServer> server;
  std::unique_ptr<net::RedisConnection> connection;
  std::map<std::string, std::vector<std::string>> messages;
  std::map<std::string, std::unique_ptr<net::RedisSubscriber>> inboxes;
  Milliseconds skew{0};
  CancelReply cancelled;
};

}  // namespace firstcome::lock::test
