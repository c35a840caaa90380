// Runs one way in one scenario once: starts its servers, sells, measures, stops them.
#pragma once

#include "rush/compare/compare.hpp"

#include <expected>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

namespace firstcome::rush {

struct RunPlace {
  std::filesystem::path folder;  ///< for data and logs of this run; made by it
  std::string name;              ///< tells its sales and topics from those of all other runs: a-z, 0-9
};

/// What the run is at. `progress` is null between two crowds.
using RunProgress = std::function<void(std::string_view what, const Progress* progress)>;

/// Blocks. The error: a server did not start, or went away for good.
std::expected<Measured, std::string> run_way(const CompareOptions& options, const Task& task, const RunPlace& place,
                                             const RunProgress& progress);

/// What `firstcome serve` is started with for a node of the way. Pure, for tests.
std::vector<std::string> serve_arguments(const CompareOptions& options, const Task& task, const RunPlace& place,
                                         std::uint32_t node);

}  // namespace firstcome::rush
