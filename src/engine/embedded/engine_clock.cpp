// The engine's time, and the wall clock beside it.
//
// Holds, keys and locks follow a time that never runs back: steady time since the start, not before the last commit of
// an earlier run. Opening hours follow the wall clock, wherever it is moved to (docs/time.md).
//
// A store that was once served with a clock that was ahead goes on from its last commit. So that this does not stay so
// for ever, its time then runs a hundredth slower until the clock has caught up; holds last longer by that much.
#include "engine/embedded/embedded_impl.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

namespace firstcome::engine {
namespace {

constexpr int slower_by = 100;                // one part in so many
constexpr Milliseconds worth_following{100};  // clocks that are kept by a time server drift by less in an hour
constexpr Milliseconds worth_telling{1'000};

}  // namespace

void EmbeddedEngine::Impl::start_clock() {
  started_at = options.clock();
  if (started_at < last_now) {
    clock_shift = last_now - started_at;
    spdlog::warn(
        "the clock is {} ms behind the last commit; time goes on from there, and runs a hundredth slower until "
        "the clock has caught up",
        clock_shift.count());
  }
  shift_seen = clock_shift;
  last_now = std::max(last_now, started_at);
  const Instant wall = options.wall_clock ? options.wall_clock() : started_at;
  wall_ahead = wall - last_now;
  counted.wall_ahead_ms = wall_ahead.count();
  ledger.set_wall_ahead(wall_ahead, last_now);
}

Instant EmbeddedEngine::Impl::present() {
  const Instant clock = options.clock();
  const Milliseconds shift = std::max(clock_shift - (clock - started_at) / slower_by, Milliseconds{0});
  caught_up += std::exchange(shift_seen, shift) - shift;
  last_now = std::max(last_now, clock + shift);
  watch_wall();
  return last_now;
}

void EmbeddedEngine::Impl::watch_wall() {
  const Instant wall = options.wall_clock ? options.wall_clock() : options.clock();
  const Milliseconds moved = wall - last_now - wall_ahead;
  if (moved < worth_following && moved > -worth_following) return;
  // What the engine's own slower time has made up is no step of the wall clock.
  const Milliseconds stepped = moved - std::exchange(caught_up, Milliseconds{0});
  if (stepped >= worth_telling || stepped <= -worth_telling) {
    counted.clock_steps.fetch_add(1, std::memory_order_relaxed);
    spdlog::warn("the wall clock was moved by {} ms; opening hours follow it, holds do not", stepped.count());
  }
  wall_ahead += moved;
  counted.wall_ahead_ms = wall_ahead.count();
  ledger.set_wall_ahead(wall_ahead, last_now);
}

}  // namespace firstcome::engine
