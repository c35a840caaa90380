#include "payment/blocking_gateway.hpp"

#include "engine/guarded/pauses.hpp"

#include <boost/asio/executor_work_guard.hpp>
#include <spdlog/spdlog.h>

#include <future>
#include <thread>
#include <utility>

namespace firstcome::payment {
namespace {

constexpr std::chrono::milliseconds between_questions{200};

/// Asks until the answer is one, or the patience is over; the last answer.
template <class Ask, class Is>
auto ask_until(Ask ask, Is is_answer) {
  const auto deadline = steady_clock::now() + BlockingGateway::patience;
  for (;;) {
    auto answer = ask();
    if (is_answer(answer) || steady_clock::now() >= deadline) return answer;
    engine::rest_for(between_questions);
  }
}

}  // namespace

struct BlockingGateway::Impl {
  explicit Impl(const MakeGateway& make_gateway) : gateway(make_gateway(io.get_executor())) {}

  boost::asio::io_context io{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work{io.get_executor()};
  std::unique_ptr<Gateway> gateway;
  std::thread thread;
};

BlockingGateway::BlockingGateway(const MakeGateway& make_gateway) : impl_(std::make_unique<Impl>(make_gateway)) {
  impl_->thread = std::thread([impl = impl_.get()] { impl->io.run(); });
}

BlockingGateway::~BlockingGateway() {
  impl_->io.stop();
  impl_->thread.join();
}

ChargeResult BlockingGateway::charge(const ChargeRequest& request) {
  const auto ask = [&] {
    std::promise<ChargeResult> said;
    auto hears = said.get_future();
    impl_->gateway->charge(
        request, [said = std::move(said)](ChargeResult result) mutable { said.set_value(std::move(result)); });
    return hears.get();
  };
  return ask_until(ask, [](const ChargeResult& result) { return result.outcome != ChargeOutcome::unknown; });
}

void BlockingGateway::refund(const std::string& key) {
  const auto ask = [&] {
    std::promise<RefundOutcome> said;
    auto hears = said.get_future();
    impl_->gateway->refund(key, [said = std::move(said)](RefundOutcome outcome) mutable { said.set_value(outcome); });
    return hears.get();
  };
  const auto refunded = [](RefundOutcome outcome) { return outcome == RefundOutcome::refunded; };
  if (!refunded(ask_until(ask, refunded))) spdlog::error("payments: {} was not paid back", key);
}

}  // namespace firstcome::payment
