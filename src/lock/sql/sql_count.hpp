// How many SQL statements this process has sent, whoever sent them: locks, orders, guarded engines.
#pragma once

#include <atomic>
#include <cstdint>

namespace firstcome::lock {

/// Any thread. One cache line of its own, so that counting slows nobody who counts something else.
struct SqlCount {
  alignas(64) static inline std::atomic<std::uint64_t> sent{0};
};

inline void count_sql_statements(std::uint64_t statements) {
  SqlCount::sent.fetch_add(statements, std::memory_order_relaxed);
}

}  // namespace firstcome::lock
