// Whether a connection pooler lends a session of PostgreSQL to several clients in turn.
//
// Then what belongs to a session belongs to nobody: its settings (time-outs, synchronous_commit), its prepared
// statements. It is seen by a second client, who is given the session that the first has got.
#pragma once

#include <libpq-fe.h>

#include <string>

namespace firstcome::engine {

/// The sentence of a failure: a pooler gives one session to several clients.
inline constexpr const char* shared_session =
    "a connection pooler shares sessions between clients: firstcome needs a direct connection, or pool_mode = session";

/// Blocks, for a second at most where the pooler has no session left, which says that it does not share them. Asks the
/// server once, and connects with `settings` again only where a pooler stands before it. REQUIRES: no transaction is
/// open.
bool is_shared(PGconn* connection, const std::string& settings);

}  // namespace firstcome::engine
