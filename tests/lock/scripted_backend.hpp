// A backend that writes down what it is asked and leaves the answers to the test.
#pragma once

#include "lock/backend.hpp"

#include <deque>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

namespace firstcome::lock::test {

/// One thread only.
class ScriptedBackend final : public LockBackend {
 public:
  struct Call {
    enum class What : std::uint8_t { attempt, cancel, renew, release } what;
    Try repeat = Try::first;
    Milliseconds length{0};  ///< of a renewal
    Answer<AttemptAnswer> attempt = {};
    Answer<CancelAnswer> cancel = {};
    Answer<RenewAnswer> renew = {};
    Answer<ReleaseAnswer> release = {};
  };
  using What = Call::What;

  /// The oldest call that was not looked at yet; throws where it is another one, or none.
  Call next(What what) {
    if (calls.empty()) throw std::runtime_error("nothing was asked");
    if (calls.front().what != what) throw std::runtime_error("something else was asked");
    Call call = std::move(calls.front());
    calls.pop_front();
    return call;
  }
  void push(const Grant& grant) const {
    if (const auto to = events.lock()) to->granted(grant);
  }
  void nudge() const {
    if (const auto to = events.lock()) to->worth_trying();
  }

  const LockTraits& traits() const override {
    static constexpr LockTraits all{.kind = "scripted", .tokens = true};
    return all;
  }
  std::shared_ptr<Contender> contend(Contention, std::weak_ptr<ContenderEvents> of) override {
    events = std::move(of);
    return std::make_shared<Scripted>(*this);
  }
  void inspect(const std::string&, Answer<std::expected<LockView, LockFailure>> done) override { done(LockView{}); }
  void close() override { closed = true; }

  std::deque<Call> calls;
  std::weak_ptr<ContenderEvents> events;  ///< of the latest contender
  bool closed = false;

 private:
  class Scripted final : public Contender {
   public:
    explicit Scripted(ScriptedBackend& backend) : backend_(backend) {}
    const std::string& owner() const override { return owner_; }
    void attempt(const Attempt& attempt, Answer<AttemptAnswer> done) override {
      backend_.calls.push_back({.what = What::attempt, .repeat = attempt.repeat, .attempt = std::move(done)});
    }
    void cancel(Try repeat, Answer<CancelAnswer> done) override {
      backend_.calls.push_back({.what = What::cancel, .repeat = repeat, .cancel = std::move(done)});
    }
    void renew(Milliseconds length, BootTime, Answer<RenewAnswer> done) override {
      backend_.calls.push_back({.what = What::renew, .length = length, .renew = std::move(done)});
    }
    void release(Try repeat, Answer<ReleaseAnswer> done) override {
      backend_.calls.push_back({.what = What::release, .repeat = repeat, .release = std::move(done)});
    }

   private:
    ScriptedBackend& backend_;
    const std::string owner_ = "scripted:1";
  };
};

}  // namespace firstcome::lock::test
