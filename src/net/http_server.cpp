#include "net/http_server.hpp"

#include "net/http_server_impl.hpp"

#include <firstcome/limits.hpp>

#include <sys/socket.h>

#include <algorithm>
#include <ctime>
#include <utility>

namespace firstcome::net {

namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t listener_token = Poller::wake_token - 1;
constexpr int accepts_per_round = 64;
constexpr auto accept_pause = 100ms;  // after the kernel had no file descriptor left for us
constexpr auto linger_deadline = 1s;  // for a client to read why it was refused
constexpr std::size_t unsent_default = std::size_t{256} << 20;
constexpr std::size_t refusal_slots = 64;  // for clients beyond `connections` that are being told so

}  // namespace

HttpServerOptions::HttpServerOptions()
    : connections(limits::connections),
      header_bytes(limits::header_bytes),
      target_bytes(limits::target_bytes),
      body_bytes(limits::body_bytes),
      unsent_bytes(unsent_default),
      header_deadline(limits::header_deadline),
      body_deadline(limits::body_deadline),
      idle_deadline(limits::idle_deadline),
      write_deadline(limits::write_deadline),
      drain_deadline(limits::drain_deadline) {}

LateAnswer HttpHandler::give_up(const HttpRequest& /*request*/) noexcept { return {}; }

HttpServer::Impl::Impl(HttpServerOptions options, HttpHandler& handler, Driven& driven)
    : options_(std::move(options)),
      limits_{options_.header_bytes, options_.target_bytes, options_.body_bytes},
      handler_(handler),
      driven_(driven),
      listener_(options_.host, options_.port),
      header_deadlines_(options_.header_deadline),
      body_deadlines_(options_.body_deadline),
      idle_deadlines_(options_.idle_deadline),
      write_deadlines_(options_.write_deadline),
      linger_deadlines_(linger_deadline),
      now_(std::chrono::steady_clock::now()) {
  poller_.add(listener_.fd(), EPOLLIN, listener_token);
}

void HttpServer::Impl::run() {
  while (!drained()) round();
  abandon_the_rest();
}

void HttpServer::Impl::round() {
  const auto events = poller_.wait(wait_until());
  now_ = std::chrono::steady_clock::now();
  woken_.store(false);
  run_posted();
  for (const epoll_event& event : events) {
    if (event.data.u64 == Poller::wake_token) continue;
    if (event.data.u64 == listener_token)
      accept_some();
    else if (Connection* connection = connections_.find(event.data.u64))
      on_event(*connection, event.events);
  }
  std::swap(queue_, looking_);
  for (Connection* connection : looking_)
    if (connection->queued) look_at(*connection);
  looking_.clear();
  expire();
  driven_due_ = driven_.turn();
  flush();
  if (stopping_.load() && !drain_until_) begin_drain();
}

std::optional<TimePoint> HttpServer::Impl::wait_until() const {
  if (!queue_.empty()) return now_;
  std::optional<TimePoint> until;
  const auto consider = [&until](std::optional<TimePoint> other) {
    if (other && (!until || *other < *until)) until = other;
  };
  consider(driven_due_);
  consider(accept_again_);
  consider(drain_until_);
  for (const DeadlineList* list :
       {&header_deadlines_, &body_deadlines_, &idle_deadlines_, &write_deadlines_, &linger_deadlines_})
    consider(list->next());
  return until;
}

void HttpServer::Impl::run_posted() {
  std::vector<std::move_only_function<void()>> tasks;
  {
    const std::lock_guard lock{posted_mutex_};
    tasks.swap(posted_);
  }
  for (auto& task : tasks) task();
}

// --- accepting: whatever goes wrong, it goes on ---

void HttpServer::Impl::accept_some() {
  if (!listener_.is_open()) return;
  for (int i = 0; i < accepts_per_round; ++i) {
    Listener::Result result = listener_.accept();
    switch (result.what) {
      case Listener::Accepted::connection:
        admit(std::move(result.fd));
        break;
      case Listener::Accepted::none:
        return;
      case Listener::Accepted::failed:
        ++counters_.accept_errors;
        break;
      case Listener::Accepted::out_of_resources:
        ++counters_.accept_errors;
        return pause_accept();
    }
  }
}

