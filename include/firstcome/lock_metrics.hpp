// What happens to locks, counted for Prometheus: waits, holds, the depth of the queue, lost leases, renewals.
#pragma once

#include <firstcome/lock_space.hpp>

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace firstcome {

/// An observer to give to `LockSettings::observer`, and to be asked for its text where Prometheus asks:
///
///   auto metrics = std::make_shared<firstcome::LockMetrics>();
///   auto locks = firstcome::open_locks("redis://127.0.0.1:6379", {}, {.observer = metrics});
///   ... answer(metrics->text());  // Content-Type: text/plain; version=0.0.4
///
/// Counts over all names, since names have no bound. Of several spaces with the same one all count together, but the
/// gauges show what the last of them told: give each its own. What the families mean stands in docs/locks.md.
///
/// Thread safety: every member may be called from any thread. A count costs some atomic additions and no memory.
class LockMetrics final : public LockObserver {
 public:
  LockMetrics();
  ~LockMetrics() override;

  /// All families, in Prometheus's text format, each line with its end. Counts that are being made meanwhile may be in
  /// one family and not yet in another; each histogram agrees with itself.
  std::string text() const;

  void acquired(std::string_view name, std::chrono::nanoseconds waited) override;
  void not_acquired(std::string_view name, NotAcquired::Why why, std::chrono::nanoseconds waited) override;
  void ended(std::string_view name, std::chrono::nanoseconds held) override;
  void lost(std::string_view name) override;
  void renewed(std::string_view name, std::chrono::nanoseconds lag) override;
  void not_renewed(std::string_view name, RenewOutcome why) override;
  void waiting(std::size_t acquisitions) override;
  void held(std::size_t leases) override;
  void reconnected() override;
  void deaf(std::size_t inboxes) override;
  void heartbeat_failed() override;
  void places_lost(std::size_t acquisitions) override;

 private:
  struct Counts;
  const std::unique_ptr<Counts> counts_;
};

}  // namespace firstcome
