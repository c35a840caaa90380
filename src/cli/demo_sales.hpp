// The four sales of the demo, and the crowd that each gets.
#pragma once

#include "net/http_client.hpp"
#include "rush/options.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace firstcome::cli {

struct DemoSale {
  std::string about;  ///< in a sentence
  std::string body;   ///< as POST /v1/sales takes it
  rush::RushOptions crowd;
};

/// With `customers` in each crowd. `suffix` is added to their ids.
std::vector<DemoSale> demo_sales(std::uint32_t customers, const std::string& suffix);

/// Creates them on the server, under ids that no sale has yet, and aims the crowds at it.
/// Throws std::runtime_error where the server refuses one.
std::vector<DemoSale> create_demo_sales(const net::HttpOrigin& origin, std::uint32_t customers);

}  // namespace firstcome::cli
