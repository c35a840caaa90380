// How what an engine decided becomes an order.
#pragma once

#include <cstdint>

namespace firstcome::api {

enum class OrderPath : std::uint8_t {
  written_by_relay,  ///< an event that was delivered is an order
  through_kafka,     ///< it may still be on its way
};

}  // namespace firstcome::api
