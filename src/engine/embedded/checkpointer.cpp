#include "engine/embedded/checkpointer.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

namespace firstcome::engine {
namespace {

constexpr std::chrono::seconds idle_after{1};  // a log that has stopped growing is folded whole
constexpr std::chrono::milliseconds pause_behind_a_read{50};
constexpr std::chrono::seconds pause_on_error{5};

sqlite::Result<sqlite::Connection> open(const std::filesystem::path& path, const std::string& vfs) {
  auto connection = sqlite::Connection::open(path, sqlite::Access::read_write, vfs);
  if (!connection) return connection;
  sqlite3_db_config(connection->get(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
  if (auto set = connection->execute("PRAGMA wal_autocheckpoint = 0; PRAGMA synchronous = FULL;"); !set)
    return std::unexpected(std::move(set.error()));
  return connection;
}

}  // namespace

sqlite::Result<std::uint64_t> fold_log(sqlite::Connection& connection) {
  int frames = 0;
  int folded = 0;
  const int code = sqlite3_wal_checkpoint_v2(connection.get(), nullptr, SQLITE_CHECKPOINT_PASSIVE, &frames, &folded);
  if (code == SQLITE_BUSY) return 0;  // a program beside us is at it
  if (code != SQLITE_OK) return std::unexpected(connection.error());
  return static_cast<std::uint64_t>(std::max(folded, 0));
}

Checkpointer::Checkpointer(std::filesystem::path path, std::string vfs)
    : path_(std::move(path)), vfs_(std::move(vfs)), thread_([this] { run(); }) {}

Checkpointer::~Checkpointer() { stop(); }

void Checkpointer::committed(std::uint64_t log_frames) {
  const std::lock_guard lock(mutex_);
  if (log_frames <= frames_) folded_ = 0;  // every commit adds a frame, so the log has started over
  frames_ = log_frames;
  watch_size();
  if (thread_has_work()) wake_.notify_all();
}

void Checkpointer::watch_size() {
  if (!warned_ && frames_ >= large_frames) {
    spdlog::warn(
        "the log of the store has grown to {} frames: a program that reads for long keeps it from being folded",
        frames_);
    warned_ = true;
  }
  if (frames_ < full_frames) warned_ = false;
}

bool Checkpointer::thread_has_work() const {
  if (folding_) return false;
  return frames_ >= full_frames ? rest() > writer_frames : rest() >= step_frames;
}

bool Checkpointer::writer_folds() {
  const std::lock_guard lock(mutex_);
  const std::uint64_t most = frames_ < most_frames ? writer_frames : step_frames;
  if (folding_ || frames_ < full_frames || rest() == 0 || rest() > most) return false;
  if (std::chrono::steady_clock::now() < not_before_) return false;
  folding_ = true;
  return true;
}

void Checkpointer::writer_folded(const sqlite::Result<std::uint64_t>& folded) {
  const std::lock_guard lock(mutex_);
  note(folded);
}

void Checkpointer::note(const sqlite::Result<std::uint64_t>& folded) {
  folding_ = false;
  wake_.notify_all();
  const auto now = std::chrono::steady_clock::now();
  if (!folded) {
    spdlog::warn("a checkpoint failed, the log grows: {} (SQLite error {})", folded.error().text, folded.error().code);
    not_before_ = now + pause_on_error;
    return;
  }
  const std::uint64_t before = std::exchange(folded_, std::min(*folded, frames_));
  if (folded_ <= before && rest() > 0) not_before_ = now + pause_behind_a_read;
}

void Checkpointer::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void Checkpointer::run() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    const std::uint64_t frames_before = frames_;
    const bool woken = wake_.wait_for(lock, idle_after, [this] { return stopping_ || thread_has_work(); });
    if (stopping_) return;
    const bool idle = !woken && !folding_ && frames_ == frames_before && rest() > 0;
    if (!woken && !idle) continue;
    if (wake_.wait_until(lock, not_before_, [this] { return stopping_; })) return;
    if (folding_) continue;
    folding_ = true;
    lock.unlock();
    const auto folded = fold_by_thread();
    lock.lock();
    note(folded);
  }
}

sqlite::Result<std::uint64_t> Checkpointer::fold_by_thread() {
  if (!connection_) {
    auto opened = open(path_, vfs_);
    if (!opened) return std::unexpected(std::move(opened.error()));
    connection_ = std::move(*opened);
  }
  auto folded = fold_log(connection_);
  if (!folded) connection_ = {};  // a file whose sync failed is not trusted with this handle any more
  return folded;
}

}  // namespace firstcome::engine
