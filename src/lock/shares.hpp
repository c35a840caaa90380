// Read-write locks and semaphores over a core, as handles that make locks.
#pragma once

#include "lock/core.hpp"

#include <cstdint>
#include <memory>
#include <string>

namespace firstcome::lock {

std::unique_ptr<ReadWriteLock> make_read_write_lock(std::shared_ptr<Core> core, std::string name);
std::unique_ptr<Semaphore> make_semaphore(std::shared_ptr<Core> core, std::string name, std::uint32_t capacity);

}  // namespace firstcome::lock
