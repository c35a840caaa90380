// Locks that nobody else wants: how often one process takes them and gives them back.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace firstcome::bench {

struct Uncontended {
  double per_second = 0;
  std::uint64_t all = 0;  ///< also those before and after the measured part
};

/// `at_once` names, each taken and given back again and again, all at the same time.
Uncontended run_uncontended(const std::string& url, std::string_view kind, std::size_t at_once);

/// REQUIRES: not empty.
double median(std::vector<double> values);

}  // namespace firstcome::bench
