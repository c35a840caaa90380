#include "rush/generator.hpp"

#include <fmt/format.h>
#include <time.h>

#include <fstream>

namespace firstcome::rush {
namespace {

constexpr std::chrono::seconds burst{1};
constexpr double busy_most = 0.95;
constexpr double rate_least = 0.95;

double milliseconds(std::chrono::nanoseconds duration) {
  return std::chrono::duration<double, std::milli>{duration}.count();
}

}  // namespace

double GeneratorFigures::busy() const {
  if (elapsed.count() <= 0) return 0;
  return static_cast<double>((ran + wanted).count()) / static_cast<double>(elapsed.count());
}

std::optional<std::string> problem_of(const GeneratorFigures& figures) {
  if (!figures.rate_asked) return std::nullopt;
  if (figures.lag_p99 > figures.lag_bound)
    return fmt::format(
        "the generator was late: 1 % of the arrivals were handled more than {:.0f} ms late (bound {:.0f})",
        milliseconds(figures.lag_p99), milliseconds(figures.lag_bound));
  if (figures.rate_reached < rate_least * *figures.rate_asked && figures.busy() > busy_most)
    return fmt::format(
        "the generator was saturated: {:.0f} of {:.0f} customers a second arrived while its thread was busy {:.0f} % "
        "of the time",
        figures.rate_reached, *figures.rate_asked, 100 * figures.busy());
  return std::nullopt;
}

std::optional<std::string> problem_of_closed_loop(const GeneratorFigures& figures) {
  // A crowd that is over sooner is one burst, in which the thread is busy whatever the server does.
  if (figures.rate_asked || figures.elapsed < burst || figures.busy() <= busy_most) return std::nullopt;
  return fmt::format(
      "the generator was saturated: its thread was busy {:.0f} % of the time, and its own delay is part of "
      "the latencies; use --rate",
      100 * figures.busy());
}

ThreadMeter::ThreadMeter() : start_(std::chrono::steady_clock::now()), first_(now()) {}

ThreadMeter::Reading ThreadMeter::now() {
  Reading reading;
  timespec cpu{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &cpu);
  reading.ran = std::chrono::seconds{cpu.tv_sec} + std::chrono::nanoseconds{cpu.tv_nsec};
  // Time on a core, time runnable but waiting for one, time slices.
  std::ifstream file("/proc/thread-self/schedstat");
  std::int64_t ran = 0, wanted = 0;
  if (file >> ran >> wanted) reading.wanted = std::chrono::nanoseconds{wanted};
  return reading;
}

GeneratorFigures ThreadMeter::read() const {
  Reading last = now();
  GeneratorFigures figures;
  figures.elapsed = std::chrono::steady_clock::now() - start_;
  figures.ran = last.ran - first_.ran;
  figures.wanted = last.wanted - first_.wanted;
  return figures;
}

}  // namespace firstcome::rush
