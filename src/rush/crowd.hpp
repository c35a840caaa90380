// The crowd: all clicks of all customers, sent over a bounded number of connections by one thread.
//
// Mechanism: a click is a state machine (click.hpp) that needs a connection only while one request of it is under way.
// What is due is taken by whichever connection is free: first those who go on (look, pay, ask again), then those who
// arrive, in order. Those who wait stand in a heap by time, with one timer for all. So the cost of a waiting customer
// is its entry in the heap.
//
// Closed loop: everybody stands at the door at once, and a connection takes the next as soon as it is free; latencies
// count from the sending. Open loop: customer i arrives at i / rate, whether or not the server keeps up; the latency of
// the answer counts from there, so that a slow server cannot hide behind a generator that waits for it, nor behind
// sending customers away to come again.
#pragma once

#include "net/http_client.hpp"
#include "rush/click.hpp"
#include "rush/customer.hpp"
#include "rush/generator.hpp"
#include "rush/histogram.hpp"
#include "rush/options.hpp"
#include "rush/verdict.hpp"

#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/io_context.hpp>

#include <array>
#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <queue>
#include <string>
#include <vector>

namespace firstcome::rush {

/// Latencies of one kind of request by what was answered: a state, a problem's code, or `no answer`.
using Latencies = std::map<std::string, Histogram, std::less<>>;

/// What one of the servers did with what it was sent.
struct TargetFigures {
  std::uint64_t requests = 0;
  std::uint64_t unanswered = 0;
  std::uint64_t failed = 0;  ///< answered with a status of 500 or more
};

/// What the crowd has done so far.
struct CrowdFigures {
  std::uint64_t clicks = 0;    ///< that asked at least once
  std::uint64_t requests = 0;  ///< sent
  std::uint64_t unanswered = 0;
  std::uint64_t finished = 0;    ///< clicks that have a final answer
  std::uint64_t waiting = 0;     ///< clicks that are in the queue
  Latencies reserve, look, pay;  ///< reserve: also `not served` of those who had not been asked for when all went home
  std::vector<TargetFigures> targets;  ///< as many as there are, in their order
  Histogram lag;                       ///< open loop: how late arrivals were handled
  Moment last_arrival{};               ///< when the last first request was sent
  GeneratorFigures arriving;           ///< what the thread did until then
  Moment elapsed{};                    ///< until the last answer
  Moment last_confirmed{};             ///< when the last customer was told of a confirmed reservation
  bool sent_home = false;              ///< patience was over before all had a final answer
};

class Crowd {
 public:
  /// All of these must live as long as the crowd. REQUIRES: the io_context is run by one thread.
  Crowd(boost::asio::io_context& io, const RushOptions& options, const CustomerNames& names, const SaleSeen& sale);
  ~Crowd();
  Crowd(const Crowd&) = delete;
  Crowd& operator=(const Crowd&) = delete;

  /// Opens the connections, lets everybody in and completes when all have a final answer, or patience is over and what
  /// was under way has been answered or timed out.
  net::Task<void> run();

  /// Patience is over now. On the io_context's thread; nothing before they are let in.
  void send_home();

  /// How many connections were open when the crowd was let in. Some may be refused; run() goes on with the rest.
  std::size_t connected() const { return connected_; }

  const CrowdFigures& figures() const { return figures_; }
  std::size_t size() const { return clicks_.size(); }  ///< clicks in all
  std::vector<Told> told() const;

 private:
  using Timer = boost::asio::basic_waitable_timer<std::chrono::steady_clock,
                                                  boost::asio::wait_traits<std::chrono::steady_clock>, net::IoExecutor>;
  struct Worker;
  struct Due {
    Moment at;
    std::uint32_t click;
    bool operator>(const Due& other) const { return at > other.at; }
  };

  void move_on(Worker* worker);
  void make_clicks(const SaleSeen& sale);
  void count_the_unserved();
  Moment now() const { return std::chrono::steady_clock::now() - start_; }
  Moment arrives_at(std::uint32_t click) const;

  net::Task<void> open(Worker* worker);
  net::Task<void> work(Worker* worker);
  net::Task<Reply::Kind> converse(Worker* worker, std::uint32_t index);
  void compose(net::ClientRequest& request, const Click& click) const;
  void record(Click::Do asked, const Reply& reply, Moment latency);
  void follow_up(std::uint32_t index);

  std::optional<std::uint32_t> take();
  void release(Moment at);
  void wake();
  void arm();
  void finish_if_over();

  boost::asio::io_context& io_;
  const RushOptions& options_;
  const CustomerNames& names_;
  const SaleChoice choice_;
  std::vector<std::string> reservations_;  // a path for each sale
  std::chrono::steady_clock::time_point start_{};

  std::vector<Click> clicks_;       // those of one customer stand side by side
  std::uint32_t next_arrival_ = 0;  // of clicks_: not yet taken
  std::uint32_t arrived_ = 0;       // of clicks_: those before it may be taken
  std::deque<std::uint32_t> going_on_;
  std::priority_queue<Due, std::vector<Due>, std::greater<>> waiting_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::vector<Worker*> idle_;
  std::size_t moved_ = 0;  // connections, to another server
  std::size_t connected_ = 0;
  std::size_t opening_ = 0;
  Timer timer_;
  std::optional<Moment> armed_for_;
  Timer done_;
  std::optional<ThreadMeter> meter_;
  bool over_ = false;
  bool waking_ = false;
  CrowdFigures figures_;
};

}  // namespace firstcome::rush
