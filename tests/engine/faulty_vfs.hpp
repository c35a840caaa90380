// A SQLite VFS that fails the n-th operation of a kind, as a broken or full disk would.
//
// It stands over the default VFS; nothing reaches the file of an operation that fails.
#pragma once

#include <cstdint>
#include <string>

namespace firstcome::test {

enum class FileAction { write, sync, truncate, open, read };

struct Fault {
  FileAction action = FileAction::write;
  std::uint64_t nth = 1;  ///< of these operations, from now on
  int code = 0;           ///< SQLite's result code that it gets
  enum class Lasts { once, until_disarmed } lasts = Lasts::once;
};

/// Registered under `name()` for the life of the process. Thread-safe. One fault at a time.
namespace faulty_vfs {

const std::string& name();
void arm(const Fault& fault);
void disarm();
/// Operations that failed since `arm`.
std::uint64_t failures();
/// Operations of the armed kind since `arm`, failed or not.
std::uint64_t seen();
/// Syncs of logs (files named *-wal) since the process began, those that failed included.
std::uint64_t log_syncs();

}  // namespace faulty_vfs
}  // namespace firstcome::test
