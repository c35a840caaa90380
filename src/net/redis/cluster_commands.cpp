#include "net/redis/cluster_state.hpp"

#include <boost/asio/post.hpp>

#include <memory>
#include <utility>

namespace firstcome::net {

namespace asio = boost::asio;
using std::chrono::steady_clock;
using Kind = RedisFailure::Kind;
using State = RedisClusterState;
using What = RedisVerdict::What;

namespace {

constexpr unsigned most_redirections = 16;  // of one command; more is a cluster that does not agree with itself

}  // namespace

void State::execute(unsigned slot, RedisCommand command, TimePoint deadline, RedisDone done) {
  Request request;
  request.slot = slot;
  request.command = std::move(command);
  request.deadline = deadline;
  request.done = std::move(done);
  send(std::move(request));
}

void State::send(Request request) {
  const RedisAddress* const owner = map_.owner(request.slot);
  if (owner != nullptr) {
    const RedisAddress address = *owner;
    return send_to(address, std::move(request), Route::usual);
  }
  RedisFailure why{.kind = Kind::not_sent, .code = "nobody", .detail = "it is not known yet who has slot "};
  why.detail += std::to_string(request.slot);
  park(std::move(request), std::move(why));
  if (!inquiry_.is_running()) refresh();  // what is being read will tell, and need not be read again
}

void State::send_to(const RedisAddress& address, Request request, Route route) {
  RedisCommand command = request.command;  // kept, to be sent elsewhere
  const TimePoint deadline = request.deadline;
  RedisDone answer = [weak = weak_from_this(), address,
                      kept = std::make_unique<Request>(std::move(request))](RedisResult result) mutable {
    const std::shared_ptr<State> self = weak.lock();
    if (self && !self->ended_) return self->answered(address, std::move(*kept), std::move(result));
    kept->done(std::move(result));
  };
  RedisConnection& connection = node(address).commands;
  if (route == Route::asking) return connection.execute_asking(std::move(command), deadline, std::move(answer));
  connection.execute(std::move(command), deadline, std::move(answer));
}

void State::answered(const RedisAddress& from, Request request, RedisResult result) {
  if (result) return request.done(std::move(result));
  const RedisVerdict verdict = judge(result.error(), from);
  const bool redirected = verdict.what == What::moved || verdict.what == What::ask;
  if (redirected) {
    request.command.mark_redirected();
    if (++request.redirections > most_redirections) return request.done(std::move(result));
  }
  switch (verdict.what) {
    case What::give:
      if (result.error().may_have_run() || result.error().code == "READONLY") refresh();
      return request.done(std::move(result));
    case What::moved:
      moved(verdict.slot, verdict.address);
      return send_to(verdict.address, std::move(request), Route::usual);
    case What::ask:
      ++counters_.redirects;
      disturb(verdict.slot);
      return send_to(verdict.address, std::move(request), Route::asking);
    case What::again:
      disturb(request.slot);
      request.command.mark_redirected();
      return park(std::move(request), std::move(result.error()));
    case What::refresh:
      refresh();
      return park(std::move(request), std::move(result.error()));
  }
}

/// To be tried again after a pause.
void State::park(Request request, RedisFailure why) {
  if (parked_.size() >= options_.most_commands) {
    why.detail = "too many commands wait for the cluster: " + why.detail;
    asio::post(executor_, [done = std::move(request.done), why = std::move(why)]() mutable {
      done(std::unexpected(std::move(why)));
    });
    return;
  }
  request.last = std::move(why);
  request.again_at = after_pause(request.pauses);
  parked_.push_back(std::move(request));
  tend_soon();
}

void State::tend_requests() {
  const TimePoint now = steady_clock::now();
  std::list<Request> late;
  std::list<Request> due;
  for (auto request = parked_.begin(); request != parked_.end();) {
    const auto next = std::next(request);
    if (request->deadline <= now) {
      late.splice(late.end(), parked_, request);
    } else if (request->again_at <= now) {
      due.splice(due.end(), parked_, request);
    }
    request = next;
  }
  for (Request& request : due) send(std::move(request));
  for (Request& request : late) {
    if (request.last.kind == Kind::not_sent) {
      ++counters_.not_sent;
      request.last.code = "late";
      request.last.detail = "not sent in time: " + request.last.detail;
    }
    request.done(std::unexpected(std::move(request.last)));
  }
}

void State::fail_parked(const RedisFailure& why) {
  std::list<Request> failed = std::exchange(parked_, {});
  for (Request& request : failed) {
    ++counters_.not_sent;
    request.done(std::unexpected(why));
  }
}

}  // namespace firstcome::net
