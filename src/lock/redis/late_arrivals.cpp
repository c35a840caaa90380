#include "lock/redis/late_arrivals.hpp"

#include <array>
#include <utility>

namespace firstcome::lock {

namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr std::array pauses{milliseconds{50}, milliseconds{200}, milliseconds{600}, milliseconds{2'000}};
/// More at once are left to the end of their leases.
constexpr std::size_t most_searches = 10'000;

}  // namespace

LateArrivals::LateArrivals(net::IoExecutor executor, Undo undo)
    : undo_(std::move(undo)), timer_(executor), self_(std::make_shared<LateArrivals*>(this)) {}

void LateArrivals::look_for(Owned owned, std::move_only_function<void()> done) {
  if (closed_ || searches_.size() >= most_searches) {
    if (done) done();
    return;
  }
  plan({std::move(owned), 0, std::move(done)});
}

void LateArrivals::close() {
  closed_ = true;
  timer_.cancel();
  for (auto& [due, search] : std::exchange(searches_, {})) {
    if (search.done) search.done();
  }
}

void LateArrivals::plan(Search search) {
  if (closed_ || search.looks >= pauses.size()) {
    if (search.done) search.done();
    return;
  }
  const Due due = steady_clock::now() + pauses[search.looks];
  const bool first = searches_.empty() || due < searches_.begin()->first;
  searches_.emplace(due, std::move(search));
  if (first) set_timer();
}

void LateArrivals::set_timer() {
  timer_.expires_at(searches_.begin()->first);
  timer_.async_wait([weak = std::weak_ptr(self_)](boost::system::error_code ec) {
    const auto self = weak.lock();
    if (!ec && self) (*self)->on_timer();
  });
}

void LateArrivals::on_timer() {
  const Due now = steady_clock::now();
  while (!searches_.empty() && searches_.begin()->first <= now) {
    look(std::move(searches_.extract(searches_.begin()).mapped()));
  }
  if (!searches_.empty()) set_timer();
}

void LateArrivals::look(Search search) {
  ++search.looks;
  const Owned owned = search.owned;
  undo_(owned, [weak = std::weak_ptr(self_), search = std::move(search)]() mutable {
    if (const auto self = weak.lock()) {
      (*self)->plan(std::move(search));
    } else if (search.done) {
      search.done();
    }
  });
}

}  // namespace firstcome::lock
