#include "lock/lock_book.hpp"

#include <algorithm>
#include <cassert>
#include <iterator>

namespace firstcome::lock {
namespace {

std::uint64_t micros(Instant instant) {
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::microseconds>(instant.time_since_epoch()).count());
}

}  // namespace

std::string LockBook::key_of(std::string_view name, std::string_view lease) {
  std::string key(name);
  key.push_back('\0');  // in no lease
  return key.append(lease);
}

LockBook::Answer LockBook::acquire(const Ask& ask, Instant now) {
  assert(ask.length > Milliseconds{0});
  advance(now);
  if (held_ >= most_held_ && !entries_.contains(ask.name)) {
    events_.push_back({Event::Is::not_acquired, ask.name, Milliseconds{0}, NotAcquired::Why::full});
    return {.is = Answer::Is::full};
  }
  const auto at = entries_.try_emplace(ask.name).first;
  Entry& entry = at->second;
  if (!entry.grant) return {.is = Answer::Is::granted, .grant = &grant(ask, entry, now, now)};
  if (entry.grant->lease == ask.lease) return {.is = Answer::Is::granted, .grant = &*entry.grant};
  if (ask.wait <= Milliseconds{0}) {
    events_.push_back({Event::Is::not_acquired, ask.name, Milliseconds{0}, NotAcquired::Why::timed_out});
    return {.is = Answer::Is::locked, .retry_in = entry.grant->until - now};
  }
  return join(ask, at, now);
}

/// Behind the others; a lease that waits already is replaced in its place, by whoever asks for it now.
LockBook::Answer LockBook::join(const Ask& ask, Entries::iterator at, Instant now) {
  std::list<Waiting>& line = at->second.line;
  auto behind = line.end();
  Instant since = now;
  if (const auto same = by_lease_.find(key_of(ask.name, ask.lease)); same != by_lease_.end()) {
    Waiter& before = waiters_.at(static_cast<std::uint64_t>(same->second));
    behind = std::next(before.place);
    since = before.since;
    end_wait(before, now);  // whose wait goes on: not an event
  } else if (waiters_.size() >= most_waiting_) {
    events_.push_back({Event::Is::not_acquired, ask.name, Milliseconds{0}, NotAcquired::Why::full});
    return {.is = Answer::Is::full, .retry_in = at->second.grant->until - now};
  }
  const Waiting id{++last_waiting_};
  Waiter waiter{id, ask.name, ask.lease, ask.length, ask.request, since, now + ask.wait, line.insert(behind, id)};
  give_ups_.emplace(waiter.until, last_waiting_);
  by_lease_.emplace(key_of(ask.name, ask.lease), id);
  waiters_.emplace(last_waiting_, std::move(waiter));
  return {.is = Answer::Is::waits, .waiting = id};
}

const BookedGrant* LockBook::renew(std::string_view name, std::string_view lease, Instant now) {
  advance(now);
  BookedGrant* const grant = held_by(name, lease);
  if (grant == nullptr) {
    events_.push_back({Event::Is::not_renewed, std::string(name)});
    return nullptr;
  }
  const Milliseconds left = grant->until - now;
  const Milliseconds late = grant->length - grant->length / 3 - left;
  events_.push_back({Event::Is::renewed, grant->name, std::max(late, Milliseconds{0})});
  ends_.erase({grant->until, grant->name});
  grant->until = std::max(grant->until, now + grant->length);
  ends_.emplace(grant->until, grant->name);
  changed_.insert(grant->name);
  return grant;
}

bool LockBook::release(std::string_view name, std::string_view lease, Instant now) {
  advance(now);
  if (held_by(name, lease) == nullptr) return false;
  end(entries_.find(name), Event::Is::released, now);
  return true;
}

bool LockBook::free(std::string_view name, std::uint64_t token, Instant now) {
  advance(now);
  const auto at = entries_.find(name);
  if (at == entries_.end() || !at->second.grant || at->second.grant->token != token) return false;
  end(at, Event::Is::lapsed, now);
  return true;
}

LockBook::View LockBook::inspect(std::string_view name, Instant now) {
  advance(now);
  const auto at = entries_.find(name);
  if (at == entries_.end()) return {};
  return {at->second.grant ? &*at->second.grant : nullptr, at->second.line.size()};
}

void LockBook::leave(std::string_view name, std::string_view lease, std::uint64_t request, Instant now) {
  advance(now);
  const auto at = by_lease_.find(key_of(name, lease));
  if (at == by_lease_.end()) return;
  Waiter& waiter = waiters_.at(static_cast<std::uint64_t>(at->second));
  if (request == 0 || waiter.request == request) give_up(waiter, NotAcquired::Why::stopped, now);
}

