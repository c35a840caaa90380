// What a binding of another language would be: one function, in a shared library.
#include <firstcome/lock_mutex.hpp>
#include <firstcome/open_locks.hpp>

#include <chrono>
#include <cstdint>

/// The token of a grant; 0: there was none.
extern "C" std::uint64_t locked_once(const char* url) {
  using namespace std::chrono_literals;
  const auto space = firstcome::open_locks(url);
  if (!space) return 0;
  const auto lock = (*space)->lock("plug-in");
  const auto token =
      firstcome::with_lock(*lock, {.wait = 10s}, [](firstcome::Lease& lease) { return lease.token().value_or(0); });
  return token.value_or(0);
}
