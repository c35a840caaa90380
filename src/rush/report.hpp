// The result of a rush, for people and for machines (docs/rush.md says what each member means).
#pragma once

#include "rush/rush.hpp"

#include <cstdint>
#include <span>
#include <string>

namespace firstcome::rush {

/// 1234567 as "1 234 567".
std::string grouped(std::int64_t number);
std::string grouped(std::uint64_t number);

/// Several lines, the last one the verdict in a word.
std::string report(const RushResult& result);

/// A table with a column for each.
std::string summary(std::span<const RushResult> results);

/// One JSON object, with a newline at its end.
std::string report_json(const RushResult& result);

}  // namespace firstcome::rush
