// Carrying a request of a contender's to the thread of its backend, or answering that there is none any more.
#pragma once

#include "lock/event_loop.hpp"

#include <expected>
#include <memory>
#include <type_traits>
#include <utility>

namespace firstcome::lock {

template <typename Answered>
Answered failed_with(LockFailure failure) {
  if constexpr (std::is_constructible_v<Answered, LockFailure>) {
    return failure;
  } else {
    return std::unexpected(std::move(failure));
  }
}

/// Calls `work(*claim, done)` on the thread of `claim->loop()`.
template <typename Claim, typename Answered, typename Work>
void ask_on_loop(const std::shared_ptr<Claim>& claim, Answer<Answered> done, Work work) {
  auto kept = std::make_shared<Answer<Answered>>(std::move(done));
  const bool taken = claim->loop().post([claim, kept, work] { work(*claim, std::move(*kept)); });
  if (!taken) (*kept)(failed_with<Answered>(closed_failure()));
}

}  // namespace firstcome::lock
