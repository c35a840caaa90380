#include "rush/crowd.hpp"

#include "api/words.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <cassert>

namespace firstcome::rush {

namespace asio = boost::asio;

namespace {

constexpr asio::as_tuple_t<asio::use_awaitable_t<net::IoExecutor>> use_task;
constexpr Milliseconds reconnect_pause{100};

Then then_of(const Behaviour& behaviour, const SaleSeen& sale) {
  if (sale.payment == "auto") return Then::watch;
  return behaviour.pays == Behaviour::Pays::yes ? Then::pay : Then::leave;
}

/// In the queue, and looking.
bool waits(const Click& click) { return click.told().word == Word::waiting && click.next().what != Click::Do::nothing; }

std::string_view said(const Reply& reply) {
  if (reply.kind != Reply::Kind::answered) return "no answer";
  return reply.reservation ? api::word(reply.reservation->state) : std::string_view(reply.code);
}

}  // namespace

struct Crowd::Worker {
  Worker(net::IoExecutor executor, const std::vector<net::HttpOrigin>& targets, std::size_t index)
      : target(index % targets.size()), client(executor, targets[target]), pause(executor) {}
  std::size_t target;  // of the options
  net::HttpClient client;
  Timer pause;
  net::ClientRequest request;
};

Crowd::Crowd(asio::io_context& io, const RushOptions& options, const CustomerNames& names, const SaleSeen& sale)
    : io_(io), options_(options), names_(names), choice_(options), timer_(io), done_(io) {
  for (std::uint32_t i = 0; i < options.sales; ++i)
    reservations_.push_back(fmt::format("/v1/sales/{}/reservations", sale_id_of(options, i)));
  figures_.targets.resize(options.targets.size());
  make_clicks(sale);
  std::uint32_t connections = connections_of(options);
  for (std::uint32_t i = 0; i < connections; ++i)
    workers_.push_back(std::make_unique<Worker>(io.get_executor(), options.targets, i));
}

Crowd::~Crowd() = default;

// After a failure: to one of the other servers, to each of them as many as to the next. It stays there.
void Crowd::move_on(Worker* worker) {
  const std::size_t others = options_.targets.size() - 1;
  if (others == 0) return;
  worker->target = (worker->target + 1 + moved_++ % others) % (others + 1);
  worker->client = net::HttpClient(io_.get_executor(), options_.targets[worker->target]);
}

void Crowd::make_clicks(const SaleSeen& sale) {
  clicks_.reserve(options_.customers);
  for (std::uint32_t customer = 0; customer < options_.customers; ++customer) {
    Behaviour behaviour = behaviour_of(options_, customer);
    Told told;
    told.customer = customer;
    told.request = static_cast<std::uint32_t>(clicks_.size());
    told.quantity = behaviour.quantity;
    Then then = then_of(behaviour, sale);
    if (behaviour.clicks == Behaviour::Clicks::twice_without_key) told.keyed = Keyed::no;
    clicks_.emplace_back(told, then);
    if (options_.click_lease) clicks_.back().lock_first();
    if (behaviour.clicks == Behaviour::Clicks::once) continue;
    if (told.keyed == Keyed::no)
      ++told.request;
    else
      then = Then::stop;
    clicks_.emplace_back(told, then);
    if (options_.click_lease) clicks_.back().lock_first();
  }
}

Moment Crowd::arrives_at(std::uint32_t click) const {
  if (!options_.rate) return {};
  double seconds = static_cast<double>(clicks_[click].told().customer) / *options_.rate;
  return Moment{static_cast<std::int64_t>(seconds * 1e9)};
}

net::Task<void> Crowd::run() {
  start_ = std::chrono::steady_clock::now();
  opening_ = workers_.size();
  for (auto& worker : workers_) asio::co_spawn(io_.get_executor(), open(worker.get()), asio::detached);
  done_.expires_at(std::chrono::steady_clock::time_point::max());
  co_await done_.async_wait(use_task);  // cancelled by the last to open
  start_ = std::chrono::steady_clock::now();
  meter_.emplace();
  for (auto& worker : workers_) idle_.push_back(worker.get());
  if (!options_.rate) arrived_ = static_cast<std::uint32_t>(clicks_.size());
  done_.expires_at(start_ + options_.patience);
  release(now());
  wake();
  arm();
  co_await done_.async_wait(use_task);  // cancelled by the last answer
  over_ = true;
  figures_.sent_home = figures_.finished < clicks_.size();
  timer_.cancel();
  if (figures_.sent_home) count_the_unserved();
  while (idle_.size() < workers_.size()) {
    done_.expires_at(std::chrono::steady_clock::time_point::max());
    co_await done_.async_wait(use_task);  // cancelled by the last worker
  }
  for (auto& worker : workers_) worker->client.close();
}

void Crowd::send_home() {
  if (meter_ && !over_) done_.cancel();
}

// Whoever came and got no connection until the others went home has waited too, and who was to come again: without them
// a server that is too slow would look quicker the slower it is.
void Crowd::count_the_unserved() {
  if (next_arrival_ < clicks_.size()) figures_.arriving = meter_->read();
  if (!options_.rate) return;
  const Moment at = now();
  for (std::uint32_t click = 0; click < arrived_; ++click) {
    const bool sent_away = clicks_[click].next().what == Click::Do::reserve;
    if (click >= next_arrival_ || sent_away) figures_.reserve["not served"].record(at - arrives_at(click));
  }
}

// A request that costs the server little: what follows is not slowed down by connecting.
net::Task<void> Crowd::open(Worker* worker) {
  worker->request.method = net::Method::get;
  worker->request.target = "/healthz";
  auto deadline = std::chrono::steady_clock::now() + options_.timeout;
  net::ClientResult result = co_await worker->client.request(worker->request, deadline);
  connected_ += result ? 1 : 0;
  if (!result) move_on(worker);
  if (--opening_ == 0) done_.cancel();
}

net::Task<void> Crowd::work(Worker* worker) {
  while (auto click = take()) {
    Reply::Kind kind = co_await converse(worker, *click);
    if (kind == Reply::Kind::answered) continue;
    move_on(worker);
    if (kind != Reply::Kind::unsent) continue;
    worker->pause.expires_after(reconnect_pause);
    co_await worker->pause.async_wait(use_task);
  }
  idle_.push_back(worker);
  finish_if_over();
}

net::Task<Reply::Kind> Crowd::converse(Worker* worker, std::uint32_t index) {
  Click& click = clicks_[index];
  const Click::Do asked = click.next().what;
  compose(worker->request, click);
  const Moment sent = now();
  ++figures_.requests;
  auto deadline = std::chrono::steady_clock::now() + options_.timeout;
  net::ClientResult result = co_await worker->client.request(worker->request, deadline);
  const Moment answered = now();
  const Reply reply = read_reply(result);
  TargetFigures& target = figures_.targets[worker->target];
  ++target.requests;
  target.unanswered += reply.kind != Reply::Kind::answered ? 1 : 0;
  target.failed += reply.status >= 500 ? 1 : 0;
  const bool waited = waits(click);
  const bool was_confirmed = click.told().state == ReservationState::confirmed;
  click.heard(reply, sent, answered);
  if (reply.reservation && reply.reservation->customer != names_.name(click.told().customer)) click.note_another();
  if (!was_confirmed && click.told().state == ReservationState::confirmed) figures_.last_confirmed = answered;
  // Who was sent away to come again has waited since the arrival, whatever the last request took.
  const bool since_arrival = options_.rate && asked == Click::Do::reserve && click.told().word != Word::again;
  record(asked, reply, answered - (since_arrival ? std::min(arrives_at(index), sent) : sent));
  figures_.elapsed = answered;
  figures_.waiting += waits(click) ? 1 : 0;
  figures_.waiting -= waited ? 1 : 0;
  follow_up(index);
  co_return reply.kind;
}

void Crowd::compose(net::ClientRequest& request, const Click& click) const {
  const Told& told = click.told();
  request.body.clear();
  request.fields.clear();
  switch (click.next().what) {
    case Click::Do::lock:
      request.method = net::Method::post;
      request.target = "/v1/locks/" + names_.name(told.customer) + "/acquire";
      request.body = fmt::format(R"({{"wait_ms":0,"lease_ms":{}}})", options_.click_lease->count());
      return;
    case Click::Do::reserve:
      request.method = net::Method::post;
      request.target = reservations_[choice_.of(told.customer)];
      request.body = fmt::format(R"({{"customer":"{}","quantity":{}}})", names_.name(told.customer), told.quantity);
      if (told.keyed == Keyed::yes) request.fields.push_back({"Idempotency-Key", names_.key(told.customer)});
      return;
    case Click::Do::look:
      request.method = net::Method::get;
      request.target = "/v1/reservations/" + told.reservation;
      return;
    case Click::Do::pay:
      request.method = net::Method::post;
      request.target = "/v1/reservations/" + told.reservation + "/payment";
      return;
    case Click::Do::nothing:
      assert(!"a click that has ended asks for nothing");
  }
}

void Crowd::record(Click::Do asked, const Reply& reply, Moment latency) {
  if (reply.kind != Reply::Kind::answered) ++figures_.unanswered;
  if (asked == Click::Do::lock) return;  // what it is for is measured
  Latencies& latencies = asked == Click::Do::reserve ? figures_.reserve
                         : asked == Click::Do::look  ? figures_.look
                                                     : figures_.pay;
  std::string_view key = said(reply);
  auto place = latencies.find(key);
  if (place == latencies.end()) place = latencies.emplace(std::string(key), Histogram{}).first;
  place->second.record(latency);
}

void Crowd::follow_up(std::uint32_t index) {
  const Click::Next& next = clicks_[index].next();
  if (next.what == Click::Do::nothing) {
    ++figures_.finished;
    if (figures_.finished == clicks_.size()) done_.cancel();
  } else if (next.after.count() == 0) {
    going_on_.push_back(index);
  } else {
    waiting_.push({now() + next.after, index});
    if (!armed_for_ || waiting_.top().at < *armed_for_) arm();
  }
}

std::optional<std::uint32_t> Crowd::take() {
  if (over_) return std::nullopt;
  const Moment at = now();
  release(at);
  std::uint32_t click = 0;
  if (!going_on_.empty()) {
    click = going_on_.front();
    going_on_.pop_front();
  } else if (next_arrival_ < arrived_) {
    click = next_arrival_++;
    ++figures_.clicks;
    figures_.last_arrival = at;
    if (next_arrival_ == clicks_.size()) figures_.arriving = meter_->read();
  } else {
    return std::nullopt;
  }
  wake();
  return click;
}

// Lets those act whose time has come.
void Crowd::release(Moment at) {
  for (; !waiting_.empty() && waiting_.top().at <= at; waiting_.pop()) going_on_.push_back(waiting_.top().click);
  for (; arrived_ < clicks_.size(); ++arrived_) {
    Moment due = arrives_at(arrived_);
    if (due > at) return;
    figures_.lag.record(at - due);
  }
}

// A worker that is spawned runs at once up to its first wait, and takes what it does there.
void Crowd::wake() {
  // When it is over nobody takes anything any more: idle workers would be woken for ever.
  if (waking_ || over_) return;
  waking_ = true;
  while (!idle_.empty() && (!going_on_.empty() || next_arrival_ < arrived_)) {
    Worker* worker = idle_.back();
    idle_.pop_back();
    asio::co_spawn(io_.get_executor(), work(worker), asio::detached);
  }
  waking_ = false;
}

// One timer for whoever is next, in the heap or at the door.
void Crowd::arm() {
  std::optional<Moment> next;
  if (!waiting_.empty()) next = waiting_.top().at;
  if (arrived_ < clicks_.size()) next = std::min(next.value_or(Moment::max()), arrives_at(arrived_));
  if (over_ || !next || armed_for_ == next) return;
  armed_for_ = next;
  timer_.expires_at(start_ + std::chrono::duration_cast<std::chrono::steady_clock::duration>(*next));
  timer_.async_wait([this](boost::system::error_code error) {
    if (error || over_) return;  // it may have been on its way when it was cancelled
    armed_for_.reset();
    release(now());
    wake();
    arm();
  });
}

void Crowd::finish_if_over() {
  if (over_ && idle_.size() == workers_.size()) done_.cancel();
}

std::vector<Told> Crowd::told() const {
  std::vector<Told> told;
  told.reserve(clicks_.size());
  for (const Click& click : clicks_) told.push_back(click.told());
  return told;
}

}  // namespace firstcome::rush
