#include "engine/redis/sale_desk.hpp"

#include "engine/redis/outbox_codec.hpp"
#include "engine/redis/sale_scripts.hpp"
#include "sale/hash.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <utility>

namespace firstcome::engine {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr unsigned batch_weight = 64;  // commands that cost as much as a Reserve
constexpr int steps_of_time = 128;     // ends of holds and grants that a call may make
constexpr milliseconds pause_when_refused{50};
constexpr milliseconds pause_when_in_trouble{250};
constexpr milliseconds longest_wait{50};  // a WAIT holds up all that is sent behind it
constexpr std::chrono::hours farthest_due{
    24};                                    // later things are planned by then; nanoseconds hold no more than 292 years
constexpr milliseconds busy_peek{1'000};    // what other nodes began is found by then where units are held
constexpr milliseconds quiet_peek{10'000};  // where nothing is held and nobody waits
constexpr milliseconds over_peek{30'000};   // where nothing can happen any more
using PeekGrid = std::chrono::duration<milliseconds::rep, std::ratio<1, 20>>;  // looks of many sales leave together
constexpr std::size_t clock_bytes = 6;  // of the counters, which begin with the time of the last call
constexpr seconds claims_outlive{10};   // a charge of a node that may have died

/// What a command costs the server, in Reserves. A page of one customer is found by a walk from one of their marks.
unsigned weight_of(const Command& command) {
  const auto* list = std::get_if<ListReservations>(&command);
  if (list == nullptr) return 1;
  const unsigned walk = list->customer ? (list->limit + 128) / 8 : 0;
  return 1 + list->limit / 2 + walk;
}

}  // namespace

SaleDesk::SaleDesk(DeskOffice& office, KnownSale sale)
    : office_(office),
      sale_(std::make_shared<const KnownSale>(std::move(sale))),
      keys_(sale_->handle),
      pause_(office.executor),
      peek_pause_(busy_peek),
      jitter_(static_cast<unsigned>(office.refusal_seed ^ value(sale_->handle))) {}

void SaleDesk::submit(Operation& operation, SteadyTime deadline) { enter({&operation, nullptr, deadline}); }

void SaleDesk::submit(std::unique_ptr<DeskRequest> request, SteadyTime deadline) {
  enter({nullptr, std::move(request), deadline});
}

/// While it is in trouble nobody is made to wait: polls find out when that is over.
void SaleDesk::enter(Entry entry) {
  if (!trouble_.empty()) {
    complete(entry, std::unexpected(Failure{trouble_code_, trouble_}));
    return office_.flush();
  }
  // Where no call is under way the next one measures the pace anew, whatever the last one took.
  if (calling_ && pace_.wait_behind(line_.size(), batch_weight) > office_.patience) {
    refuse(entry, "more requests wait for the sale than can be decided in time");
    return office_.flush();
  }
  entry.told = told_now(entry);
  line_.push_back(std::move(entry));
  start();
}

/// Surely nothing was decided.
void SaleDesk::refuse(Entry& entry, const std::string& why) {
  ++office_.overloaded;
  complete(entry, std::unexpected(Failure{FailureCode::overloaded, why}));
}

void SaleDesk::poll() {
  if (calling_ || peeking_) return;
  const SteadyTime now = SteadyClock::now();
  next_poll_ = now + busy_peek;
  if (!trouble_.empty() || due_at_ <= now) return start();
  peek();
}

SaleDesk::SteadyTime SaleDesk::next_poll() const { return calling_ || peeking_ ? SteadyTime::max() : next_poll_; }

/// Reads the sale's counters: a fraction of what a call costs, and nothing is written.
void SaleDesk::peek() {
  peeking_ = true;
  net::RedisCommand look("HMGET", keys_.hash, std::string_view{"m"}, std::string_view{"w"}, std::string_view{"store"});
  office_.client.execute(keys_.hash, std::move(look), SteadyClock::now() + office_.patience,
                         [weak = weak_from_this()](const net::RedisResult& result) {
                           if (const auto self = weak.lock()) self->peeked(result);
                         });
}

/// Whatever is not as it was, a call finds out what it means.
void SaleDesk::peeked(const net::RedisResult& result) {
  peeking_ = false;
  if (calling_) return;
  const std::string& counters = result ? result->at(0).text : std::string{};
  const bool there = counters.size() > clock_bytes && result->at(2).text == office_.registry.store();
  if (!there || counters.substr(clock_bytes) != counters_) {
    counters_ = there ? counters.substr(clock_bytes) : std::string{};
    peek_pause_ = busy_peek;
    return start();
  }
  if (const auto marks = read_marks(counters, result->at(1).text)) head_.outbox = *marks;
  peek_pause_ = std::min(2 * peek_pause_, quiet_peek);
  next_poll_ = std::min(due_at_, next_peek(SteadyClock::now()));
  office_.changed(sale_->handle);
}

/// Begins a call with what waits, unless one is under way.
void SaleDesk::start() {
  if (calling_) return;
  const SteadyTime now = SteadyClock::now();
  expire_late(now);
  calling_ = true;
  ++sequence_;
  called_at_ = now;
  call_deadline_ = now + office_.patience;
  fate_ = Fate::nothing_ran;
  gather();
  send();
}

/// Those have waited for as long as anybody may. The others go on.
void SaleDesk::expire_late(SteadyTime now) {
  bool some = false;
  while (!line_.empty() && line_.front().deadline <= now) {
    Entry entry = std::move(line_.front());
    line_.pop_front();
    refuse(entry, "it waited too long for its turn");
    some = true;
  }
  if (some) office_.flush();
}

bool SaleDesk::is_page(const Entry& entry) {
  if (entry.operation == nullptr) return entry.request->is_page();
  return std::holds_alternative<ListReservations>(entry.operation->command);
}

/// Takes from the line what fits into one call. Pages are asked for by themselves: their answers are long, and need not
/// be kept for a call that is made again.
void SaleDesk::gather() {
  for (unsigned weight = 0; !line_.empty() && weight < batch_weight;) {
    Entry& entry = line_.front();
    if (!under_way_.empty() && is_page(entry) != is_page(under_way_.front())) break;
    weight += entry.operation != nullptr ? weight_of(entry.operation->command) : batch_weight;
    entry.asked = how_to_ask(entry);
    under_way_.push_back(std::move(entry));
    line_.pop_front();
  }
}

Asked SaleDesk::how_to_ask(const Entry& entry) const {
  if (entry.operation == nullptr) return Asked::anew;
  const auto* reserve = std::get_if<Reserve>(&entry.operation->command);
  if (reserve == nullptr || !reserve->key) return Asked::anew;
  const std::uint64_t hash = sale::hash_of(reserve->key, office_.refusal_seed);
  const bool refused = office_.refusals.find(sale_->handle, reserve->key, hash, head_.now) != nullptr;
  return refused ? Asked::remembered : Asked::anew;
}

/// While the fate of an earlier sending is unknown it may still be on its way. Then the sale must remember this call
/// even where it changes nothing, so that the earlier one, should it arrive, has no effect any more.
net::RedisCommand SaleDesk::build_call() {
  const bool always = office_.durability == Durability::replicated || astray_;
  net::RedisCommand call(SaleScripts::standard().decide, {keys_.hash, keys_.stream}, office_.node, sequence_, answered_,
                         steps_of_time, std::string_view{always ? "always" : "changes"}, office_.registry.store(),
                         office_.outbox_limit, value(office_.past.incarnation_of(sale_->handle)));
  for (Entry& entry : under_way_) {
    if (entry.operation == nullptr) {
      entry.request->add(call);
    } else {
      add_command(call, entry.operation->command, entry.asked, head_.now - claims_outlive);
    }
  }
  return call;
}

/// A connection that was made anew may lead to a server that was started anew, and it may be another one again after
/// the look. Where the sale is moved to another node of a cluster, each redirection looks like that, so two looks do.
void SaleDesk::send() {
  constexpr int most_looks = 2;
  if (looks_ < most_looks && office_.client.settled_since(keys_.hash) > looked_at_) {
    return look_at_past({}, [this] {
      ++looks_;
      send();
    });
  }
  looks_ = 0;
  drop_lost();
  send_now();
}

void SaleDesk::send_now() {
  ++office_.calls;
  sent_at_ = SteadyClock::now();
  office_.client.execute(keys_.hash, build_call(), call_deadline_, [weak = weak_from_this()](net::RedisResult result) {
    if (const auto self = weak.lock()) self->answered(std::move(result));
  });
}

void SaleDesk::answered(net::RedisResult result) {
  if (!result) return failed(result.error());
  BinaryReader reader(result->text);
  const CallHead head = read_head(reader);
  if (reader.ok() && head.incarnation != office_.past.incarnation_of(sale_->handle)) {
    fate_ = Fate::may_have_run;  // it has run
    return look_at_past({}, [this, text = std::move(result->text)]() mutable { confirmed(std::move(text)); });
  }
  confirmed(std::move(result->text));
}

/// A reply whose incarnation is known.
void SaleDesk::confirmed(std::string reply) {
  if (office_.durability == Durability::replicated) return make_sure(std::move(reply));
  take(reply);
}

/// Waits until a replica has it. The call is made again (and writes again) where the connection is not the one that
/// made it: WAIT knows only what its own connection has written.
void SaleDesk::make_sure(std::string reply) {
  const auto left = std::chrono::duration_cast<milliseconds>(call_deadline_ - SteadyClock::now());
  if (left.count() <= 0) return failed({net::RedisFailure::Kind::timed_out, {}, "no replica has confirmed in time"});
  const milliseconds piece = std::min(left, longest_wait);
  office_.client.execute(keys_.hash, net::RedisCommand("WAIT", 1, piece.count()), call_deadline_ + milliseconds{100},
                         [weak = weak_from_this(), reply = std::move(reply)](net::RedisResult result) mutable {
                           const auto self = weak.lock();
                           if (!self) return;
                           if (!result)
                             return self->failed({net::RedisFailure::Kind::unknown, {}, result.error().detail});
                           if (self->office_.client.settled_since(self->keys_.hash) > self->sent_at_) {
                             self->fate_ = Fate::may_have_run;
                             return self->send();
                           }
                           if (result->integer >= 1) return self->take(reply);
                           self->make_sure(std::move(reply));
                         });
}

void SaleDesk::failed(const net::RedisFailure& failure) {
  using Kind = net::RedisFailure::Kind;
  if (failure.may_have_run()) {
    fate_ = Fate::may_have_run;
    astray_ = true;
  }
  const bool in_time = SteadyClock::now() < call_deadline_;
  // Either way the next sending waits for a connection, until the deadline.
  const bool was_cut = failure.kind == Kind::unknown || (failure.kind == Kind::not_sent && failure.code == "down");
  if (was_cut && in_time) {
    ++office_.calls_repeated;
    return again_soon();
  }
  if (failure.is_refused("NOSALE")) return missing();
  if (failure.is_refused("BEHIND")) return is_behind();
  if (failure.is_refused("CHANGED") && in_time) return has_changed();
  if (passes(failure) && in_time) return again_soon();
  if (failure.is_refused("STALE")) fate_ = Fate::may_have_run;
  give_up("Redis: " + failure.detail);
}

void SaleDesk::again_soon() {
  pause_.expires_after(pause_when_refused);
  pause_.async_wait([weak = weak_from_this()](const boost::system::error_code& error) {
    const auto self = weak.lock();
    if (self && !error) self->send();
  });
}

void SaleDesk::missing() {
  office_.find_out(sale_->handle, [weak = weak_from_this()](DeskOffice::Missing what) {
    const auto self = weak.lock();
    if (!self) return;
    using enum DeskOffice::Missing;
    if (what == erased) return self->erased();
    if (what == lost) {
      return self->give_up("the store has lost the sale " + self->sale_->terms.id, FailureCode::store_lost);
    }
    self->give_up("Redis: a sale's keys are missing, and the list of sales cannot be read");
  });
}

/// Somebody has deleted the sale.
void SaleDesk::erased() {
  std::vector<Entry> asked = std::exchange(under_way_, {});
  for (Entry& entry : std::exchange(line_, {})) asked.push_back(std::move(entry));
  for (Entry& entry : asked) {
    if (entry.operation == nullptr) {
      entry.request->fail({FailureCode::store_unavailable, "the sale has been deleted"});
      continue;
    }
    tell_not_found(entry);
  }
  calling_ = false;
  plan(SteadyClock::now());
  office_.flush();
}

/// REQUIRES: it is an operation.
void SaleDesk::tell_not_found(Entry& entry) {
  const auto not_found = [](const auto& one) { return Answer{typename std::decay_t<decltype(one)>::Answer{}}; };
  complete(entry, std::visit(not_found, entry.operation->command));
}

/// This call, and those that wait, get no outcome.
void SaleDesk::give_up(const std::string& why, FailureCode code) {
  if (trouble_.empty()) spdlog::warn("sale {}: {}", sale_->terms.id, why);
  trouble_ = why;
  trouble_code_ = code;
  const bool unknown = fate_ == Fate::may_have_run;
  fail_batch({unknown ? FailureCode::outcome_unknown : code, why});
  fail_line({code, why});
  calling_ = false;
  plan(SteadyClock::now());
  office_.flush();
}

void SaleDesk::fail_batch(const Failure& failure) {
  for (Entry& entry : std::exchange(under_way_, {})) complete(entry, std::unexpected(failure));
}

void SaleDesk::fail_line(const Failure& failure) {
  for (Entry& entry : std::exchange(line_, {})) complete(entry, std::unexpected(failure));
}

void SaleDesk::complete(Entry& entry, std::expected<Answer, Failure> answer) {
  if (entry.operation == nullptr) {
    assert(!answer);
    return entry.request->fail(answer.error());
  }
  entry.operation->answer = std::move(answer);
  office_.complete(*entry.operation);
}

/// A reply: answers those it decided, and puts the others first in line.
void SaleDesk::take(std::string_view reply) {
  BinaryReader reader(reply);
  const CallHead head = read_head(reader);
  if (!reader.ok() || head.decided > under_way_.size()) {
    fate_ = Fate::may_have_run;
    return give_up("Redis: a reply that cannot be read");
  }
  if (!trouble_.empty()) spdlog::info("sale {}: decides again", sale_->terms.id);
  trouble_.clear();
  note(head);
  std::vector<Entry> batch = std::exchange(under_way_, {});
  std::vector<Entry> again;
  bool readable = true;
  for (std::uint32_t i = 0; i < head.decided; ++i) {
    const Given given = readable ? give(batch[i], reader) : Given::unreadable;
    readable = given != Given::unreadable;
    if (!readable) complete(batch[i], std::unexpected(Failure{FailureCode::outcome_unknown, "an unreadable answer"}));
    if (given == Given::ask_again) again.push_back(std::move(batch[i]));
  }
  office_.commands_decided += head.decided;
  for (std::size_t i = head.decided; i < batch.size(); ++i) again.push_back(std::move(batch[i]));
  while (!again.empty()) {
    line_.push_front(std::move(again.back()));
    again.pop_back();
  }
  calling_ = false;
  plan(SteadyClock::now());
  if (!line_.empty() || head.more_due) start();
  office_.flush();
}

void SaleDesk::note(const CallHead& head) {
  if (head.kept) {
    answered_ = sequence_;
    kept_at_ = head.now;
    astray_ = false;
  }
  pace_.note(SteadyClock::now() - sent_at_);
  head_ = head;
  memory_ = office_.past.memory_of(sale_->handle, {head.sale.last, head.outbox.events, 0});
}

SaleDesk::Given SaleDesk::give(Entry& entry, BinaryReader& reader) {
  if (entry.operation == nullptr) return entry.request->read(reader, head_) ? Given::answered : Given::unreadable;
  auto answer = read_answer(reader, entry.operation->command, *sale_, head_.now);
  if (!answer) return Given::unreadable;
  if (auto* reserve = std::get_if<ReserveAnswer>(&*answer)) {
    if (reserve->outcome == outbox_is_full) {
      complete(entry, std::unexpected(Failure{FailureCode::outbox_full, "too many events wait to be delivered"}));
      return Given::answered;
    }
    if (tell_refusal(entry, *reserve) == Given::ask_again) return Given::ask_again;
  }
  complete(entry, std::move(*answer));
  return Given::answered;
}

/// Final refusals are remembered here, by their keys, and told again.
SaleDesk::Given SaleDesk::tell_refusal(const Entry& entry, ReserveAnswer& answer) {
  const Reserve& command = std::get<Reserve>(entry.operation->command);
  const bool not_made = entry.asked == Asked::remembered && answer.outcome == Outcome::reservation_not_found;
  if (!command.key || !(not_made || is_final_refusal(answer.outcome))) return Given::answered;
  const std::uint64_t hash = sale::hash_of(command.key, office_.refusal_seed);
  const sale::RememberedRefusal* known = office_.refusals.find(sale_->handle, command.key, hash, head_.now);
  if (known != nullptr) {
    sale::tell_again(*known, command, office_.refusal_seed, answer);
  } else if (not_made) {
    return Given::ask_again;  // it was forgotten in this moment
  } else {
    office_.refusals.remember(hash, sale::refusal_of(command, office_.refusal_seed, sale_->handle, answer, head_.now));
  }
  return Given::answered;
}

void SaleDesk::plan(SteadyTime now) {
  due_at_ = head_.due_in ? now + std::min<milliseconds>(*head_.due_in, farthest_due) : SteadyTime::max();
  next_poll_ = trouble_.empty() ? std::min(due_at_, next_peek(now)) : now + pause_when_in_trouble;
  office_.changed(sale_->handle);
}

/// Nodes do not look all at once, and looks at many sales leave together.
SaleDesk::SteadyTime SaleDesk::next_peek(SteadyTime now) {
  const bool something_runs = head_.sale.held > 0 || head_.sale.waiting > 0 || head_.unfinished;
  milliseconds pause = something_runs ? busy_peek : peek_pause_;
  if (head_.sale.closed && !something_runs) pause = over_peek;
  std::uniform_int_distribution<milliseconds::rep> early(0, pause.count() / 4);
  const SteadyTime at = now + pause - milliseconds{early(jitter_)};
  return SteadyTime{std::chrono::ceil<PeekGrid>(at.time_since_epoch())};
}

}  // namespace firstcome::engine
