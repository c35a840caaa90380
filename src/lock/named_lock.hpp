// A Lock over a core: checks what comes in, and begins an acquisition.
#pragma once

#include "lock/core.hpp"

#include <memory>
#include <optional>
#include <string>

namespace firstcome::lock {

std::unique_ptr<Lock> make_named_lock(std::shared_ptr<Core> core, std::string name, Share share);

/// In a child that was forked: what is here belongs to its parent, which goes on with it.
LockFailure of_a_parent();

/// Why nothing can have such a name; nothing: it can.
std::optional<NotAcquired> refusal_of_name(const std::string& name);
/// Nothing: a lease may last so long, or has no time of its own.
std::optional<NotAcquired> refusal_of_lease(std::optional<Milliseconds> lease);

}  // namespace firstcome::lock
