// Apache JMeter, to run the plans of examples/jmeter. Fetched by Maven into the build folder, once.
#pragma once

#include "support/redis_server.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

/// At the start of a test that needs it: a skip where it cannot be had, a failure where all must run.
#define FIRSTCOME_NEEDS_JMETER()                                                            \
  if (const std::string why = ::firstcome::testing::fetch_jmeter(); !why.empty()) {         \
    if (::firstcome::testing::all_is_required()) FAIL() << "JMETER CANNOT BE HAD: " << why; \
    GTEST_SKIP() << "JMETER IS NOT TESTED: " << why;                                        \
  }                                                                                         \
  static_assert(true)

namespace firstcome::testing {

/// Empty, or why there is none.
std::string fetch_jmeter();

/// How often each request, by its name in the plan, was answered with each status.
using JmeterCounts = std::map<std::pair<std::string, std::string>, std::uint64_t>;

/// Runs a plan to its end. `properties`: NAME=value. `folder` gets its result and its log. Throws std::runtime_error,
/// with that log, where it fails or calls an answer wrong.
JmeterCounts run_jmeter(const std::filesystem::path& plan, const std::vector<std::string>& properties,
                        const std::filesystem::path& folder);

}  // namespace firstcome::testing
