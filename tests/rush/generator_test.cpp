#include "rush/generator.hpp"

#include <gtest/gtest.h>

namespace firstcome::rush {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

GeneratorFigures good() {
  GeneratorFigures figures;
  figures.elapsed = seconds{10};
  figures.ran = seconds{5};
  figures.rate_asked = 1'000;
  figures.rate_reached = 1'000;
  figures.lag_p99 = milliseconds{2};
  figures.lag_bound = milliseconds{100};
  return figures;
}

TEST(Generator, ThatKeptUpIsValid) { EXPECT_EQ(problem_of(good()), std::nullopt); }

TEST(Generator, ThatWasLateIsInvalid) {
  GeneratorFigures figures = good();
  figures.lag_p99 = milliseconds{101};
  EXPECT_TRUE(problem_of(figures).has_value());
}

TEST(Generator, ThatMissedTheRateWithItsCoreFullIsInvalid) {
  GeneratorFigures figures = good();
  figures.rate_reached = 900;
  figures.ran = milliseconds{9'600};
  EXPECT_TRUE(problem_of(figures).has_value());
}

TEST(Generator, ThatWasKeptFromItsCoreIsAsBusy) {
  GeneratorFigures figures = good();
  figures.rate_reached = 900;
  figures.wanted = milliseconds{4'600};
  EXPECT_TRUE(problem_of(figures).has_value());
}

TEST(Generator, IsNotBlamedForASlowServer) {
  GeneratorFigures figures = good();
  figures.rate_reached = 100;
  EXPECT_EQ(problem_of(figures), std::nullopt);
}

TEST(Generator, PromisesNoRateInAClosedLoop) {
  GeneratorFigures figures = good();
  figures.rate_asked.reset();
  figures.rate_reached = 10;
  figures.ran = seconds{10};
  EXPECT_EQ(problem_of(figures), std::nullopt);
}

TEST(Generator, MetersItsThread) {
  ThreadMeter meter;
  volatile std::uint64_t sum = 0;
  while (meter.read().ran < milliseconds{20})
    for (int i = 0; i < 100'000; ++i) sum = sum + 1;
  GeneratorFigures figures = meter.read();
  EXPECT_GE(figures.elapsed, milliseconds{20});
  EXPECT_GT(figures.busy(), 0);
}

TEST(Generator, OfAClosedLoopWhoseCoreWasFullSpoilsALatency) {
  GeneratorFigures figures = good();
  figures.rate_asked.reset();
  EXPECT_EQ(problem_of_closed_loop(figures), std::nullopt);
  figures.ran = milliseconds{9'600};
  EXPECT_TRUE(problem_of_closed_loop(figures).has_value());
  figures.ran = figures.elapsed = milliseconds{900};
  EXPECT_EQ(problem_of_closed_loop(figures), std::nullopt) << "one burst";
  figures = good();
  figures.ran = milliseconds{9'600};
  EXPECT_EQ(problem_of_closed_loop(figures), std::nullopt) << "an open loop has its own rule";
}

}  // namespace
}  // namespace firstcome::rush
