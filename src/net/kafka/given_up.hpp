// Clients of Kafka that could not end at once, and were left alone.
#pragma once

#include <cstddef>

namespace firstcome::net {

/// How many of them have not ended yet. While there are some, a process should end without destroying what they use: by
/// std::_Exit. Thread-safe.
std::size_t kafka_clients_given_up();

}  // namespace firstcome::net
