// A gateway for tests that answers what it is told to, keeps its own books, and can be made to wait.
//
// Its books obey a provider's promise: a key that was charged or declined stays so.
#pragma once

#include <firstcome/gateway.hpp>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace firstcome::payment {

class FakeGateway final : public Gateway {
 public:
  /// What the so manieth request with a key (from 1) gets, unless the books know the key.
  using Script = std::function<ChargeOutcome(const std::string& key, int attempt)>;

  void say(Script script) {
    const std::lock_guard lock(mutex_);
    script_ = std::move(script);
  }
  void say(ChargeOutcome outcome) {
    say([outcome](const std::string&, int) { return outcome; });
  }
  /// From now on requests wait for `release`.
  void hold_back() {
    const std::lock_guard lock(mutex_);
    holding_ = true;
  }
  void release() {
    std::vector<std::move_only_function<void()>> held;
    {
      const std::lock_guard lock(mutex_);
      holding_ = false;
      held = std::exchange(held_, {});
    }
    for (auto& answer : held) answer();
  }
  /// Requests that wait get no answer any more: nobody is left to hear it.
  void forget() {
    const std::lock_guard lock(mutex_);
    holding_ = false;
    held_.clear();
  }
  void fail_refunds(int times) {
    const std::lock_guard lock(mutex_);
    failing_refunds_ = times;
  }
  /// Enters a charge of an earlier process.
  void book(const std::string& key) {
    const std::lock_guard lock(mutex_);
    charged_.insert(key);
  }

  void charge(ChargeRequest request, std::move_only_function<void(ChargeResult)> done) override {
    std::unique_lock lock(mutex_);
    ChargeResult result = decide(request);
    last_ = request;
    most_waiting_ = std::max(most_waiting_, held_.size() + 1);
    if (holding_) {
      held_.push_back([done = std::move(done), result = std::move(result)]() mutable { done(std::move(result)); });
    }
    changed_.notify_all();
    const bool now = !holding_;
    lock.unlock();
    if (now) done(std::move(result));
  }

  void refund(std::string key, std::move_only_function<void(RefundOutcome)> done) override {
    RefundOutcome outcome = RefundOutcome::refunded;
    {
      const std::lock_guard lock(mutex_);
      if (failing_refunds_ > 0) {
        --failing_refunds_;
        outcome = RefundOutcome::failed;
      } else {
        ++refunds_[key];
      }
    }
    changed_.notify_all();
    done(outcome);
  }

  /// Waits until `condition` of this gateway holds. False after ten seconds.
  template <typename Condition>
  bool wait(Condition condition) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds{10}, [&] { return condition(*this); });
  }
  bool wait_for_requests(std::size_t count) {
    return wait([count](const FakeGateway& gateway) { return gateway.requests_ >= count; });
  }

  std::size_t requests() const { return copy_of(requests_); }
  std::size_t charged() const { return copy_of(charged_).size(); }
  std::size_t most_waiting() const { return copy_of(most_waiting_); }
  ChargeRequest last() const { return copy_of(last_); }
  std::map<std::string, int> attempts() const { return copy_of(attempts_); }
  std::map<std::string, int> refunds() const { return copy_of(refunds_); }

 private:
  template <typename T>
  T copy_of(const T& member) const {
    const std::lock_guard lock(mutex_);
    return member;
  }

  ChargeResult decide(const ChargeRequest& request) {
    ++requests_;
    const int attempt = ++attempts_[request.key];
    ChargeResult result;
    result.outcome = script_ ? script_(request.key, attempt) : ChargeOutcome::charged;
    const bool reached = result.outcome == ChargeOutcome::charged || result.outcome == ChargeOutcome::declined;
    if (reached && declined_.contains(request.key)) result.outcome = ChargeOutcome::declined;
    if (reached && charged_.contains(request.key)) result.outcome = ChargeOutcome::charged;
    if (result.outcome == ChargeOutcome::declined) declined_.insert(request.key);
    if (result.outcome == ChargeOutcome::charged) {
      charged_.insert(request.key);
      result.payment_id = "paid-" + request.key;
      result.account_number = "110-1";
    }
    return result;
  }

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  Script script_;
  bool holding_ = false;
  std::vector<std::move_only_function<void()>> held_;
  int failing_refunds_ = 0;
  std::size_t requests_ = 0;
  std::size_t most_waiting_ = 0;
  std::map<std::string, int> attempts_;
  std::map<std::string, int> refunds_;
  std::set<std::string> charged_;
  std::set<std::string> declined_;
  ChargeRequest last_;
};

}  // namespace firstcome::payment
