// `firstcome sale create|list|show|restock|pause|resume|close|delete`: a server's sales, over its HTTP API.
//
// Each function asks the server and prints what it answered on standard output, or why it refused on standard error.
// Returns exit_fine, exit_refused, exit_try_again (503) or exit_unavailable (the server cannot be reached).
#pragma once

#include "cli/command.hpp"
#include "net/http_client.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace firstcome::cli {

enum class PrintAs : std::uint8_t { table, json };

/// Whom to ask, and how to print what it says.
struct SaleRequest {
  net::HttpOrigin server;
  PrintAs print_as = PrintAs::table;
};

/// `body` is that of POST /v1/sales.
int sale_create(const SaleRequest& request, const std::string& body);
int sale_list(const SaleRequest& request);
int sale_show(const SaleRequest& request, const std::string& id);
/// Sets the stock, the units that the sale may sell in all.
int sale_restock(const SaleRequest& request, const std::string& id, std::int64_t stock);
/// Adds `units`, which may be below 0, to the stock.
int sale_restock_by(const SaleRequest& request, const std::string& id, std::int64_t units);
/// `state` is what a PATCH may make of a sale: open, paused or closed.
int sale_set_state(const SaleRequest& request, const std::string& id, std::string_view state);
/// Deletes a closed sale. Where its last events are still being delivered, tries again for ten seconds.
int sale_delete(const SaleRequest& request, const std::string& id);

/// Adds `sale` and its subcommands.
void add_sale_commands(CLI::App& app, Run& run);

}  // namespace firstcome::cli
