#include "lock/redis/fifo_inboxes.hpp"

#include "lock/event_loop.hpp"
#include "lock/redis/redis_failure.hpp"

#include <algorithm>
#include <utility>

namespace firstcome::lock {

namespace {

constexpr std::chrono::minutes kept_idle{1};
constexpr const char* hello = "0 0 0 0";  // a grant to nobody

}  // namespace

bool FifoInboxes::use(const std::string& channel) {
  const auto inbox = inboxes_.find(channel);
  if (inbox == inboxes_.end()) return false;
  inbox->second.idle_since.reset();
  return inbox->second.hears;
}

std::size_t FifoInboxes::deaf_ones() const {
  return static_cast<std::size_t>(std::ranges::count_if(
      inboxes_, [](const auto& entry) { return !entry.second.hears && !entry.second.idle_since; }));
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
  // After a failure the client may have forgotten the channel: it counts as heard when it was subscribed anew.
  inbox.confirmed = inbox.hears = !failure;
  changed_();
  for (Heard& done : std::exchange(inbox.waiting, {})) done(failure);
}

void FifoInboxes::renew(const std::string& channel, BootTime deadline) {
  const auto inbox = inboxes_.find(channel);
  if (client_ == nullptr || inbox == inboxes_.end() || inbox->second.asking) return;
  inbox->second.confirmed = inbox->second.hears = false;
  client_->reconnect_channel(channel, "its messages do not arrive");
  hear(channel, deadline, [](const std::optional<LockFailure>&) {});
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
  changed_();
}

void FifoInboxes::dropped(const std::string& channel, BootTime deadline) {
  const auto inbox = inboxes_.find(channel);
  if (client_ == nullptr || inbox == inboxes_.end()) return;
  inbox->second.confirmed = inbox->second.hears = false;
  hear(channel, deadline, [](const std::optional<LockFailure>&) {});
}

void FifoInboxes::subscribed(BootTime deadline) {
  std::vector<std::string> missing;
  for (auto& [channel, inbox] : inboxes_) {
    inbox.hears = inbox.confirmed;
    if (!inbox.confirmed && !inbox.asking && !inbox.idle_since) missing.push_back(channel);
  }
  for (const std::string& channel : missing) hear(channel, deadline, [](const std::optional<LockFailure>&) {});
  changed_();
}

void FifoInboxes::close() {
  client_ = nullptr;
  for (auto& [channel, inbox] : inboxes_) {
    for (Heard& done : std::exchange(inbox.waiting, {})) done(closed_failure());
  }
}

}  // namespace firstcome::lock
