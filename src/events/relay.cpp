#include "events/relay.hpp"

#include "engine/drive_until.hpp"
#include "events/blocking_caller.hpp"
#include "events/stream_leases.hpp"
#include "events/troubles.hpp"

#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <set>
#include <stop_token>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace firstcome::events {

using SteadyClock = std::chrono::steady_clock;
namespace {

// What a trouble keeps from happening.
constexpr std::string_view looks = "undelivered events are found";
constexpr std::string_view leases_are_given = "streams are leased";
constexpr std::string_view reads = "the outbox is read";
constexpr std::string_view delivers = "events are delivered";
constexpr std::string_view brings_the_rest = "the stock is told";
constexpr std::string_view marks = "the mark of what is delivered is stored";

constexpr std::size_t most_streams_found = 1'000;  // with so many there may be more

}  // namespace

struct Relay::Impl {
  Impl(Engine& its_engine, engine::ReservationIds its_ids, std::unique_ptr<EventSink> its_sink,
       std::unique_ptr<LockSpace> locks, RelayOptions its_options)
      : options(its_options),
        caller(its_engine),
        ids(std::move(its_ids)),
        sink(std::move(its_sink)),
        leases(std::move(locks), [this] { wake(); }) {}

  /// One stream in a round.
  struct Page {
    SaleHandle stream;
    std::uint64_t token = 0;
    std::uint64_t upto = 0;
  };

  // --- from any thread ---
  void ring(SaleHandle stream);
  void wake();

  // --- the thread's ---
  void run(const std::stop_token& stop);
  void wait(const std::stop_token& stop);
  void look_through(const std::stop_token& stop);
  void forget_what_is_delivered(const std::vector<SaleHandle>& undelivered);
  void deliver_nothing(const std::stop_token& stop);
  void tell_of_the_rest();
  void stand_by();
  std::vector<Page> begin_round();
  void round(const std::stop_token& stop);
  void read(std::vector<Page>& pages);
  std::expected<void, std::string> deliver(const std::stop_token& stop);
  bool bring(const std::stop_token& stop);
  void move_watermarks(const std::vector<Page>& pages);
  void done_with(SaleHandle stream);
  void hold_back();
  void failed(std::string_view cause, std::string sentence, SaleHandle stream = {});

  const RelayOptions options;
  BlockingCaller caller;
  engine::ReservationIds ids;
  const std::unique_ptr<EventSink> sink;

  // The thread's.
  std::set<SaleHandle> due;    ///< to be delivered, not held yet
  std::set<SaleHandle> ready;  ///< held, and not known to be empty
  SaleHandle last_served{};
  std::vector<Event> events;  ///< of this round
  std::vector<StockLevel> levels;
  SteadyClock::time_point look_at{};
  SteadyClock::time_point pause_until{};
  std::chrono::milliseconds pause{0};

  mutable std::mutex mutex;  ///< protects what follows
  std::condition_variable_any changed;
  std::set<SaleHandle> rung;
  bool woken = false;

  Troubles troubles{"relay"};

  std::atomic<std::uint64_t> events_delivered{0}, rounds{0}, failures{0}, streams{0};

  StreamLeases leases;  ///< its callback uses the above
  std::jthread thread;
};

void Relay::Impl::ring(SaleHandle stream) {
  const std::lock_guard guard(mutex);
  if (!rung.insert(stream).second) return;
  woken = true;
  changed.notify_one();
}

void Relay::Impl::wake() {
  const std::lock_guard guard(mutex);
  woken = true;
  changed.notify_one();
}

void Relay::Impl::run(const std::stop_token& stop) {
  // Of this thread only, on Linux. Not the idle class: a mutex that it holds must not wait for a quiet machine.
  if (options.priority == RelayOptions::Priority::background) ::setpriority(PRIO_PROCESS, 0, 19);
  while (!stop.stop_requested()) {
    wait(stop);
    if (SteadyClock::now() >= look_at) look_through(stop);
    stand_by();
    if (!ready.empty() && SteadyClock::now() >= pause_until) round(stop);
  }
}

