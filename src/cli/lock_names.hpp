// Which FIFO locks a Redis server keeps.
#pragma once

#include <firstcome/types.hpp>

#include <expected>
#include <string>
#include <string_view>
#include <vector>

namespace firstcome::cli {

/// Their names, sorted. Looks through all keys of the server, a page at a time, so others are not held up. The error is
/// a sentence. A cluster is refused: its keys are on many servers.
std::expected<std::vector<std::string>, std::string> lock_names(std::string_view url, Milliseconds patience);

}  // namespace firstcome::cli
