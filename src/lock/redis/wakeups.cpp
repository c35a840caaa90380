#include "lock/redis/wakeups.hpp"

#include <algorithm>
#include <utility>
#include <vector>

namespace firstcome::lock {

namespace {

using std::chrono::seconds;
using std::chrono::steady_clock;

/// A channel nobody here waits on is kept for so long: who waits once often waits again.
constexpr seconds kept_empty{5};

}  // namespace

Wakeups::Wakeups(net::IoExecutor executor, net::RedisClient& client)
    : client_(&client), timer_(executor), self_(std::make_shared<Wakeups*>(this)) {}

bool Wakeups::hears(const std::string& channel) const {
  const auto at = rooms_.find(channel);
  return at != rooms_.end() && at->second.heard;
}

void Wakeups::hear(const std::string& channel, steady_clock::time_point deadline,
                   std::move_only_function<void(bool)> done) {
  room(channel);
  client_->subscribe(channel, deadline,
                     [weak = std::weak_ptr(self_), channel,
                      done = std::move(done)](const std::expected<void, net::RedisFailure>& confirmed) mutable {
                       const auto self = weak.lock();
                       if (self && *self != nullptr && confirmed) (*self)->room(channel).heard = true;
                       done(confirmed.has_value());
                     });
}

Wakeups::Room& Wakeups::room(const std::string& channel) {
  const auto [at, is_new] = rooms_.try_emplace(channel);
  if (is_new) at->second.empty_since = steady_clock::now();
  tidy_up_later();
  return at->second;
}

void Wakeups::sit(const std::shared_ptr<Seat>& seat) {
  if (std::exchange(seat->seated, true)) return;
  auto& seats = room(seat->channel).seats;
  seat->place = seats.insert(seats.end(), seat);
}

void Wakeups::leave(const std::shared_ptr<Seat>& seat) {
  if (!std::exchange(seat->seated, false)) return;
  const auto at = rooms_.find(seat->channel);
  if (at == rooms_.end()) return;
  at->second.seats.erase(seat->place);
  if (at->second.seats.empty()) at->second.empty_since = steady_clock::now();
  if (seat->woken || seat->covering) wake_one(at->second);
}

void Wakeups::begins(Seat& seat) {
  seat.asking = true;
  seat.covering = std::exchange(seat.woken, false);
}

void Wakeups::ends(Seat& seat, Ended how) {
  seat.asking = false;
  const bool covering = std::exchange(seat.covering, false);
  if (how == Ended::taken) seat.woken = false;              // its release will wake the next
  if (how == Ended::failed && covering) seat.woken = true;  // it tries again soon, by itself
}

void Wakeups::message(std::string_view channel, std::string_view payload) {
  const auto at = rooms_.find(channel);
  if (at == rooms_.end()) return;
  payload == "1" ? wake_all(at->second) : wake_one(at->second);
}

/// The one who waits longest; else one whose attempt is under way and may have been too early.
void Wakeups::wake_one(Room& room) {
  for (const bool asking : {false, true}) {
    for (const std::shared_ptr<Seat>& seat : room.seats) {
      if (seat->woken || seat->asking != asking) continue;
      const auto events = seat->events.lock();
      if (!events) continue;  // gone, and on its way out of here
      seat->woken = true;
      events->worth_trying();
      return;
    }
  }
}

void Wakeups::wake_all(Room& room) {
  for (const std::shared_ptr<Seat>& seat : room.seats) {
    seat->woken = true;
    if (const auto events = seat->events.lock()) events->worth_trying();
  }
}

/// What was published meanwhile is lost: each lock may be free.
void Wakeups::subscribed() {
  for (auto& [channel, room] : rooms_) wake_one(room);
}

void Wakeups::deaf() {
  for (auto& [channel, room] : rooms_) room.heard = false;
}

void Wakeups::tidy_up_later() {
  if (std::exchange(tidying_, true)) return;
  timer_.expires_after(kept_empty);
  timer_.async_wait([weak = std::weak_ptr(self_)](boost::system::error_code ec) {
    const auto self = weak.lock();
    if (!ec && self && *self != nullptr) (*self)->tidy_up();
  });
}

void Wakeups::tidy_up() {
  tidying_ = false;
  const steady_clock::time_point since = steady_clock::now() - kept_empty;
  for (auto at = rooms_.begin(); at != rooms_.end();) {
    if (at->second.seats.empty() && at->second.empty_since <= since) {
      client_->unsubscribe(at->first);
      at = rooms_.erase(at);
    } else {
      ++at;
    }
  }
  if (!rooms_.empty()) tidy_up_later();
}

void Wakeups::close() {
  *self_ = nullptr;
  timer_.cancel();
  rooms_.clear();
}

}  // namespace firstcome::lock
