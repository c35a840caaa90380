#include "engine/faulty_vfs.hpp"

#include <sqlite3.h>

#include <mutex>
#include <new>
#include <string_view>

namespace firstcome::test {
namespace {

struct State {
  std::mutex mutex;
  Fault fault;
  bool armed = false;
  std::uint64_t seen = 0;
  std::uint64_t failed = 0;
  std::uint64_t log_syncs = 0;
};

State& state() {
  static State instance;
  return instance;
}

/// SQLITE_OK, or what the operation is to fail with.
int verdict(FileAction action) {
  State& now = state();
  const std::lock_guard lock(now.mutex);
  if (!now.armed || now.fault.action != action) return SQLITE_OK;
  ++now.seen;
  const bool fails = now.fault.lasts == Fault::Lasts::once ? now.seen == now.fault.nth : now.seen >= now.fault.nth;
  if (!fails) return SQLITE_OK;
  ++now.failed;
  return now.fault.code;
}

sqlite3_vfs* below() {
  static sqlite3_vfs* const vfs = sqlite3_vfs_find(nullptr);
  return vfs;
}

struct File {
  sqlite3_file base;
  bool is_log;
  sqlite3_file* real() { return reinterpret_cast<sqlite3_file*>(this + 1); }
};

File* file_of(sqlite3_file* file) { return reinterpret_cast<File*>(file); }
sqlite3_file* real_of(sqlite3_file* file) { return file_of(file)->real(); }

int close(sqlite3_file* f) { return real_of(f)->pMethods->xClose(real_of(f)); }
int read(sqlite3_file* f, void* to, int size, sqlite3_int64 at) {
  if (const int code = verdict(FileAction::read); code != SQLITE_OK) return code;
  return real_of(f)->pMethods->xRead(real_of(f), to, size, at);
}
int write(sqlite3_file* f, const void* from, int size, sqlite3_int64 at) {
  if (const int code = verdict(FileAction::write); code != SQLITE_OK) return code;
  return real_of(f)->pMethods->xWrite(real_of(f), from, size, at);
}
int truncate(sqlite3_file* f, sqlite3_int64 size) {
  if (const int code = verdict(FileAction::truncate); code != SQLITE_OK) return code;
  return real_of(f)->pMethods->xTruncate(real_of(f), size);
}
int sync(sqlite3_file* f, int flags) {
  if (file_of(f)->is_log) {
    const std::lock_guard lock(state().mutex);
    ++state().log_syncs;
  }
  if (const int code = verdict(FileAction::sync); code != SQLITE_OK) return code;
  return real_of(f)->pMethods->xSync(real_of(f), flags);
}
int file_size(sqlite3_file* f, sqlite3_int64* size) { return real_of(f)->pMethods->xFileSize(real_of(f), size); }
int lock(sqlite3_file* f, int level) { return real_of(f)->pMethods->xLock(real_of(f), level); }
int unlock(sqlite3_file* f, int level) { return real_of(f)->pMethods->xUnlock(real_of(f), level); }
int check_lock(sqlite3_file* f, int* held) { return real_of(f)->pMethods->xCheckReservedLock(real_of(f), held); }
int control(sqlite3_file* f, int operation, void* argument) {
  return real_of(f)->pMethods->xFileControl(real_of(f), operation, argument);
}
int sector(sqlite3_file* f) { return real_of(f)->pMethods->xSectorSize(real_of(f)); }
int device(sqlite3_file* f) { return real_of(f)->pMethods->xDeviceCharacteristics(real_of(f)); }
int shm_map(sqlite3_file* f, int page, int size, int extend, void volatile** at) {
  return real_of(f)->pMethods->xShmMap(real_of(f), page, size, extend, at);
}
int shm_lock(sqlite3_file* f, int offset, int n, int flags) {
  return real_of(f)->pMethods->xShmLock(real_of(f), offset, n, flags);
}
void shm_barrier(sqlite3_file* f) { real_of(f)->pMethods->xShmBarrier(real_of(f)); }
int shm_unmap(sqlite3_file* f, int remove) { return real_of(f)->pMethods->xShmUnmap(real_of(f), remove); }

const sqlite3_io_methods methods = {2,        close,       read,       write,   truncate, sync,   file_size,
                                    lock,     unlock,      check_lock, control, sector,   device, shm_map,
                                    shm_lock, shm_barrier, shm_unmap,  nullptr, nullptr};

int open(sqlite3_vfs*, const char* path, sqlite3_file* to, int flags, int* flags_out) {
  File* file = new (to) File{};
  if (const int code = verdict(FileAction::open); code != SQLITE_OK) return code;
  file->is_log = path != nullptr && std::string_view(path).ends_with("-wal");
  const int code = below()->xOpen(below(), path, file->real(), flags, flags_out);
  if (file->real()->pMethods != nullptr) file->base.pMethods = &methods;
  return code;
}

sqlite3_vfs* make() {
  static sqlite3_vfs vfs = *below();
  vfs.szOsFile = static_cast<int>(sizeof(File)) + below()->szOsFile;
  vfs.zName = "faulty";
  vfs.pNext = nullptr;
  vfs.xOpen = open;
  sqlite3_vfs_register(&vfs, 0);
  return &vfs;
}

}  // namespace

namespace faulty_vfs {

const std::string& name() {
  static const std::string registered = make()->zName;
  return registered;
}

void arm(const Fault& fault) {
  State& now = state();
  const std::lock_guard lock(now.mutex);
  now.fault = fault;
  now.armed = true;
  now.seen = now.failed = 0;
}

void disarm() {
  const std::lock_guard lock(state().mutex);
  state().armed = false;
}

std::uint64_t failures() {
  const std::lock_guard lock(state().mutex);
  return state().failed;
}

std::uint64_t seen() {
  const std::lock_guard lock(state().mutex);
  return state().seen;
}

std::uint64_t log_syncs() {
  const std::lock_guard lock(state().mutex);
  return state().log_syncs;
}

}  // namespace faulty_vfs
}  // namespace firstcome::test
