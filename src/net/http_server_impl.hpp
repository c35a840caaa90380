// The inside of HttpServer. `http_server.cpp` makes the rounds; `http_exchange.cpp` takes a connection through them.
//
// A connection is, at any time, in one phase, in at most one list of deadlines, and at most once in `answers_`. It may
// be more than once in `queue_`; only a look that finds it `queued` counts.
#pragma once

#include "net/deadline_list.hpp"
#include "net/http_connection.hpp"
#include "net/http_server.hpp"
#include "net/listener.hpp"
#include "net/poller.hpp"
#include "net/response.hpp"

#include <atomic>
#include <functional>
#include <mutex>
#include <optional>
#include <vector>

namespace firstcome::net {

struct HttpServer::Impl final : Responder {
  Impl(HttpServerOptions options, HttpHandler& handler, Driven& driven);
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  virtual ~Impl() = default;

  // The members of HttpServer, as documented there.
  std::uint16_t port() const { return listener_.port(); }
  HttpServerCounters counters() const;
  void run();
  TimePoint drain_end() const { return drain_until_.value(); }
  void post(std::move_only_function<void()> task);
  void wake() noexcept;
  void stop() noexcept;
  bool is_stopping() const noexcept { return stopping_.load(); }

  // What connections ask for.
  void respond(Connection& connection, unsigned status, std::string_view content_type, std::string_view body,
               std::span<const HttpField> fields) override;

 private:
  // --- rounds: http_server.cpp ---
  void round();
  std::optional<TimePoint> wait_until() const;
  void run_posted();
  void accept_some();
  void admit(FileDescriptor fd);
  void pause_accept();
  void resume_accept();
  void expire();
  void begin_drain();
  bool drained() const;
  void abandon_the_rest();
  void say_last_words(Connection& connection);

  // --- one connection: http_exchange.cpp ---
  void on_event(Connection& connection, std::uint32_t events);
  void hurry(Connection& connection);
  void look_at(Connection& connection);
  void read(Connection& connection);
  void advance(Connection& connection);
  void wait_for_more(Connection& connection);
  void make_room(Connection& connection);
  bool say_continue(Connection& connection);
  void refuse(Connection& connection, BadRequest why);
  void flush();
  void send_answer(Connection& connection);
  void send_rest(Connection& connection);
  void finish(Connection& connection);
  void end(Connection& connection);
  void discard(Connection& connection);
  void lost(Connection& connection);
  void forget_unsent(Connection& connection);
  void release(Connection& connection);
  void queue(Connection& connection);
  void give_back_input(Connection& connection);

  const HttpServerOptions options_;
  const RequestLimits limits_;
  HttpHandler& handler_;
  Driven& driven_;
  Listener listener_;
  Poller poller_;
  HttpServerCounters counters_;

  DeadlineList header_deadlines_, body_deadlines_, idle_deadlines_, write_deadlines_, linger_deadlines_;
  InputPool inputs_{limits_};
  Connections connections_{*this};
  std::vector<Connection*> queue_, looking_;  // to be looked at in the next round; in this one
  std::vector<Connection*> answers_;          // to be sent at the end of this round
  OutputBuffer out_;                          // what they are
  DateField date_;
  std::size_t unsent_bytes_ = 0;  // of all connections

  TimePoint now_;
  std::optional<TimePoint> driven_due_;
  std::optional<TimePoint> accept_again_;  // set: the listener is not watched until then
  std::optional<TimePoint> drain_until_;   // set: draining

  std::atomic<bool> stopping_{false};
  std::atomic<bool> woken_{false};
  std::mutex posted_mutex_;
  std::vector<std::move_only_function<void()>> posted_;  // guarded by posted_mutex_
};

}  // namespace firstcome::net
