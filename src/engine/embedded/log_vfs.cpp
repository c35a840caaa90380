#include "engine/embedded/log_vfs.hpp"

#include <sqlite3.h>

#include <algorithm>
#include <list>
#include <mutex>
#include <new>
#include <string>
#include <vector>

namespace firstcome::engine {
namespace {

constexpr std::size_t most_at_once = 1 << 16;      // SQLite's own VFS takes less than 2^17
constexpr sqlite3_int64 ahead = 1 << 20;           // more than all but the largest commits write
constexpr sqlite3_int64 smallest_piece = 1 << 18;  // a store that is hardly written stays small
constexpr sqlite3_int64 largest_piece = 4 << 20;   // some milliseconds

/// SQLite allocates it together with the file below, which follows it.
struct LogFile {
  sqlite3_file base;
  std::vector<char> gathered;
  sqlite3_int64 begin = 0;   ///< where `gathered` belongs
  sqlite3_int64 end = 0;     ///< of what was written last
  sqlite3_int64 length = 0;  ///< of the file, as far as we know; once making room failed, of any length

  sqlite3_file* below() { return reinterpret_cast<sqlite3_file*>(this + 1); }
  const sqlite3_io_methods& methods_below() { return *below()->pMethods; }

  int flush();
  void make_room();
};

LogFile& log_of(sqlite3_file* file) { return *reinterpret_cast<LogFile*>(file); }

int LogFile::flush() {
  if (gathered.empty()) return SQLITE_OK;
  const int code = methods_below().xWrite(below(), gathered.data(), static_cast<int>(gathered.size()), begin);
  gathered.clear();  // if it failed, so has the transaction
  return code;
}

void LogFile::make_room() {
  if (end + std::min(end, ahead) <= length) return;
  sqlite3_int64 found = 0;
  if (methods_below().xFileSize(below(), &found) != SQLITE_OK) return;
  const sqlite3_int64 wanted = end + std::clamp(end, smallest_piece, largest_piece);
  static const std::vector<char> zeros(most_at_once);
  length = std::max(found, wanted);  // not tried again at once, also if it fails
  for (int code = SQLITE_OK; code == SQLITE_OK && found < wanted;) {
    const auto piece = std::min<sqlite3_int64>(wanted - found, most_at_once);
    code = methods_below().xWrite(below(), zeros.data(), static_cast<int>(piece), found);
    found += piece;
  }
}

int close(sqlite3_file* file) {
  LogFile& log = log_of(file);
  const int flushed = log.flush();
  const int code = log.methods_below().xClose(log.below());
  log.~LogFile();
  return flushed != SQLITE_OK ? flushed : code;
}

int read(sqlite3_file* file, void* to, int size, sqlite3_int64 at) {
  LogFile& log = log_of(file);
  if (const int code = log.flush(); code != SQLITE_OK) return code;
  return log.methods_below().xRead(log.below(), to, size, at);
}

int write(sqlite3_file* file, const void* from, int size, sqlite3_int64 at) {
  LogFile& log = log_of(file);
  const auto bytes = static_cast<std::size_t>(size);
  const bool follows = at == log.begin + static_cast<sqlite3_int64>(log.gathered.size());
  if (!follows || log.gathered.size() + bytes > most_at_once)
    if (const int code = log.flush(); code != SQLITE_OK) return code;
  if (log.gathered.empty()) log.begin = at;
  if (at < log.end) log.length = 0;  // the log has started over; the file may have been truncated since
  log.end = at + size;
  const char* const data = static_cast<const char*>(from);
  log.gathered.insert(log.gathered.end(), data, data + bytes);
  return SQLITE_OK;
}

int truncate(sqlite3_file* file, sqlite3_int64 size) {
  LogFile& log = log_of(file);
  if (const int code = log.flush(); code != SQLITE_OK) return code;
  log.length = log.end = 0;
  return log.methods_below().xTruncate(log.below(), size);
}

int sync(sqlite3_file* file, int flags) {
  LogFile& log = log_of(file);
  if (const int code = log.flush(); code != SQLITE_OK) return code;
  if (const int code = log.methods_below().xSync(log.below(), flags); code != SQLITE_OK) return code;
  log.make_room();
  return SQLITE_OK;
}

int file_size(sqlite3_file* file, sqlite3_int64* size) {
  LogFile& log = log_of(file);
  if (const int code = log.flush(); code != SQLITE_OK) return code;
  return log.methods_below().xFileSize(log.below(), size);
}

int lock(sqlite3_file* file, int level) { return log_of(file).methods_below().xLock(log_of(file).below(), level); }
int unlock(sqlite3_file* file, int level) { return log_of(file).methods_below().xUnlock(log_of(file).below(), level); }
int check_lock(sqlite3_file* file, int* held) {
  return log_of(file).methods_below().xCheckReservedLock(log_of(file).below(), held);
}
int control(sqlite3_file* file, int operation, void* argument) {
  return log_of(file).methods_below().xFileControl(log_of(file).below(), operation, argument);
}
int sector_size(sqlite3_file* file) { return log_of(file).methods_below().xSectorSize(log_of(file).below()); }
int device(sqlite3_file* file) { return log_of(file).methods_below().xDeviceCharacteristics(log_of(file).below()); }

// Version 1: a log has no shared memory of its own and is not mapped.
const sqlite3_io_methods log_methods = {1,       close,   read,       write,   truncate,    sync,   file_size,
                                        lock,    unlock,  check_lock, control, sector_size, device, nullptr,
                                        nullptr, nullptr, nullptr,    nullptr, nullptr};

int open(sqlite3_vfs* vfs, const char* path, sqlite3_file* file, int flags, int* flags_out) {
  auto* const below = static_cast<sqlite3_vfs*>(vfs->pAppData);
  if ((flags & SQLITE_OPEN_WAL) == 0) return below->xOpen(below, path, file, flags, flags_out);
  auto* const log = new (file) LogFile{};
  const int code = below->xOpen(below, path, log->below(), flags, flags_out);
  if (code == SQLITE_OK) {
    log->base.pMethods = &log_methods;
  } else {
    log->~LogFile();
    file->pMethods = nullptr;  // nothing to be closed
  }
  return code;
}

/// A registered VFS stays for good.
struct Registered {
  std::string name;
  sqlite3_vfs vfs;
};

}  // namespace

std::string log_vfs_over(const std::string& below) {
  static std::mutex mutex;
  static std::list<Registered> registered;
  const std::lock_guard guard(mutex);
  sqlite3_vfs* const base = sqlite3_vfs_find(below.empty() ? nullptr : below.c_str());
  if (base == nullptr) return below;  // whoever opens a file with it is told
  const std::string name = std::string("firstcome-log-over-") + base->zName;
  if (sqlite3_vfs_find(name.c_str()) != nullptr) return name;
  Registered& made = registered.emplace_back(name, *base);
  made.vfs.zName = made.name.c_str();
  made.vfs.szOsFile = static_cast<int>(sizeof(LogFile)) + base->szOsFile;
  made.vfs.pNext = nullptr;
  made.vfs.pAppData = base;
  made.vfs.xOpen = open;
  return sqlite3_vfs_register(&made.vfs, 0) == SQLITE_OK ? name : below;
}

}  // namespace firstcome::engine
