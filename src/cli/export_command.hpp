// `firstcome export --sale ID --database URL`: the orders of a sale, as CSV (RFC 4180) or JSON lines.
//
// Exit codes: exit_fine, exit_unavailable or exit_try_again. A file is complete or is not there.
#pragma once

#include "cli/command.hpp"
#include "events/orders/order_store.hpp"

#include <string>

namespace firstcome::cli {

/// With CRLF. A text that a spreadsheet would take for a formula (it begins with = + - @ or a tab) gets an apostrophe
/// in front.
std::string csv_line(const events::Order& order);
std::string csv_header();
/// With a newline.
std::string json_line(const events::Order& order);

void add_export_command(CLI::App& app, Run& run);

}  // namespace firstcome::cli
