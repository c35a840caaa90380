#include "net/redis/connection.hpp"

#include "net/redis/link.hpp"
#include "net/redis/waiter.hpp"

#include <boost/asio/post.hpp>

#include <algorithm>
#include <atomic>
#include <deque>
#include <optional>
#include <utility>
#include <vector>

namespace firstcome::net {

namespace asio = boost::asio;
using std::chrono::steady_clock;
using Form = RedisCommand::Form;
using Kind = RedisFailure::Kind;

namespace {

std::atomic<std::uint64_t> commands_sent = 0;

constexpr std::string_view asking_bytes = "*1\r\n$6\r\nASKING\r\n";
constexpr std::string_view ping_bytes = "*1\r\n$4\r\nPING\r\n";

enum class Prefix : std::uint8_t { none, asking };

struct Entry {
  RedisCommand command;  // emptied when it is sent, unless it is a script
  steady_clock::time_point deadline;
  RedisDone done;
  Prefix prefix = Prefix::none;
  bool prefix_answered = false;
  Form form = Form::usual;
  std::uint64_t end = 0;  // of its bytes among all of the connection's
  steady_clock::time_point sent_at = {};
  bool given_up = false;  // it was too late, and its answer is only waited for to be thrown away
};

RedisFailure not_sent(std::string_view code, std::string detail) {
  return {.kind = Kind::not_sent, .code = std::string(code), .detail = std::move(detail)};
}

}  // namespace

std::uint64_t redis_commands_sent() { return commands_sent.load(std::memory_order_relaxed); }

class RedisConnection::Impl final : public RedisLink {
 public:
  using RedisLink::RedisLink;

  void execute(Entry entry);
  void close() override;
  std::size_t pending() const { return sent_.size() + waiting_.size(); }

  std::move_only_function<void(std::uint64_t)> connected;
  std::move_only_function<void(const std::string&)> lost;
  std::move_only_function<void(const RedisFailure&)> refused_by_server;

 private:
  struct Ended {
    RedisDone done;
    RedisFailure failure;
  };

  void link_up(std::uint64_t nth) override;
  void link_replied(RedisReply reply) override;
  void link_down(Was was, std::uint64_t sent) override;

  void send(Entry entry);
  void refuse(Entry entry, RedisFailure failure);
  void take_sent(std::vector<Ended>& ended, std::uint64_t sent, const RedisFailure& unsent);
  void take_waiting(std::vector<Ended>& ended, const RedisFailure& unsent);
  void note(const RedisFailure& failure);
  static void complete(std::vector<Ended>& ended);

  std::optional<TimePoint> link_due() override;
  bool is_silent(TimePoint now) const;
  TimePoint heard_at() const;
  void give_up_late(TimePoint now);
  void drop_late_waiting();
  void ping_when_idle(TimePoint now);
  std::optional<TimePoint> next_due() const;

  std::deque<Entry> sent_;     // and not answered
  std::deque<Entry> waiting_;  // for a connection
  std::size_t waiting_bytes_ = 0;

