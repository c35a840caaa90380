#include "net/child_environment.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

namespace firstcome::net {
namespace {

using ::testing::Contains;
using ::testing::Not;
using ::testing::StartsWith;

TEST(ChildEnvironment, IsOursWithoutTheSettingsOfTheUsersOwnServers) {
  ::setenv("FIRSTCOME_ORDERS", "postgresql://shop@db/shop", 1);
  ::setenv("FIRSTCOME_REDIS_PASSWORD", "secret", 1);
  ::setenv("OTHER_ORDERS", "1", 1);
  const std::vector<std::string> environment = environment_without_settings();
  EXPECT_THAT(environment, Not(Contains(StartsWith("FIRSTCOME_ORDERS"))));
  EXPECT_THAT(environment, Contains("FIRSTCOME_REDIS_PASSWORD=secret"));
  EXPECT_THAT(environment, Contains("OTHER_ORDERS=1"));
  EXPECT_THAT(environment, Contains(StartsWith("PATH=")));
  for (const char* const name : {"FIRSTCOME_ORDERS", "FIRSTCOME_REDIS_PASSWORD", "OTHER_ORDERS"}) ::unsetenv(name);
}

TEST(ChildEnvironment, IsGivenToExecWithANullAtItsEnd) {
  std::vector<std::string> words{"a", "b"};
  const std::vector<char*> pointers = pointers_to(words);
  ASSERT_EQ(pointers.size(), 3U);
  EXPECT_STREQ(pointers[1], "b");
  EXPECT_EQ(pointers[2], nullptr);
}

}  // namespace
}  // namespace firstcome::net
