// How the writer's connection writes the log: in one piece, into room made before (docs/hot-path.md).
//
// SQLite writes each frame of the log with two small writes, then syncs. This VFS gathers what is written to a log in
// order and writes it when the log is synced, read, or the gathering is full. Nothing is relied on before the sync, so
// nothing else changes, but where an error shows: a failed write is told by the sync, with the write's code.
//
// A write that makes a file longer makes its sync wait for the file system's own journal too. SQLite overwrites the log
// when it starts over, but a new one grows with every commit. So after a sync room is made ahead, filled with zeros.
// Those are no frames (their sum is wrong), so a recovery ends before them. It is done by whoever has just written the
// log, who holds its write lock; if it fails, commits are slower, nothing else. (fallocate would not do: its
// extents are marked as written one by one, in the file system's journal.)
#pragma once

#include <cstdint>
#include <string>

namespace firstcome::engine {

/// Registers such a VFS over the one named `below` (empty: the default), once; returns its name. Thread-safe.
/// Files other than logs are those of `below`.
std::string log_vfs_over(const std::string& below);

}  // namespace firstcome::engine
