// The smallest program under a lock.
//
//   lock_example                           in this process
//   lock_example redis://127.0.0.1:6379    with all who use that server
#include <firstcome/lock_mutex.hpp>
#include <firstcome/open_locks.hpp>

#include <chrono>
#include <cstdio>
#include <memory>

int main(int argc, char** argv) {
  using namespace std::chrono_literals;
  std::unique_ptr<firstcome::LockSpace> space = firstcome::make_in_process_locks();
  if (argc > 1) {
    auto opened = firstcome::open_locks(argv[1]);
    if (!opened) return std::fprintf(stderr, "%s\n", opened.error().c_str()), 64;
    space = std::move(*opened);
  }
  const auto lock = space->lock("nightly-report");
  const auto ran = firstcome::with_lock(*lock, {.wait = 10s}, [](firstcome::Lease& lease) {
    std::printf("the report is made, token %llu\n", static_cast<unsigned long long>(lease.token().value_or(0)));
  });
  if (!ran) std::fprintf(stderr, "not acquired: %s\n", firstcome::text_of(ran.error().why).data());
  return ran ? 0 : 75;
}
