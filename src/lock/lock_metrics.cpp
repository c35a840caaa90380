#include <firstcome/lock_metrics.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <iterator>

namespace firstcome {
namespace {

using std::chrono::nanoseconds;
using namespace std::chrono_literals;

using Count = std::atomic<std::uint64_t>;

/// From what a lock costs on one machine to what a watchdog's lease lasts, and beyond.
constexpr std::array<nanoseconds, 15> bounds{100us, 500us, 1ms, 2ms, 5ms, 10ms, 50ms, 100ms,
                                             500ms, 1s,    2s,  5s,  10s, 60s,  300s};

double seconds(nanoseconds duration) { return std::chrono::duration<double>(duration).count(); }

void add_header(std::string& text, std::string_view name, std::string_view type, std::string_view help) {
  fmt::format_to(std::back_inserter(text), "# HELP {0} {2}\n# TYPE {0} {1}\n", name, type, help);
}

void add_value(std::string& text, std::string_view name, std::uint64_t value) {
  fmt::format_to(std::back_inserter(text), "{} {}\n", name, value);
}

class Durations {
 public:
  void add(nanoseconds duration) {
    duration = std::max(duration, 0ns);
    const auto bound = std::ranges::lower_bound(bounds, duration);
    sum_.fetch_add(static_cast<std::uint64_t>(duration.count()), std::memory_order_relaxed);
    counts_[static_cast<std::size_t>(bound - bounds.begin())].fetch_add(1, std::memory_order_relaxed);
  }

  void write(std::string& text, std::string_view name, std::string_view help) const {
    add_header(text, name, "histogram", help);
    const auto out = std::back_inserter(text);
    std::uint64_t below = 0;
    for (std::size_t at = 0; at < bounds.size(); ++at) {
      below += counts_[at].load(std::memory_order_relaxed);
      fmt::format_to(out, "{}_bucket{{le=\"{}\"}} {}\n", name, seconds(bounds[at]), below);
    }
    below += counts_.back().load(std::memory_order_relaxed);
    const nanoseconds sum{static_cast<nanoseconds::rep>(sum_.load(std::memory_order_relaxed))};
    fmt::format_to(out, "{0}_bucket{{le=\"+Inf\"}} {1}\n{0}_sum {2}\n{0}_count {1}\n", name, below, seconds(sum));
  }

 private:
  std::array<Count, bounds.size() + 1> counts_{};  // the last: longer than all bounds
  Count sum_{0};                                   // of nanoseconds
};

constexpr auto reasons = static_cast<std::size_t>(NotAcquired::Why::closed) + 1;

}  // namespace

struct LockMetrics::Counts {
  Durations waits;
  Durations holds;
  Durations lags;
  std::array<Count, reasons> not_acquired{};
  Count lost{0};
  Count renewals_refused{0};
  Count renewals_unknown{0};
  Count waiting{0};
  Count held{0};
  Count reconnects{0};
  Count deaf{0};
  Count heartbeats_failed{0};
  Count places_lost{0};
};

LockMetrics::LockMetrics() : counts_(std::make_unique<Counts>()) {}

LockMetrics::~LockMetrics() = default;

void LockMetrics::acquired(std::string_view /*name*/, nanoseconds waited) { counts_->waits.add(waited); }

void LockMetrics::not_acquired(std::string_view /*name*/, NotAcquired::Why why, nanoseconds /*waited*/) {
  counts_->not_acquired[static_cast<std::size_t>(why)].fetch_add(1, std::memory_order_relaxed);
}

void LockMetrics::ended(std::string_view /*name*/, nanoseconds held) { counts_->holds.add(held); }

void LockMetrics::lost(std::string_view /*name*/) { counts_->lost.fetch_add(1, std::memory_order_relaxed); }

void LockMetrics::renewed(std::string_view /*name*/, nanoseconds lag) { counts_->lags.add(lag); }

void LockMetrics::not_renewed(std::string_view /*name*/, RenewOutcome why) {
  Count& count = why == RenewOutcome::unknown ? counts_->renewals_unknown : counts_->renewals_refused;
  count.fetch_add(1, std::memory_order_relaxed);
}

void LockMetrics::waiting(std::size_t acquisitions) { counts_->waiting.store(acquisitions, std::memory_order_relaxed); }

void LockMetrics::held(std::size_t leases) { counts_->held.store(leases, std::memory_order_relaxed); }

void LockMetrics::reconnected() { counts_->reconnects.fetch_add(1, std::memory_order_relaxed); }

void LockMetrics::deaf(std::size_t inboxes) { counts_->deaf.store(inboxes, std::memory_order_relaxed); }

void LockMetrics::heartbeat_failed() { counts_->heartbeats_failed.fetch_add(1, std::memory_order_relaxed); }

void LockMetrics::places_lost(std::size_t acquisitions) {
  counts_->places_lost.fetch_add(acquisitions, std::memory_order_relaxed);
}

std::string LockMetrics::text() const {
  const Counts& counts = *counts_;
  std::string text;
  add_header(text, "firstcome_locks_held", "gauge", "Leases that are held");
  add_value(text, "firstcome_locks_held", counts.held);
  add_header(text, "firstcome_locks_waiting", "gauge", "Requests that wait for a lock");
  add_value(text, "firstcome_locks_waiting", counts.waiting);
  counts.waits.write(text, "firstcome_locks_wait_seconds", "From asking for a lock to its grant");
  counts.holds.write(text, "firstcome_locks_hold_seconds", "From a grant to its release or its loss");
  add_header(text, "firstcome_locks_not_acquired_total", "counter", "Requests that ended without a lease");
  for (std::size_t why = 0; why < reasons; ++why)
    add_value(
        text,
        fmt::format("firstcome_locks_not_acquired_total{{why=\"{}\"}}", text_of(static_cast<NotAcquired::Why>(why))),
        counts.not_acquired[why]);
  add_header(text, "firstcome_locks_lost_total", "counter", "Leases that were lost before their release");
  add_value(text, "firstcome_locks_lost_total", counts.lost);
  counts.lags.write(text, "firstcome_locks_renewal_lag_seconds", "From a renewal's due time to its answer");
  add_header(text, "firstcome_locks_not_renewed_total", "counter", "Renewals refused, or without an answer in time");
  add_value(text, "firstcome_locks_not_renewed_total{why=\"refused\"}", counts.renewals_refused);
  add_value(text, "firstcome_locks_not_renewed_total{why=\"unknown\"}", counts.renewals_unknown);
  add_header(text, "firstcome_locks_reconnects_total", "counter", "Connections to Redis that were lost and made again");
  add_value(text, "firstcome_locks_reconnects_total", counts.reconnects);
  add_header(text, "firstcome_locks_deaf_inboxes", "gauge", "Inboxes for grants that are wanted and not subscribed");
  add_value(text, "firstcome_locks_deaf_inboxes", counts.deaf);
  add_header(text, "firstcome_locks_heartbeats_failed_total", "counter", "Heartbeats of those who wait without answer");
  add_value(text, "firstcome_locks_heartbeats_failed_total", counts.heartbeats_failed);
  add_header(text, "firstcome_locks_places_lost_total", "counter", "Requests that lost their place in the queue");
  add_value(text, "firstcome_locks_places_lost_total", counts.places_lost);
  return text;
}

}  // namespace firstcome