void LockBook::drop_waiters(NotAcquired::Why why, Instant now) {
  for (const auto& [id, waiter] : waiters_) {
    events_.push_back({Event::Is::not_acquired, waiter.name, std::min(now, waiter.until) - waiter.since, why});
    entries_.find(waiter.name)->second.line.clear();
  }
  waiters_.clear();
  by_lease_.clear();
  give_ups_.clear();
}

LockBook::Due LockBook::advance(Instant now, std::size_t steps) {
  for (std::size_t step = 0;; ++step) {
    const bool lapses = !ends_.empty() && ends_.begin()->first <= now;
    const bool gives_up = !give_ups_.empty() && give_ups_.begin()->first <= now;
    if (!lapses && !gives_up) return Due::nothing;
    if (step == steps) return Due::more;
    // In the order of time; of two at the same instant a grant comes before giving up.
    if (lapses && (!gives_up || ends_.begin()->first <= give_ups_.begin()->first)) {
      const End first = *ends_.begin();
      end(entries_.find(first.second), Event::Is::lapsed, now);
    } else {
      give_up(waiters_.at(give_ups_.begin()->second), NotAcquired::Why::timed_out, now);
    }
  }
}

std::optional<Instant> LockBook::next_deadline() const {
  std::optional<Instant> next;
  if (!ends_.empty()) next = ends_.begin()->first;
  if (!give_ups_.empty() && (!next || give_ups_.begin()->first < *next)) next = give_ups_.begin()->first;
  return next;
}

const BookedGrant* LockBook::stored(std::string_view name) const {
  const auto at = entries_.find(name);
  return at != entries_.end() && at->second.grant ? &*at->second.grant : nullptr;
}

void LockBook::restore(BookedGrant restored) {
  ends_.emplace(restored.until, restored.name);
  Entry& entry = entries_[restored.name];
  assert(!entry.grant);
  entry.grant = std::move(restored);
  ++held_;
}

/// Microseconds, so that tokens rise even when an old copy of the store is put back.
std::uint64_t LockBook::mint(Instant now) { return last_token_ = std::max(last_token_ + 1, micros(now)); }

const BookedGrant& LockBook::grant(const Ask& ask, Entry& entry, Instant asked, Instant now) {
  assert(!entry.grant);
  entry.grant = BookedGrant{ask.name, ask.lease, mint(now), now + ask.length, ask.length};
  entry.since = now;
  ends_.emplace(entry.grant->until, ask.name);
  changed_.insert(ask.name);
  ++held_;
  events_.push_back({Event::Is::acquired, ask.name, now - asked});
  return *entry.grant;
}

void LockBook::end(Entries::iterator at, Event::Is how, Instant now) {
  assert(at != entries_.end() && at->second.grant);
  // One that lapsed was held until its end, however late that is seen.
  const Instant ended = std::min(now, at->second.grant->until);
  Event event{how, at->first};
  if (at->second.since) event.after = ended - *at->second.since;
  events_.push_back(std::move(event));
  ends_.erase({at->second.grant->until, at->first});
  at->second.grant.reset();
  --held_;
  changed_.insert(at->first);
  serve_next(at, now);
}

void LockBook::serve_next(Entries::iterator at, Instant now) {
  if (at->second.line.empty()) {
    entries_.erase(at);
    return;
  }
  Waiter& waiter = waiters_.at(static_cast<std::uint64_t>(at->second.line.front()));
  const Waiting id = waiter.id;
  const BookedGrant& granted =
      grant({at->first, waiter.lease, waiter.length, Milliseconds{0}}, at->second, waiter.since, now);
  remove(waiter);
  news_.push_back({id, granted, {}});
}

void LockBook::give_up(Waiter& waiter, NotAcquired::Why why, Instant now) {
  events_.push_back({Event::Is::not_acquired, waiter.name, std::min(now, waiter.until) - waiter.since, why});
  end_wait(waiter, now);
}

void LockBook::end_wait(Waiter& waiter, Instant now) {
  const BookedGrant& present = *entries_.find(waiter.name)->second.grant;
  news_.push_back({waiter.id, std::nullopt, std::max(present.until - now, Milliseconds{0})});
  remove(waiter);
}

void LockBook::remove(Waiter& waiter) {
  by_lease_.erase(key_of(waiter.name, waiter.lease));
  const auto id = static_cast<std::uint64_t>(waiter.id);
  give_ups_.erase({waiter.until, id});
  entries_.find(waiter.name)->second.line.erase(waiter.place);
  waiters_.erase(id);
}

BookedGrant* LockBook::held_by(std::string_view name, std::string_view lease) {
  const auto at = entries_.find(name);
  if (at == entries_.end() || !at->second.grant || at->second.grant->lease != lease) return nullptr;
  return &*at->second.grant;
}

}  // namespace firstcome::lock
