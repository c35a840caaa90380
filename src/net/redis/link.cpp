#include "net/redis/link.hpp"

#include <cassert>
#include <utility>

namespace firstcome::net {

namespace {

/// Whether a refused greeting is about who we are; else the server is busy with itself (LOADING ...), or full.
bool is_denial(std::string_view asked, const std::string& error) {
  const std::string code = refused(error).code;
  if (code == "WRONGPASS" || code == "NOAUTH" || code == "NOPERM") return true;
  return asked == "AUTH" && code == "ERR";  // as of a server that has no password
}

}  // namespace

RedisLink::RedisLink(IoExecutor executor, RedisEndpoint endpoint, RedisOptions options, RedisRole role)
    : executor_(executor),
      endpoint_(std::move(endpoint)),
      options_(std::move(options)),
      role_(role),
      timer_(executor),
      due_timer_(executor),
      backoff_(options_.first_pause, options_.longest_pause, options_.seed) {
  set_down("not connected to " + to_string(endpoint_.address) + " yet");
}

void RedisLink::set_down(std::string reason) {
  const bool denied = std::exchange(was_denied_, false);
  why_down_ = {.kind = RedisFailure::Kind::not_sent, .code = denied ? "denied" : "down", .detail = std::move(reason)};
}

RedisCounters RedisLink::counters() const {
  RedisCounters all = counters_;
  if (wire_) {
    all.bytes_sent += wire_->bytes_sent();
    all.bytes_received += wire_->bytes_received();
  }
  return all;
}

void RedisLink::start() {
  if (!endpoint_.address.host.empty()) return connect();
  state_ = State::held;
  set_down("the address of the server is not known yet");
}

void RedisLink::move_to(const RedisAddress& address) {
  if (state_ == State::stopped) return;
  const std::shared_ptr<RedisLink> keep = shared_from_this();
  endpoint_.address = address;
  if (wire_) wire_->end("the server is now at " + to_string(address));
  if (state_ == State::stopped || wire_) return;  // a callback did it
  backoff_.reset();
  connect();
}

void RedisLink::give_up(RedisFailure why) {
  if (state_ == State::stopped || wire_) return;
  if (!endpoint_.address.host.empty()) return;
  const std::shared_ptr<RedisLink> keep = shared_from_this();
  state_ = State::pausing;
  why_down_ = std::move(why);
  ++counters_.failed_connects;
  link_down(Was::trying, 0);
}

void RedisLink::stop() {
  state_ = State::stopped;
  timer_.cancel();
  due_timer_.cancel();
  if (wire_) wire_->abandon();
}

void RedisLink::watch(TimePoint until) {
  if (due_ && *due_ <= until) return;
  due_ = until;
  due_timer_.expires_at(until);
  due_timer_.async_wait([weak = weak_from_this()](boost::system::error_code ec) {
    const std::shared_ptr<RedisLink> self = weak.lock();
    if (!ec && self && self->state_ != State::stopped) self->on_due();
  });
}

void RedisLink::on_due() {
  // One of an earlier wait could not be cancelled any more.
  if (!due_ || *due_ > std::chrono::steady_clock::now()) return;
  due_.reset();
  const std::optional<TimePoint> next = link_due();
  if (next && state_ != State::stopped) watch(*next);
}

void RedisLink::drop(const std::string& reason) {
  if (!wire_ || state_ == State::stopped) return;
  const std::shared_ptr<RedisLink> keep = shared_from_this();
  wire_->end(reason);
}

void RedisLink::connect() {
  state_ = State::connecting;
  std::unique_ptr<RedisTlsStream> stream;
  std::string problem;
  if (endpoint_.transport == RedisTransport::tls) {
    if (!tls_) {
      auto context = RedisTlsContext::make(options_.tls.with(endpoint_.tls));
      if (context) tls_ = std::move(*context);
      if (!context) problem = std::move(context.error());
    }
    if (tls_) stream = std::make_unique<RedisTlsStream>(tls_, endpoint_.address.host);
  }
  wire_ = std::make_shared<RedisWire>(executor_, *this, endpoint_.address, options_);
  timer_.expires_after(options_.connect_timeout);
  timer_.async_wait([weak = weak_from_this(), wire = wire_, problem](boost::system::error_code) {
    const std::shared_ptr<RedisLink> self = weak.lock();
    if (!self || self->wire_ != wire || !self->is_trying()) return;
    wire->end(problem.empty() ? "cannot connect to " + wire->name() + " in time" : problem);
  });
  if (problem.empty()) {
    wire_->start(std::move(stream));
  } else {
    timer_.cancel();  // which makes it fail, later as ever
  }
}

void RedisLink::wire_connected() {
  const std::shared_ptr<RedisLink> keep = shared_from_this();
  login_wanted_ = false;
  state_ = State::greeting;
  greet();
}

bool RedisLink::logs_in() const {
  if (endpoint_.user.empty() && endpoint_.password.empty()) return false;
  return endpoint_.login == RedisEndpoint::Login::always || login_wanted_;
}

/// Asks for what the connection needs to be of use, in one go.
void RedisLink::greet() {
  std::string& out = wire_->out();
  greetings_.clear();
  const auto send = [&](const char* name, const RedisCommand& command) {
    command.append_to(out);
    greetings_.insert(greetings_.begin(), name);
  };
  if (logs_in() && endpoint_.user.empty()) send("AUTH", RedisCommand("AUTH", endpoint_.password));
  if (logs_in() && !endpoint_.user.empty()) send("AUTH", RedisCommand("AUTH", endpoint_.user, endpoint_.password));
  if (endpoint_.database != 0) send("SELECT", RedisCommand("SELECT", endpoint_.database));
  if (role_ == RedisRole::master) send("ROLE", RedisCommand("ROLE"));
  send("PING", RedisCommand("PING"));
  wire_->flush_soon();
}

/// Whether the server has just asked for a login that was kept back until somebody asks.
bool RedisLink::asks_for_login(const RedisReply& reply) const {
  if (reply.type != RedisReply::Type::error || refused(reply.text).code != "NOAUTH") return false;
  const bool has_one = !endpoint_.user.empty() || !endpoint_.password.empty();
  return has_one && endpoint_.login == RedisEndpoint::Login::when_asked && !login_wanted_;
}

/// Why the connection is of no use; empty: nothing is wrong.
std::string RedisLink::objection(const RedisReply& reply) const {
  const std::string& asked = greetings_.back();
  if (reply.type == RedisReply::Type::error) return wire_->name() + " refused " + asked + ": " + reply.text;
  if (asked == "ROLE" && reply.at(0).text != "master") {
    return wire_->name() + " is not a master but a " + reply.at(0).text;
  }
  return {};
}

void RedisLink::wire_replied(RedisReply reply) {
  const std::shared_ptr<RedisLink> keep = shared_from_this();
  if (state_ == State::up) return link_replied(std::move(reply));
  assert(state_ == State::greeting);
  check_greeting(reply);
}

void RedisLink::check_greeting(const RedisReply& reply) {
  if (greetings_.empty()) return wire_->end(wire_->name() + " answered what it was not asked");
  if (asks_for_login(reply) && greetings_.size() == 1) {
    login_wanted_ = true;
    return greet();
  }
  if (const std::string why = objection(reply); !why.empty()) {
    was_denied_ = reply.type == RedisReply::Type::error && is_denial(greetings_.back(), reply.text);
    return wire_->end(why);
  }
  greetings_.pop_back();
  if (!greetings_.empty()) return;
  state_ = State::up;
  timer_.cancel();
  backoff_.reset();
  why_down_.detail.clear();
  ++counters_.connects;
  link_up(counters_.connects);
}

void RedisLink::wire_ended(const std::string& reason) {
  const std::shared_ptr<RedisLink> keep = shared_from_this();
  const Was was = state_ == State::up ? Was::up : Was::trying;
  if (was == Was::trying) ++counters_.failed_connects;
  counters_.bytes_sent += wire_->bytes_sent();
  counters_.bytes_received += wire_->bytes_received();
  const std::uint64_t sent = wire_->sent();
  wire_.reset();
  set_down(reason);
  pause();
  link_down(was, sent);
}

void RedisLink::pause() {
  state_ = State::pausing;
  timer_.expires_after(backoff_.next());
  timer_.async_wait([weak = weak_from_this()](boost::system::error_code ec) {
    const std::shared_ptr<RedisLink> self = weak.lock();
    if (!ec && self && self->state_ == State::pausing) self->connect();
  });
}

RedisLinkHandle::RedisLinkHandle(std::shared_ptr<RedisLink> link) : link_(std::move(link)) { link_->start(); }

RedisLinkHandle::~RedisLinkHandle() {
  if (link_) link_->close();
}

RedisLinkHandle& RedisLinkHandle::operator=(RedisLinkHandle&& other) noexcept {
  RedisLinkHandle old(std::move(other));
  std::swap(link_, old.link_);
  return *this;
}

const RedisEndpoint& RedisLinkHandle::endpoint() const { return link_->endpoint(); }
RedisCounters RedisLinkHandle::counters() const { return link_->counters(); }
void RedisLinkHandle::move_to(const RedisAddress& address) { link_->move_to(address); }
void RedisLinkHandle::give_up(const RedisFailure& why) { link_->give_up(why); }
void RedisLinkHandle::reconnect(const std::string& reason) { link_->drop(reason); }

}  // namespace firstcome::net
