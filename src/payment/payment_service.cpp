#include "payment/payment_service.hpp"

#include "engine/drive_until.hpp"

#include <boost/asio/executor_work_guard.hpp>

#include <atomic>
#include <thread>
#include <utility>

namespace firstcome::payment {

namespace asio = boost::asio;

struct PaymentService::Impl {
  Impl(Engine& engine, engine::ReservationIds ids, const MakeGateway& make_gateway, PaymentOptions options)
      : gateway(make_gateway(io.get_executor())),
        cashier(engine, *gateway, std::move(ids), io.get_executor(), options.cashier),
        worker(engine, cashier, io.get_executor(), options.worker) {}

  bool idle() const { return cashier.counters().running == 0 && worker.running() == 0 && engine_calls() == 0; }
  std::size_t engine_calls() const { return cashier.engine_calls() + worker.engine_calls(); }

  asio::io_context io{1};
  std::unique_ptr<Gateway> gateway;
  Cashier cashier;
  PaymentWorker worker;
  std::thread thread;
};

MakeGateway simulated(SimulatedGatewayOptions options) {
  return [options](IoExecutor executor) { return std::make_unique<SimulatedGateway>(executor, options); };
}

MakeGateway over_http(HttpGatewayOptions options) {
  return [options](IoExecutor executor) { return std::make_unique<HttpGateway>(executor, options); };
}

PaymentService::PaymentService(Engine& engine, engine::ReservationIds ids, const MakeGateway& make_gateway,
                               PaymentOptions options)
    : impl_(std::make_unique<Impl>(engine, std::move(ids), make_gateway, options)) {
  engine.on_payment_work(impl_->worker.doorbell());
}

PaymentService::~PaymentService() { stop(steady_clock::now(), nullptr); }

Cashier& PaymentService::cashier() { return impl_->cashier; }

void PaymentService::start() {
  impl_->thread = std::thread([impl = impl_.get()] {
    const auto work = asio::make_work_guard(impl->io);
    impl->io.run();
  });
  asio::post(impl_->io, [impl = impl_.get()] { impl->worker.start(); });
}

void PaymentService::stop(steady_clock::time_point deadline, const std::function<void()>& meanwhile) {
  if (!impl_->thread.joinable()) return;
  Impl& impl = *impl_;
  std::atomic<bool> closed = false;
  asio::post(impl.io, [&] {
    impl.cashier.stop();
    impl.worker.stop();
    closed = true;
  });
  const auto finished = [&] { return closed && impl.idle(); };
  engine::drive_until(finished, deadline, meanwhile);

  std::atomic<bool> abandoned = false;
  asio::post(impl.io, [&] {
    impl.cashier.abandon();
    abandoned = true;
  });
  const auto silent = [&] { return abandoned && impl.engine_calls() == 0; };
  engine::drive_until(silent, no_deadline, meanwhile);
  impl.io.stop();
  impl.thread.join();
}

PaymentCounters PaymentService::counters() const { return impl_->cashier.counters(); }

std::size_t PaymentService::charges_waiting() const { return impl_->worker.waiting(); }

}  // namespace firstcome::payment
