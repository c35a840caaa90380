// Composes the server: engine, payments, API and HTTP, and runs them until a signal.
#pragma once

#include "cli/serve_options.hpp"

namespace firstcome::cli {

/// Serves until SIGTERM or SIGINT, then stops accepting, answers what is under way, commits, and returns.
/// Prints `listening on http://HOST:PORT` on standard output when it is ready. Returns an exit code.
int serve(const ServeOptions& options, const ListenAddress& address);

}  // namespace firstcome::cli
