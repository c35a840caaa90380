// Guards that stand beside an inventory: nothing, a mutex of this process, a lock of our library.
#pragma once

#include "engine/guarded/guarded_options.hpp"

#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>

namespace firstcome::engine {

/// Thread-safe.
class Guard {
 public:
  /// The guard, held; let go at the latest by the destructor.
  class Held {
   public:
    virtual ~Held() = default;
    virtual std::optional<std::uint64_t> token() const { return std::nullopt; }
    virtual void let_go() = 0;
  };
  virtual ~Guard() = default;

  /// Waits for the guard of one sale. Null: somebody else had it for too long, or it is tried once (`busy`).
  /// Throws InventoryFailure where it cannot be asked.
  virtual std::unique_ptr<Held> enter(const std::string& sale) = 0;
};

/// REQUIRES: one of none, mutex, setnx_try, setnx_spin, redisson, fifo, redlock. The error says what is wrong with
/// `options.locks`.
std::expected<std::unique_ptr<Guard>, std::string> make_guard(const GuardedOptions& options);

}  // namespace firstcome::engine
