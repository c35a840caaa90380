#include "engine/guarded/microsecond.hpp"

namespace firstcome::engine {

Microsecond wall_microseconds() {
  // allowed: this is where the value comes from that options are given
  return std::chrono::floor<std::chrono::microseconds>(std::chrono::system_clock::now());
}

}  // namespace firstcome::engine