  TimePoint last_sent_ = {};
  bool timing_out_ = false;  // the connection is cut because of a deadline
};

void RedisConnection::Impl::execute(Entry entry) {
  ++counted().commands;
  const std::size_t waits = is_up() ? wire().unsent() : waiting_bytes_;
  if (pending() >= options().most_commands || waits + entry.command.size_bound() > options().most_bytes) {
    return refuse(std::move(entry), not_sent("full", "too many commands wait for " + to_string(endpoint().address)));
  }
  if (entry.deadline <= steady_clock::now())
    return refuse(std::move(entry), not_sent("late", "its time was over before it was sent"));
  if (!is_up() && !is_trying() && options().when_down == RedisOptions::WhenDown::fail) {
    return refuse(std::move(entry), why_down());
  }
  const steady_clock::time_point deadline = entry.deadline;
  if (is_up()) {
    send(std::move(entry));
  } else {
    waiting_bytes_ += entry.command.size_bound();
    waiting_.push_back(std::move(entry));
  }
  watch(deadline);
}

void RedisConnection::Impl::refuse(Entry entry, RedisFailure failure) {
  note(failure);
  asio::post(executor(), [done = std::move(entry.done), failure = std::move(failure)]() mutable {
    done(std::unexpected(std::move(failure)));
  });
}

void RedisConnection::Impl::note(const RedisFailure& failure) {
  RedisCounters& counters = counted();
  switch (failure.kind) {
    case Kind::not_sent:
      ++counters.not_sent;
      break;
    case Kind::unknown:
      ++counters.unknown;
      break;
    case Kind::refused:
      ++counters.refused;
      break;
    case Kind::timed_out:
      ++counters.timed_out;
      break;
  }
}

/// REQUIRES: up.
void RedisConnection::Impl::send(Entry entry) {
  if (entry.prefix == Prefix::asking) wire().out().append(asking_bytes);
  entry.command.append_to(wire().out(), entry.form);
  commands_sent.fetch_add(1, std::memory_order_relaxed);
  entry.prefix_answered = false;
  entry.end = wire().appended();
  entry.sent_at = last_sent_ = steady_clock::now();
  if (!entry.command.has_script()) entry.command = RedisCommand();
  sent_.push_back(std::move(entry));
  wire().flush_soon();
}

void RedisConnection::Impl::link_up(std::uint64_t nth) {
  if (connected) connected(nth);
  while (is_up() && !waiting_.empty()) {
    Entry entry = std::move(waiting_.front());
    waiting_.pop_front();
    send(std::move(entry));
  }
  if (waiting_.empty()) waiting_bytes_ = 0;
  if (is_up()) watch(steady_clock::now() + options().idle_ping);
}

void RedisConnection::Impl::link_replied(RedisReply reply) {
  if (sent_.empty()) return drop(to_string(endpoint().address) + " answered what it was not asked");
  Entry& first = sent_.front();
  if (first.prefix == Prefix::asking && !first.prefix_answered) {
    first.prefix_answered = true;  // if it was refused, so is what follows
    return;
  }
  ++counted().replies;
  Entry entry = std::move(first);
  sent_.pop_front();
  if (entry.given_up) return;
  if (reply.type != RedisReply::Type::error) return entry.done(std::move(reply));
  RedisFailure failure = refused(std::move(reply.text));
  if (failure.code == "NOSCRIPT" && entry.command.has_script() && entry.form == Form::usual) {
    ++counted().scripts_by_text;
    entry.form = Form::with_text;
    return send(std::move(entry));
  }
  note(failure);
  if (refused_by_server) refused_by_server(failure);
  entry.done(std::unexpected(std::move(failure)));
}

void RedisConnection::Impl::take_sent(std::vector<Ended>& ended, std::uint64_t sent, const RedisFailure& unsent) {
  const steady_clock::time_point now = steady_clock::now();
  for (Entry& entry : sent_) {
    if (entry.given_up) continue;
    RedisFailure failure{.kind = Kind::unknown, .detail = unsent.detail};
    if (timing_out_ && entry.deadline <= now) failure.kind = Kind::timed_out;
    if (entry.end > sent) failure = unsent;
    ended.push_back({std::move(entry.done), std::move(failure)});
  }
  sent_.clear();
}

void RedisConnection::Impl::take_waiting(std::vector<Ended>& ended, const RedisFailure& unsent) {
  for (Entry& entry : waiting_) ended.push_back({std::move(entry.done), unsent});
  waiting_.clear();
  waiting_bytes_ = 0;
}

void RedisConnection::Impl::complete(std::vector<Ended>& ended) {
  for (Ended& one : ended) one.done(std::unexpected(std::move(one.failure)));
}

void RedisConnection::Impl::link_down(Was was, std::uint64_t sent) {
  std::vector<Ended> ended;
  const RedisFailure unsent = why_down();
  if (was == Was::up) take_sent(ended, sent, unsent);
  if (options().when_down == RedisOptions::WhenDown::fail) take_waiting(ended, unsent);
  timing_out_ = false;
  for (const Ended& one : ended) note(one.failure);
  if (lost) lost(unsent.detail);
  complete(ended);
}

/// Ends the link; what runs is completed later, when its owner has gone.
void RedisConnection::Impl::close() {
  const std::uint64_t sent = is_up() ? wire().sent() : 0;
  stop();
  const RedisFailure unsent =
      not_sent("closed", "the connection to " + to_string(endpoint().address) + " was closed here");
  std::vector<Ended> ended;
  take_sent(ended, sent, unsent);
  take_waiting(ended, unsent);
  if (ended.empty()) return;
  asio::post(executor(), [ended = std::move(ended)]() mutable { complete(ended); });
}

RedisLink::TimePoint RedisConnection::Impl::heard_at() const {
  return std::max(wire().heard_at(), sent_.empty() ? last_sent_ : sent_.front().sent_at);
}

/// Whether an answer is late and the server has said nothing at all for a while. One that is late while others come is
/// no reason to cut a connection that many share.
bool RedisConnection::Impl::is_silent(TimePoint now) const {
  if (!is_up() || now < heard_at() + options().silence_limit) return false;
  return std::ranges::any_of(sent_, [now](const Entry& entry) { return entry.deadline <= now; });
}

/// Replies come in the order of the commands, so that of a late command is known when it comes after all.
void RedisConnection::Impl::give_up_late(TimePoint now) {
  std::vector<Ended> ended;
  for (Entry& entry : sent_) {
    if (entry.given_up || entry.deadline > now) continue;
    entry.given_up = true;
    ended.push_back(
        {std::move(entry.done),
         {.kind = Kind::timed_out, .detail = "no answer from " + to_string(endpoint().address) + " in time"}});
  }
  for (const Ended& one : ended) note(one.failure);
  complete(ended);
}

void RedisConnection::Impl::ping_when_idle(TimePoint now) {
  if (!is_up() || !sent_.empty() || now < heard_at() + options().idle_ping) return;
  wire().out().append(ping_bytes);
  last_sent_ = now;
  sent_.push_back({.command = {},
                   .deadline = now + options().silence_limit,
                   .done = [](const RedisResult&) {},
                   .end = wire().appended(),
                   .sent_at = now});
  wire().flush_soon();
}

void RedisConnection::Impl::drop_late_waiting() {
  const steady_clock::time_point now = steady_clock::now();
  std::vector<Ended> ended;
  const std::string why = why_down().detail.empty() ? "no connection" : why_down().detail;
  const char* const code = why_down().is_denied() ? "denied" : "late";
  for (auto entry = waiting_.begin(); entry != waiting_.end();) {
    if (entry->deadline > now) {
      ++entry;
      continue;
    }
    waiting_bytes_ -= entry->command.size_bound();
    ended.push_back({std::move(entry->done), not_sent(code, "not sent in time: " + why)});
    entry = waiting_.erase(entry);
  }
  for (const Ended& one : ended) note(one.failure);
  complete(ended);
}

std::optional<RedisLink::TimePoint> RedisConnection::Impl::link_due() {
  const TimePoint now = steady_clock::now();
  if (is_silent(now)) {
    timing_out_ = true;
    drop("no answer from " + to_string(endpoint().address) + " in time");
  } else {
    give_up_late(now);
  }
  drop_late_waiting();
  ping_when_idle(now);
  return next_due();
}

std::optional<RedisLink::TimePoint> RedisConnection::Impl::next_due() const {
  std::optional<TimePoint> next;
  const auto at = [&next](TimePoint due) { next = std::min(next.value_or(due), due); };
  for (const Entry& entry : waiting_) at(entry.deadline);
  for (const Entry& entry : sent_) at(entry.given_up ? heard_at() + options().silence_limit : entry.deadline);
  if (is_up() && sent_.empty()) at(heard_at() + options().idle_ping);
  return next;
}

RedisConnection::RedisConnection(IoExecutor executor, RedisEndpoint endpoint, RedisOptions options, RedisRole role)
    : RedisLinkHandle(std::make_shared<Impl>(executor, std::move(endpoint), std::move(options), role)) {}

RedisConnection::Impl& RedisConnection::impl() const { return static_cast<Impl&>(link()); }

void RedisConnection::execute(RedisCommand command, steady_clock::time_point deadline, RedisDone done) {
  impl().execute({.command = std::move(command), .deadline = deadline, .done = std::move(done)});
}

void RedisConnection::execute_asking(RedisCommand command, steady_clock::time_point deadline, RedisDone done) {
  impl().execute(
      {.command = std::move(command), .deadline = deadline, .done = std::move(done), .prefix = Prefix::asking});
}

Task<RedisResult> RedisConnection::execute(RedisCommand command, steady_clock::time_point deadline) {
  auto waiter = std::make_shared<RedisWaiter<RedisResult>>(impl().executor());
  RedisDone done = [waiter](RedisResult result) { waiter->set(std::move(result)); };
  execute(std::move(command), deadline, std::move(done));
  co_return co_await wait_for(waiter);
}

void RedisConnection::when_connected(std::move_only_function<void(std::uint64_t nth)> callback) {
  impl().connected = std::move(callback);
}

void RedisConnection::when_lost(std::move_only_function<void(const std::string& reason)> callback) {
  impl().lost = std::move(callback);
}

void RedisConnection::when_refused(std::move_only_function<void(const RedisFailure& failure)> callback) {
  impl().refused_by_server = std::move(callback);
}

bool RedisConnection::is_connected() const { return impl().is_up(); }
std::size_t RedisConnection::pending() const { return impl().pending(); }

}  // namespace firstcome::net
