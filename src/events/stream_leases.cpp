#include "events/stream_leases.hpp"

#include <fmt/format.h>

#include <utility>

namespace firstcome::events {

StreamLeases::StreamLeases(std::unique_ptr<LockSpace> space, std::function<void()> changed)
    : space_(std::move(space)), mail_(std::make_shared<Mail>()) {
  mail_->changed = std::move(changed);
}

StreamLeases::~StreamLeases() {
  streams_.clear();
  std::vector<std::pair<SaleHandle, Acquired>> late;
  const std::lock_guard guard(mail_->mutex);
  mail_->changed = nullptr;
  late.swap(mail_->arrived);
}

void StreamLeases::want(SaleHandle stream) {
  const auto [at, is_new] = streams_.try_emplace(stream);
  if (!is_new) return;
  if (!space_) {
    const std::lock_guard guard(mail_->mutex);
    mail_->arrived.emplace_back(stream, Lease());
    return;
  }
  Stream& wanted = at->second;
  wanted.lock = space_->lock(fmt::format("firstcome:relay:{}", value(stream)));
  AcquireOptions options;
  options.wait = wait_for_ever;
  options.stop = wanted.stop.get_token();
  wanted.lock->acquire(std::move(options), [mail = mail_, stream](Acquired acquired) {
    const std::lock_guard guard(mail->mutex);
    if (!mail->changed) return;  // the lease goes back by itself
    mail->arrived.emplace_back(stream, std::move(acquired));
    mail->changed();
  });
}

void StreamLeases::take_granted(std::vector<SaleHandle>& streams) {
  std::vector<std::pair<SaleHandle, Acquired>> arrived;
  {
    const std::lock_guard guard(mail_->mutex);
    arrived.swap(mail_->arrived);
  }
  for (auto& [stream, acquired] : arrived) {
    const auto wanted = streams_.find(stream);
    if (wanted == streams_.end() || wanted->second.lease) continue;
    if (!acquired) {
      streams_.erase(wanted);
      continue;
    }
    wanted->second.lease = std::move(*acquired);
    streams.push_back(stream);
  }
}

bool StreamLeases::holds(SaleHandle stream) {
  const auto found = streams_.find(stream);
  if (found == streams_.end() || !found->second.lease) return false;
  if (!space_ || !found->second.lease->lost()) return true;
  streams_.erase(found);
  return false;
}

std::uint64_t StreamLeases::token(SaleHandle stream) const {
  return space_ ? streams_.at(stream).lease->token().value_or(0) : 0;
}

}  // namespace firstcome::events
