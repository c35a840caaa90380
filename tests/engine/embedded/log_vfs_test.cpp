#include "engine/embedded/log_vfs.hpp"

#include "engine/embedded/embedded_harness.hpp"
#include "engine/faulty_vfs.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

namespace firstcome::test {
namespace {

std::string content_of(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::filesystem::path log_of(const EmbeddedHarness& harness) { return harness.file().string() + "-wal"; }

/// Reservations of `count` customers, decided in one turn.
void reserve_together(EmbeddedHarness& harness, int count, const std::string& prefix) {
  std::vector<std::string> names;
  for (int at = 0; at < count; ++at) names.push_back(prefix + std::to_string(at));
  std::vector<Asked> asked(names.size());
  for (std::size_t at = 0; at < names.size(); ++at) {
    asked[at].command = Reserve{"s", names[at], 1, {}, {}};
    harness.engine().submit(asked[at]);
  }
  for (const Asked& one : asked) {
    harness.finish(one);
    ASSERT_TRUE(one.answer) << one.answer.error().detail;
  }
}

TEST(LogVfs, WritesACommitInOnePiece) {
  EmbeddedHarness harness(faulty_vfs::name());
  ASSERT_TRUE(harness.ask(CreateSale{terms_of("s", 1'000)}));
  reserve_together(harness, 1, "first");  // the log is there, with room
  faulty_vfs::arm({.action = FileAction::write, .nth = 1'000'000});
  reserve_together(harness, 100, "c");
  const std::uint64_t writes = faulty_vfs::seen();
  faulty_vfs::disarm();
  EXPECT_EQ(writes, 1u) << "100 reservations are some ten frames of the log";
}

TEST(LogVfs, MakesRoomAheadSoThatCommitsDoNotMakeTheFileLonger) {
  EmbeddedHarness harness;
  ASSERT_TRUE(harness.ask(CreateSale{terms_of("s", 1'000)}));
  reserve_together(harness, 1, "first");
  const auto before = std::filesystem::file_size(log_of(harness));
  const auto used = harness.engine().counters().wal_bytes;
  ASSERT_GT(before, used);
  while ((harness.engine().counters().wal_bytes + 32'768) * 2 < before) {
    reserve_together(harness, 1, std::to_string(harness.engine().counters().wal_bytes));
    ASSERT_EQ(std::filesystem::file_size(log_of(harness)), before);
  }
}

TEST(LogVfs, LeavesZerosBehindTheLogThatRecoveryDoesNotTakeForFrames) {
  EmbeddedHarness harness;
  ASSERT_TRUE(harness.ask(CreateSale{terms_of("s", 1'000)}));
  reserve_together(harness, 50, "c");
  const std::string log = content_of(log_of(harness));
  const auto used = harness.engine().counters().wal_bytes + 32;  // and the log's head
  ASSERT_GT(log.size(), used);
  EXPECT_TRUE(std::all_of(log.begin() + static_cast<std::ptrdiff_t>(used), log.end(), [](char c) { return c == 0; }));

  // What a crash now would leave behind.
  EmbeddedHarness other;
  other.close();
  std::filesystem::copy_file(harness.file(), other.file(), std::filesystem::copy_options::overwrite_existing);
  std::filesystem::copy_file(log_of(harness), log_of(other), std::filesystem::copy_options::overwrite_existing);
  std::filesystem::remove(other.file().string() + "-shm");
  other.reopen();
  EXPECT_EQ(other.engine().counters().reservations, 50u);
}

TEST(LogVfs, IsRegisteredOnceOverEachVfs) {
  EXPECT_EQ(engine::log_vfs_over({}), engine::log_vfs_over({}));
  EXPECT_NE(engine::log_vfs_over({}), engine::log_vfs_over(faulty_vfs::name()));
}

}  // namespace
}  // namespace firstcome::test
