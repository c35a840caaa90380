// HostLookup for coroutines.
#pragma once

#include "net/host_lookup.hpp"

#include <chrono>
#include <string>

namespace firstcome::net {

/// The addresses of a host. An answer that does not come before `deadline` is the error `timed_out`.
Task<HostAddresses> find_host(std::string host, std::chrono::steady_clock::time_point deadline,
                              LookUpHost look_up = {});

}  // namespace firstcome::net
