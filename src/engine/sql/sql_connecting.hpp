// Makes a connection, and gives it up when somebody wants to stop: the clients' own functions for it can be neither
// interrupted nor, where a name is looked up, limited in time.
#pragma once

#include "engine/sql/sql_dialect.hpp"

#include <cstddef>
#include <memory>

namespace firstcome::engine {

/// As SqlDialect::connect. Where `options.stop` can be asked to stop, a thread of its own connects; after a stop nobody
/// waits for that thread, and the connection that it may get is closed. Throws SqlFailure (connection) after a stop.
std::unique_ptr<soci::session> connect_unless_stopped(const SqlSessionOptions& options);

/// How many connections that were given up are still being made. While there are some, a process should end without
/// destroying what they use: by std::_Exit.
std::size_t connections_given_up();

}  // namespace firstcome::engine
