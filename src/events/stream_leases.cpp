#include "events/stream_leases.hpp"

#include <fmt/format.h>

#include <utility>

namespace firstcome::events {
namespace {

/// Then it is asked again: a message that was to end the wait may have been lost.
constexpr Milliseconds longest_wait{15'000};

}  // namespace

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
  if (streams_.try_emplace(stream).second) ask_for(stream);
}

void StreamLeases::ask_for(SaleHandle stream) {
  if (!space_) {
    const std::lock_guard guard(mail_->mutex);
    mail_->arrived.emplace_back(stream, Lease());
    return;
  }
  Stream& wanted = streams_.at(stream);
  wanted.lock = space_->lock(fmt::format("firstcome:relay:{}", value(stream)));
  AcquireOptions options;
  options.wait = longest_wait;
  options.stop = wanted.stop.get_token();
  wanted.lock->acquire(std::move(options), [mail = mail_, stream](Acquired acquired) {
    const std::lock_guard guard(mail->mutex);
    if (!mail->changed) return;  // the lease goes back by itself
    mail->arrived.emplace_back(stream, std::move(acquired));
    mail->changed();
  });
}

StreamLeases::Answers StreamLeases::take_answers() {
  std::vector<std::pair<SaleHandle, Acquired>> arrived;
  {
    const std::lock_guard guard(mail_->mutex);
    arrived.swap(mail_->arrived);
  }
  Answers answers;
  for (auto& [stream, acquired] : arrived) {
    const auto wanted = streams_.find(stream);
    if (wanted == streams_.end() || wanted->second.lease) continue;
    if (acquired) {
      wanted->second.lease = std::move(*acquired);
      answers.granted.push_back(stream);
    } else if (acquired.error().why == NotAcquired::Why::timed_out) {
      ask_for(stream);  // somebody else has it still
    } else {
      streams_.erase(wanted);
      answers.refused.push_back({stream, std::move(acquired.error())});
    }
  }
  return answers;
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
