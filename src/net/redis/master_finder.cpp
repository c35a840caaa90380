#include "net/redis/master_finder.hpp"

#include "net/redis/wire.hpp"

#include <algorithm>
#include <list>
#include <utility>
#include <vector>

namespace firstcome::net {

namespace {

constexpr const char* switch_channel = "+switch-master";

std::optional<RedisAddress> address_of(std::string_view host, std::string_view port) {
  RedisReply number{.type = RedisReply::Type::text, .text = std::string(port)};
  const std::optional<std::int64_t> value = number.to_integer();
  if (host.empty() || !value || *value < 1 || *value > 65'535) return std::nullopt;
  return RedisAddress{.host = std::string(host), .port = static_cast<std::uint16_t>(*value)};
}

}  // namespace

std::optional<RedisAddress> read_switch(std::string_view message, std::string_view name) {
  std::vector<std::string_view> words;
  for (;;) {
    const std::size_t space = message.find(' ');
    words.push_back(message.substr(0, space));
    if (space == std::string_view::npos) break;
    message.remove_prefix(space + 1);
  }
  if (words.size() != 5 || words[0] != name) return std::nullopt;
  return address_of(words[3], words[4]);
}

std::optional<RedisAddress> read_master(const RedisReply& reply) {
  return address_of(reply.at(0).text, reply.at(1).text);
}

struct RedisMasterFinder::Impl : std::enable_shared_from_this<RedisMasterFinder::Impl> {
  Impl(IoExecutor where, const RedisUrl& url, const RedisOptions& how, Events what)
      : executor(where),
        name(url.master),
        options(how),
        events(std::move(what)),
        inquiry(where, how),
        timer(where),
        backoff(how.first_pause, how.longest_pause, how.seed) {
    for (const RedisAddress& address : url.hosts) sentinels.push_back(url.sentinel(address));
  }

  void listen();
  void look();
  void begin_round();
  void end_round(RedisFailure problem);
  void tell(const RedisAddress& address);

  IoExecutor executor;
  std::string name;
  RedisOptions options;
  std::vector<RedisEndpoint> sentinels = {};  // the one that answered last comes first
  Events events;
  RedisInquiry inquiry;
  std::list<RedisSubscriber> listeners = {};
  RedisTimer timer;
  RedisBackoff backoff;
  bool pausing = false;
  bool once_more = false;
  std::uint64_t rounds = 0;
  std::optional<RedisAddress> answer = {};
  bool ended = false;
};

void RedisMasterFinder::Impl::listen() {
  RedisOptions patient = options;
  patient.when_down = RedisOptions::WhenDown::wait;
  for (const RedisEndpoint& sentinel : sentinels) {
    RedisSubscriberEvents heard;
    heard.message = [weak = weak_from_this()](std::string_view, std::string_view message) {
      const auto self = weak.lock();
      if (!self || self->ended) return;
      if (const std::optional<RedisAddress> address = read_switch(message, self->name)) self->tell(*address);
    };
    RedisSubscriber& listener = listeners.emplace_back(executor, sentinel, std::move(heard), patient);
    listener.subscribe(switch_channel, RedisChannelKind::plain, std::chrono::steady_clock::time_point::max(),
                       [](const std::expected<void, RedisFailure>&) {});
  }
}

void RedisMasterFinder::Impl::look() {
  if (inquiry.is_running()) {
    once_more = true;
  } else if (!pausing) {
    begin_round();
  }
}

void RedisMasterFinder::Impl::begin_round() {
  ++rounds;
  once_more = false;
  answer.reset();
  inquiry.start(
      sentinels, RedisCommand("SENTINEL", "GET-MASTER-ADDR-BY-NAME", name),
      [weak = weak_from_this()](const RedisReply& reply, const RedisAddress& from) -> std::string {
        const auto self = weak.lock();
        if (!self) return {};
        self->answer = read_master(reply);
        if (!self->answer) return "the sentinel " + to_string(from) + " does not know a master \"" + self->name + "\"";
        const auto who = std::ranges::find(self->sentinels, from, &RedisEndpoint::address);
        std::rotate(self->sentinels.begin(), who, who + 1);
        return {};
      },
      [weak = weak_from_this()](const RedisFailure& problem) {
        if (const auto self = weak.lock(); self && !self->ended) self->end_round(problem);
      });
}

void RedisMasterFinder::Impl::end_round(RedisFailure problem) {
  if (answer) backoff.reset();
  if (!answer || once_more) {
    pausing = true;
    timer.expires_after(backoff.next());
    timer.async_wait([weak = weak_from_this()](boost::system::error_code ec) {
      const auto self = weak.lock();
      if (ec || !self || self->ended) return;
      self->pausing = false;
      self->begin_round();
    });
  }
  if (answer) {
    const RedisAddress address = *answer;
    tell(address);
  } else if (events.in_vain) {
    problem.detail = "the sentinels do not know the master: " + problem.detail;
    events.in_vain(problem);
  }
}

void RedisMasterFinder::Impl::tell(const RedisAddress& address) {
  const std::shared_ptr<Impl> keep = shared_from_this();
  if (events.found) events.found(address);
}

RedisMasterFinder::RedisMasterFinder(IoExecutor executor, const RedisUrl& url, const RedisOptions& options,
                                     Events events)
    : impl_(std::make_shared<Impl>(executor, url, options, std::move(events))) {
  impl_->listen();
  impl_->look();
}

RedisMasterFinder::~RedisMasterFinder() {
  impl_->ended = true;
  impl_->timer.cancel();
}

void RedisMasterFinder::look() { impl_->look(); }
std::uint64_t RedisMasterFinder::rounds() const { return impl_->rounds; }

}  // namespace firstcome::net
