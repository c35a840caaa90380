#include "lock/redis/fifo_inboxes.hpp"

#include "lock/event_loop.hpp"
#include "lock/redis/redis_failure.hpp"

#include <utility>

namespace firstcome::lock {

namespace {

constexpr std::chrono::minutes kept_idle{1};
constexpr const char* hello = "0 0 0 0";  // a grant to nobody

}  // namespace

bool FifoInboxes::hears(const std::string& channel) const {
  const auto inbox = inboxes_.find(channel);
  return inbox != inboxes_.end() && inbox->second.hears;
}

void FifoInboxes::hear(const std::string& channel, BootTime deadline, Heard done) {
  if (client_ == nullptr) return done(closed_failure());
  Inbox& inbox = inboxes_[channel];
  inbox.idle_since.reset();
  if (inbox.hears) return done({});
  inbox.waiting.push_back(std::move(done));
  if (!std::exchange(inbox.asking, true)) subscribe(channel, deadline);
}

void FifoInboxes::subscribe(const std::string& channel, BootTime deadline) {
  client_->subscribe(channel, loop_deadline(deadline),
                     [this, channel, deadline](const std::expected<void, net::RedisFailure>& result) {
                       if (!result) return answered(channel, lock_failure(result.error()));
                       if (tried_ || client_ == nullptr) return answered(channel, {});
                       try_out(channel, deadline);
                     });
}

void FifoInboxes::try_out(const std::string& channel, BootTime deadline) {
  net::RedisCommand command(client_->publish_command(), channel, hello);
  client_->execute(
      channel, std::move(command), loop_deadline(deadline), [this, channel](const net::RedisResult& result) {
        if (!result) return answered(channel, lock_failure(result.error()));
        if (result->to_integer().value_or(0) == 0) {
          return answered(
              channel, LockFailure{LockFailure::Kind::broken, "what is published to " + channel + " does not arrive"});
        }
        tried_ = true;
        answered(channel, {});
      });
}

void FifoInboxes::answered(const std::string& channel, std::optional<LockFailure> failure) {
  const auto found = inboxes_.find(channel);
  if (found == inboxes_.end()) return;
  Inbox& inbox = found->second;
  inbox.asking = false;
  if (!failure) inbox.confirmed = inbox.hears = true;
  for (Heard& done : std::exchange(inbox.waiting, {})) done(failure);
}

void FifoInboxes::renew(const std::string& channel) {
  if (client_ == nullptr || !hears(channel)) return;
  inboxes_[channel].hears = false;
  client_->reconnect_channel(channel, "its messages do not arrive");
}

void FifoInboxes::idle(const std::string& channel, BootTime now) {
  if (const auto inbox = inboxes_.find(channel); inbox != inboxes_.end()) inbox->second.idle_since = now;
  sweep(now);
}

void FifoInboxes::sweep(BootTime now) {
  if (client_ == nullptr || client_->publish_command() == "PUBLISH") return;  // the one inbox stays
  std::erase_if(inboxes_, [&](const auto& entry) {
    const Inbox& inbox = entry.second;
    const bool over = inbox.idle_since && now - *inbox.idle_since > kept_idle && inbox.waiting.empty();
    if (over) client_->unsubscribe(entry.first);
    return over;
  });
}

void FifoInboxes::deaf() {
  for (auto& [channel, inbox] : inboxes_) inbox.hears = false;
}

void FifoInboxes::subscribed() {
  for (auto& [channel, inbox] : inboxes_) inbox.hears = inbox.confirmed;
}

void FifoInboxes::close() {
  client_ = nullptr;
  for (auto& [channel, inbox] : inboxes_) {
    for (Heard& done : std::exchange(inbox.waiting, {})) done(closed_failure());
  }
}

}  // namespace firstcome::lock
