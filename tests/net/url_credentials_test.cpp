#include "net/url_credentials.hpp"

#include <gtest/gtest.h>

namespace firstcome::net {
namespace {

TEST(WithoutCredentials, AUrlLosesUserAndPassword) {
  EXPECT_EQ(without_credentials("redis://127.0.0.1:6379/1"), "redis://127.0.0.1:6379/1");
  EXPECT_EQ(without_credentials("redis://:secret@127.0.0.1:6379/1"), "redis://127.0.0.1:6379/1");
  EXPECT_EQ(without_credentials("rediss+sentinel://u:secret@a,b:1/m"), "rediss+sentinel://a,b:1/m");
  EXPECT_EQ(without_credentials("redis://u:se@cret@host"), "redis://host");
  EXPECT_EQ(without_credentials("postgresql://shop:secret@db/shop?sslmode=require"),
            "postgresql://db/shop?sslmode=require");
  EXPECT_EQ(without_credentials(""), "");
  EXPECT_EQ(without_credentials("u:secret@host"), "host");
}

TEST(WithoutCredentials, AUrlLosesParametersThatHoldAPassword) {
  EXPECT_EQ(without_credentials("redis+sentinel://a/m?sentinel_password=secret"), "redis+sentinel://a/m");
  EXPECT_EQ(without_credentials("redis://a?x=1&password=secret&y=2"), "redis://a?x=1&y=2");
  EXPECT_EQ(without_credentials("redis://a?password=se@cret"), "redis://a");
}

}  // namespace
}  // namespace firstcome::net