/// Until there is something to do. While the relay holds itself back, a ring is none.
void Relay::Impl::wait(const std::stop_token& stop) {
  std::unique_lock guard(mutex);
  const bool held_back = SteadyClock::now() < pause_until;
  if (held_back || ready.empty()) {
    const auto until = ready.empty() ? look_at : std::min(look_at, pause_until);
    changed.wait_until(guard, stop, until, [&] { return woken && !held_back; });
  }
  woken = false;
  due.insert(rung.begin(), rung.end());
  rung.clear();
}

void Relay::Impl::look_through(const std::stop_token& stop) {
  const auto found = caller.ask(FindUndelivered{});
  look_at = SteadyClock::now() + options.look_through;
  if (!found) return failed(looks, "undelivered events cannot be found: " + found.error().detail);
  troubles.end(looks);
  due.insert(found->streams.begin(), found->streams.end());
  if (found->streams.size() < most_streams_found) forget_what_is_delivered(found->streams);
  sink->left_behind().empty() ? tell_of_the_rest() : deliver_nothing(stop);
}

/// Whatever held those streams back, another process has delivered them.
void Relay::Impl::forget_what_is_delivered(const std::vector<SaleHandle>& undelivered) {
  std::set<std::uint64_t> still;
  for (const SaleHandle stream : undelivered) still.insert(value(stream));
  for (const std::string_view cause : {leases_are_given, reads, marks}) troubles.end_for_others(cause, still);
  if (still.empty()) troubles.end(delivers);
}

/// For the sake of what was left behind.
void Relay::Impl::deliver_nothing(const std::stop_token& stop) {
  events.clear();
  levels.clear();
  if (deliver(stop)) tell_of_the_rest();
}

void Relay::Impl::tell_of_the_rest() {
  const std::string rest = sink->left_behind();
  rest.empty() ? troubles.end(brings_the_rest) : failed(brings_the_rest, "the stock cannot be told: " + rest);
}

void Relay::Impl::stand_by() {
  for (auto stream = due.begin(); stream != due.end() && leases.wanted() < options.standing_by;) {
    if (leases.holds(*stream)) {
      ready.insert(*stream);
    } else {
      leases.want(*stream);
    }
    stream = due.erase(stream);
  }
  const StreamLeases::Answers answers = leases.take_answers();
  for (const SaleHandle stream : answers.granted) {
    troubles.end(leases_are_given, value(stream));
    ready.insert(stream);
  }
  // They are wanted again when all streams are looked through.
  for (const StreamLeases::Refused& refused : answers.refused) {
    failed(leases_are_given,
           fmt::format("no lease of stream {}: {} {}", value(refused.stream), text_of(refused.why.why),
                       refused.why.detail),
           refused.stream);
  }
  streams.store(leases.wanted(), std::memory_order_relaxed);
}

std::vector<Relay::Impl::Page> Relay::Impl::begin_round() {
  std::vector<Page> pages;
  // Behind those of the last round first, so that everybody's turn comes.
  std::vector<SaleHandle> in_turn(ready.upper_bound(last_served), ready.end());
  in_turn.insert(in_turn.end(), ready.begin(), ready.upper_bound(last_served));
  for (const SaleHandle stream : in_turn) {
    if (pages.size() == options.streams) break;
    if (leases.holds(stream)) {
      pages.push_back({stream, leases.token(stream), 0});
      last_served = stream;
    } else {
      due.insert(stream);  // behind whoever has it now
      ready.erase(stream);
    }
  }
  return pages;
}

void Relay::Impl::round(const std::stop_token& stop) {
  std::vector<Page> pages = begin_round();
  events.clear();
  levels.clear();
  read(pages);
  if (!events.empty() || !levels.empty()) {
    if (!bring(stop)) return;
  }
  move_watermarks(pages);
}

/// What cannot be read now is looked for again; it keeps nothing else back.
void Relay::Impl::read(std::vector<Page>& pages) {
  const std::uint32_t part = std::max(options.page / static_cast<std::uint32_t>(std::max(pages.size(), 1UL)), 1U);
  std::vector<ReadOutbox> commands;
  for (const Page& page : pages) {
    commands.push_back({page.stream, page.stream == whole_store ? part : std::min(part, options.page_of_sale)});
  }
  auto answers = caller.ask_all(std::move(commands));
  for (std::size_t i = 0; i < pages.size(); ++i) {
    if (!answers[i]) {
      failed(reads, "the outbox cannot be read: " + answers[i].error().detail, pages[i].stream);
      continue;
    }
    troubles.end(reads, value(pages[i].stream));
    OutboxAnswer& answer = *answers[i];
    pages[i].upto = answer.upto;
    for (const EventView& view : answer.items) {
      if (leaves_the_house(view.type)) events.push_back(event_of(view, ids));
    }
    std::ranges::move(answer.levels, std::back_inserter(levels));
  }
}