void HttpServer::Impl::admit(FileDescriptor fd) {
  const std::size_t before = connections_.count();
  ++counters_.accepted;
  if (before >= options_.connections + refusal_slots) {
    ++counters_.refused;
    return;
  }
  Connection& connection = connections_.open(std::move(fd));
  if (!poller_.add(connection.fd.get(), EPOLLIN | EPOLLRDHUP | EPOLLET, connection.token())) {
    ++counters_.accept_errors;
    return release(connection);
  }
  if (before >= options_.connections) return refuse(connection, BadRequest::too_many_connections);
  header_deadlines_.add(connection, now_);
}

void HttpServer::Impl::pause_accept() {
  poller_.change(listener_.fd(), 0, listener_token);
  accept_again_ = now_ + accept_pause;
}

void HttpServer::Impl::resume_accept() {
  accept_again_.reset();
  if (listener_.is_open()) poller_.change(listener_.fd(), EPOLLIN, listener_token);
}

void HttpServer::Impl::expire() {
  const auto each = [this](DeadlineList& list, auto&& act) {
    while (Deadline* deadline = list.due(now_)) act(static_cast<Connection&>(*deadline));
  };
  const auto refuse_late = [this](Connection& connection) {
    if (connection.phase == Connection::Phase::idle) return release(connection);  // it never sent anything
    refuse(connection, BadRequest::timed_out);
  };
  const auto close = [this](Connection& connection) { release(connection); };
  each(header_deadlines_, refuse_late);
  each(body_deadlines_, refuse_late);
  each(idle_deadlines_, close);
  each(write_deadlines_, close);
  each(linger_deadlines_, close);
  if (accept_again_ && *accept_again_ <= now_) resume_accept();
}

// --- stopping ---

void HttpServer::Impl::begin_drain() {
  drain_until_ = now_ + options_.drain_deadline;
  listener_.close();
  accept_again_.reset();
  for (Connection& connection : connections_.slots()) {
    hurry(connection);
    if (connection.phase != Connection::Phase::idle) continue;
    connection.readable = true;  // one last look: a request that has arrived is answered
    queue(connection);
  }
}

bool HttpServer::Impl::drained() const { return drain_until_ && (connections_.count() == 0 || *drain_until_ <= now_); }

void HttpServer::Impl::abandon_the_rest() {
  for (Connection& connection : connections_.slots()) {
    if (connection.phase == Connection::Phase::unused) continue;
    if (connection.phase == Connection::Phase::handling && !connection.gone) say_last_words(connection);
    lost(connection);
  }
}

void HttpServer::Impl::say_last_words(Connection& connection) {
  const LateAnswer answer = handler_.give_up(connection.request());
  Response response{answer.status, answer.content_type, answer.body, answer.fields, date_.at(std::time(nullptr))};
  response.connection = Response::Connection::closes;
  if (connection.request().method == Method::head) response.send_body = Response::Body::head_only;
  out_.clear();
  append(out_, response);
  // Once: a client that does not take it now cannot be waited for.
  const std::string_view text = out_.view(0, out_.size());
  [[maybe_unused]] const ssize_t sent = ::send(connection.fd.get(), text.data(), text.size(), MSG_NOSIGNAL);
}

// --- from any thread ---

void HttpServer::Impl::post(std::move_only_function<void()> task) {
  {
    const std::lock_guard lock{posted_mutex_};
    posted_.push_back(std::move(task));
  }
  wake();
}

void HttpServer::Impl::wake() noexcept {
  if (!woken_.exchange(true)) poller_.wake();
}

void HttpServer::Impl::stop() noexcept {
  stopping_.store(true);
  wake();
}

// --- the face ---

HttpServerCounters HttpServer::Impl::counters() const {
  HttpServerCounters counters = counters_;
  counters.connections = connections_.count();
  return counters;
}

HttpServer::HttpServer(HttpServerOptions options, HttpHandler& handler, Driven& driven)
    : impl_(std::make_unique<Impl>(std::move(options), handler, driven)) {}

HttpServer::~HttpServer() = default;

std::uint16_t HttpServer::port() const { return impl_->port(); }

HttpServerCounters HttpServer::counters() const { return impl_->counters(); }

void HttpServer::run() { impl_->run(); }

std::chrono::steady_clock::time_point HttpServer::drain_end() const { return impl_->drain_end(); }

void HttpServer::post(std::move_only_function<void()> task) { impl_->post(std::move(task)); }

void HttpServer::wake() noexcept { impl_->wake(); }

void HttpServer::stop() noexcept { impl_->stop(); }
bool HttpServer::is_stopping() const noexcept { return impl_->is_stopping(); }

}  // namespace firstcome::net
