// What an audit asks a server about the past that its store has lost, and tells it when that is dealt with.
#pragma once

#include "events/orders/order_store.hpp"
#include "net/http_client.hpp"

#include <set>
#include <string>
#include <vector>

namespace firstcome::cli {

struct Losses {
  std::set<std::string> sales;    ///< of which something was lost, settled or not
  std::vector<std::string> open;  ///< sentences about what nobody has settled
};

/// Empty where the store lost nothing, or keeps no account of it. `sale` empty: of all sales. Throws Unavailable.
Losses losses_of(const net::HttpOrigin& server, const std::string& sale);

/// Throws Unavailable.
void say_settled(const net::HttpOrigin& server, const events::Discard& why);

}  // namespace firstcome::cli
