#include "engine/embedded/row_crc.hpp"

#include <gtest/gtest.h>

#include <random>
#include <string_view>
#include <vector>

namespace firstcome::engine {
namespace {

std::span<const std::byte> bytes_of(std::string_view text) { return std::as_bytes(std::span(text)); }

TEST(RowCrc, IsCrc32c) {  // the check value of the Rocksoft model
  EXPECT_EQ(crc32c_tables(bytes_of("123456789")), 0xE3069283U);
  EXPECT_EQ(crc32c(bytes_of("123456789")), 0xE3069283U);
  EXPECT_EQ(crc32c(bytes_of("")), 0U);
}

TEST(RowCrc, IsTheSameByInstructionAndByTables) {
  if (!has_crc_instruction()) GTEST_SKIP() << "this CPU has no instruction for it";
  std::mt19937 random(1);
  for (std::size_t size = 0; size < 300; ++size) {
    std::vector<std::byte> bytes(size);
    for (std::byte& byte : bytes) byte = static_cast<std::byte>(random());
    EXPECT_EQ(crc32c_hardware(bytes), crc32c_tables(bytes)) << size;
  }
}

TEST(RowCrc, TellsWhereOneTextEndsAndTheNextBegins) {
  EXPECT_NE((RowSum() << std::string_view("ab") << std::string_view("c")).stored(),
            (RowSum() << std::string_view("a") << std::string_view("bc")).stored());
  EXPECT_NE((RowSum() << std::uint64_t{1}).stored(), (RowSum() << std::uint64_t{2}).stored());
}

TEST(RowCrc, BearsTextsThatNoRowOfOursHolds) {
  const std::string_view piece = "0123456789abcdef";
  std::string enormous;
  for (int i = 0; i < 1'000; ++i) enormous += piece;
  const std::int32_t sum = (RowSum() << std::string_view(enormous) << std::uint64_t{7}).stored();
  enormous += 'x';
  EXPECT_NE(sum, (RowSum() << std::string_view(enormous) << std::uint64_t{7}).stored());
}

}  // namespace
}  // namespace firstcome::engine
