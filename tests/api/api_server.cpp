#include "api/api_server.hpp"

#include "engine/embedded/embedded_engine.hpp"

#include <stdexcept>
#include <utility>

namespace firstcome::api::testing {

ChargeResult ObedientGateway::result(Mood mood, const std::string& key) {
  ChargeResult result;
  if (mood == Mood::decline) result.outcome = ChargeOutcome::declined;
  if (mood == Mood::refuse) result.outcome = ChargeOutcome::refused;
  if (mood == Mood::be_unreachable) result.outcome = ChargeOutcome::unreachable;
  if (mood == Mood::charge) {
    result.outcome = ChargeOutcome::charged;
    result.payment_id = "pay-" + key.substr(0, 8);
    result.account_number = "110-123-456789";
  }
  return result;
}

void ObedientGateway::charge(ChargeRequest request, std::move_only_function<void(ChargeResult)> done) {
  Mood mood;
  {
    const std::scoped_lock lock(mutex_);
    charges_.push_back(request);
    mood = mood_;
    if (mood == Mood::keep_waiting) {
      waiting_.push_back({request.key, std::move(done)});
      ++kept_;
    }
  }
  changed_.notify_all();
  if (mood != Mood::keep_waiting) done(result(mood, request.key));
}

void ObedientGateway::refund(std::string key, std::move_only_function<void(RefundOutcome)> done) {
  {
    const std::scoped_lock lock(mutex_);
    refunds_.push_back(std::move(key));
  }
  done(RefundOutcome::refunded);
}

void ObedientGateway::set(Mood mood) {
  const std::scoped_lock lock(mutex_);
  mood_ = mood;
}

void ObedientGateway::wait_for_kept(std::size_t count) {
  std::unique_lock lock(mutex_);
  if (!changed_.wait_for(lock, std::chrono::seconds{20}, [&] { return kept_ >= count; }))
    throw std::runtime_error("no charge came");
}

void ObedientGateway::answer_one(Mood mood) {
  std::unique_lock lock(mutex_);
  if (waiting_.empty()) throw std::runtime_error("no charge waits");
  Kept kept = std::move(waiting_.front());
  waiting_.pop_front();
  lock.unlock();
  kept.done(result(mood, kept.key));
}

std::vector<ChargeRequest> ObedientGateway::charges() const {
  const std::scoped_lock lock(mutex_);
  return charges_;
}

std::vector<std::string> ObedientGateway::refunds() const {
  const std::scoped_lock lock(mutex_);
  return refunds_;
}

ServerThread::ServerThread(net::HttpServerOptions options, net::HttpHandler& handler, net::Driven& driven,
                           std::function<void()> last)
    : server_(std::move(options), handler, driven), thread_([this, last = std::move(last)] {
        server_.run();
        last();
      }) {}

ServerThread::~ServerThread() {
  server_.stop();
  thread_.join();
}

ApiServer::ApiServer(Instant start) : now_(start.time_since_epoch().count()) {
  open_engine_ = [this] { return open_embedded(); };
  open();
}

ApiServer::ApiServer(OpenEngine open_engine) : now_(0), open_engine_(std::move(open_engine)) { open(); }

std::unique_ptr<engine::DrivenEngine> ApiServer::open_embedded() {
  engine::EmbeddedOptions options;
  options.data = folder_.path();
  options.clock = [this] { return now(); };
  auto opened = engine::EmbeddedEngine::open(std::move(options));
  if (!opened) throw std::runtime_error(opened.error().detail);
  return std::move(*opened);
}

void ApiServer::open() {
  engine_ = open_engine_();
  const auto borrow = [this](payment::IoExecutor) -> std::unique_ptr<Gateway> {
    struct Borrowed final : Gateway {
      explicit Borrowed(Gateway& gateway) : to(gateway) {}
      void charge(ChargeRequest request, std::move_only_function<void(ChargeResult)> done) override {
        to.charge(std::move(request), std::move(done));
      }
      void refund(std::string key, std::move_only_function<void(RefundOutcome)> done) override {
        to.refund(std::move(key), std::move(done));
      }
      Gateway& to;
    };
    return std::make_unique<Borrowed>(gateway_);
  };
  payments_ = std::make_unique<payment::PaymentService>(*engine_, engine::ReservationIds(engine_->identity()), borrow);
  ApiHooks hooks;
  hooks.post = [this](std::move_only_function<void()> task) { server_.load()->post(std::move(task)); };
  api_ = std::make_unique<Api>(*engine_, engine::ReservationIds(engine_->identity()), &payments_->cashier(),
                               std::move(hooks));
  engine_->on_ready([this] {
    if (net::HttpServer* server = server_.load()) server->wake();
  });
  thread_ = std::make_unique<ServerThread>(net::HttpServerOptions{}, *api_, static_cast<net::Driven&>(*this), [this] {
    payments_->stop(std::chrono::steady_clock::now() + std::chrono::seconds{2}, [this] { engine_->turn(); });
    engine_->stop();
  });
  server_ = &thread_->server();
  payments_->start();
}

ApiServer::~ApiServer() { thread_.reset(); }

void ApiServer::restart() {
  thread_.reset();
  server_ = nullptr;
  api_.reset();
  payments_.reset();
  engine_.reset();
  open();
}

void ApiServer::advance(Milliseconds by) {
  now_ += by.count();
  wake();
}

std::optional<std::chrono::steady_clock::time_point> ScriptedEngine::turn() noexcept {
  std::vector<Operation*> now;
  now.swap(waiting_);
  for (Operation* operation : now) {
    operation->answer = script_(operation->command);
    operation->completed();
  }
  if (waiting_.empty()) return std::nullopt;
  return std::chrono::steady_clock::now();
}

ScriptedServer::ScriptedServer(ScriptedEngine::Script script, Readiness readiness)
    : engine_(std::move(script), std::move(readiness)),
      api_(engine_, engine::ReservationIds({1, 2, 3}), nullptr, {}),
      thread_({}, api_, engine_) {}

}  // namespace firstcome::api::testing
