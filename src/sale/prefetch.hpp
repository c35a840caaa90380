// Asks the processor for memory ahead of its use.
#pragma once

namespace firstcome::sale {

inline void prefetch_memory(const void* at) {
  __builtin_prefetch(at);
  // g++ 12 takes a function that only prefetches for one without effect and drops calls to it; not so with this.
  asm volatile("");
}

}  // namespace firstcome::sale
