// What went wrong in one statement, and whose fault it is.
#pragma once

#include <cstdint>
#include <string>
#include <utility>

namespace firstcome::engine {

/// Why a database does nothing just now.
enum class SqlTrouble : std::uint8_t {
  connection,   ///< it cannot be reached, or was lost on the way
  credentials,  ///< user, password or database are not accepted
  busy,         ///< locked by somebody else, a deadlock, a serialization failure: the transaction may be tried again
  timeout,      ///< a statement took longer than it may
  full,         ///< no room on its disk
  read_only,
  overloaded,  ///< too many connections, out of memory
  schema,      ///< tables that are missing, are newer than this program, or that the user has no right to
  other,
};

/// Thrown by SqlSession, and caught by whoever owns one.
struct SqlFailure {
  enum class Fault : std::uint8_t {
    content,    ///< of what was to be written
    duplicate,  ///< likewise: another row has a value of it that must be unique
    doubtful,   ///< an error that is not known: taken to be of the content
    database,
  };
  Fault fault = Fault::database;
  SqlTrouble kind = SqlTrouble::other;  ///< of the database
  std::string sentence;

  static SqlFailure content(std::string sentence) { return {Fault::content, SqlTrouble::other, std::move(sentence)}; }
  static SqlFailure duplicate(std::string sentence) {
    return {Fault::duplicate, SqlTrouble::other, std::move(sentence)};
  }
  static SqlFailure doubtful(std::string sentence) { return {Fault::doubtful, SqlTrouble::other, std::move(sentence)}; }
  static SqlFailure database(SqlTrouble kind, std::string sentence) {
    return {Fault::database, kind, std::move(sentence)};
  }
};

}  // namespace firstcome::engine
