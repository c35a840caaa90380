#include "events/troubles.hpp"

#include <spdlog/spdlog.h>

#include <utility>

namespace firstcome::events {

void Troubles::begin(std::string_view cause, std::string sentence, std::uint64_t who) {
  const std::lock_guard guard(mutex_);
  const auto [at, is_new] = causes_.try_emplace(std::string(cause));
  if (is_new) spdlog::warn("{}: {}; it is tried again until it works", task_, sentence);
  at->second.sentence = std::move(sentence);
  at->second.held_back.insert(who);
}

void Troubles::end(std::string_view cause, std::uint64_t who) {
  const std::lock_guard guard(mutex_);
  const auto found = causes_.find(cause);
  if (found == causes_.end()) return;
  found->second.held_back.erase(who);
  forget(found);
}

void Troubles::end_for_others(std::string_view cause, const std::set<std::uint64_t>& still) {
  const std::lock_guard guard(mutex_);
  const auto found = causes_.find(cause);
  if (found == causes_.end()) return;
  std::erase_if(found->second.held_back, [&](std::uint64_t who) { return !still.contains(who); });
  forget(found);
}

/// Where nobody is held back any more.
void Troubles::forget(Causes::iterator cause) {
  if (!cause->second.held_back.empty()) return;
  spdlog::info("{}: {} again", task_, cause->first);
  causes_.erase(cause);
}

std::string Troubles::sentence() const {
  const std::lock_guard guard(mutex_);
  return causes_.empty() ? std::string() : causes_.begin()->second.sentence;
}

}  // namespace firstcome::events