/// A sink may find only now that its settings cannot be, as of a file that has gone.
std::expected<void, std::string> Relay::Impl::deliver(const std::stop_token& stop) {
  try {
    return sink->deliver(events, levels, stop);
  } catch (const std::exception& error) {
    return std::unexpected(std::string(error.what()));
  }
}

bool Relay::Impl::bring(const std::stop_token& stop) {
  const auto brought = deliver(stop);
  if (!brought) {
    hold_back();
    if (!stop.stop_requested()) failed(delivers, "events cannot be delivered: " + brought.error());
    return false;
  }
  pause = {};
  troubles.end(delivers);
  tell_of_the_rest();
  rounds.fetch_add(1, std::memory_order_relaxed);
  events_delivered.fetch_add(events.size(), std::memory_order_relaxed);
  return true;
}

void Relay::Impl::move_watermarks(const std::vector<Page>& pages) {
  std::vector<DeliverEvents> commands;
  for (const Page& page : pages) {
    if (page.upto == 0) {
      done_with(page.stream);
    } else {
      commands.push_back({page.stream, page.upto, page.token});
    }
  }
  const auto answers = caller.ask_all(commands);
  for (std::size_t i = 0; i < answers.size(); ++i) {
    const SaleHandle stream = commands[i].stream;
    if (!answers[i]) {
      failed(marks, "the mark of what is delivered cannot be stored: " + answers[i].error().detail, stream);
      done_with(stream);
      continue;
    }
    troubles.end(marks, value(stream));
    if (answers[i]->outcome == Outcome::sale_not_found) {
      done_with(stream);
    } else if (answers[i]->outcome == Outcome::lease_lost) {
      done_with(stream);
      due.insert(stream);
    }
  }
}

/// Empty when it was read (who wrote since has rung since), or in trouble (found again by looking through).
void Relay::Impl::done_with(SaleHandle stream) {
  ready.erase(stream);
  leases.give_back(stream);
}

void Relay::Impl::hold_back() {
  pause = std::clamp(pause * 2, options.first_pause, options.longest_pause);
  pause_until = SteadyClock::now() + pause;
}

void Relay::Impl::failed(std::string_view cause, std::string sentence, SaleHandle stream) {
  failures.fetch_add(1, std::memory_order_relaxed);
  troubles.begin(cause, std::move(sentence), value(stream));
}

Relay::Relay(Engine& engine, engine::ReservationIds ids, std::unique_ptr<EventSink> sink,
             std::unique_ptr<LockSpace> locks, RelayOptions options)
    : impl_(std::make_unique<Impl>(engine, std::move(ids), std::move(sink), std::move(locks), options)) {}

Relay::~Relay() {
  stop([] {});
}

std::function<void(SaleHandle)> Relay::doorbell() {
  return [impl = impl_.get()](SaleHandle stream) { impl->ring(stream); };
}

void Relay::start() {
  impl_->thread = std::jthread([impl = impl_.get()](const std::stop_token& stop) { impl->run(stop); });
}

void Relay::request_stop() { impl_->thread.request_stop(); }

void Relay::stop(const std::function<void()>& meanwhile) {
  if (!impl_->thread.joinable()) return;
  std::atomic<bool> ended = false;
  impl_->thread.request_stop();
  const std::jthread joiner([&] {
    impl_->thread.join();
    ended = true;
  });
  engine::drive_until([&] { return ended.load(); }, SteadyClock::time_point::max(), meanwhile);
}

RelayCounters Relay::counters() const {
  RelayCounters counters;
  counters.events = impl_->events_delivered;
  counters.rounds = impl_->rounds;
  counters.failures = impl_->failures;
  counters.streams = impl_->streams;
  return counters;
}

std::string Relay::trouble() const { return impl_->troubles.sentence(); }

}  // namespace firstcome::events
