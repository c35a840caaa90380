#include "cli/serve_options.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace firstcome::cli {
namespace {

using ::testing::HasSubstr;

TEST(ListenAddress, MayBeAnyLoopbackAddress) {
  for (const char* host : {"127.0.0.1", "127.1.2.3"}) {
    const ListenAddress address = parse_listen(std::string(host) + ":8080");
    EXPECT_EQ(address.host, host);
    EXPECT_EQ(address.port, 8080);
  }
  EXPECT_EQ(parse_listen("[::1]:0").host, "::1");
  EXPECT_EQ(parse_listen("localhost:80").host, "127.0.0.1");
}

TEST(ListenAddress, IsRefusedWhereItIsNoAddressOfThisMachineAlone) {
  for (const char* text :
       {"127.evil.example:8080", "127.0.0.1.example:80", "0.0.0.0:80", "[::]:80", "::1:80", "[127.0.0.1]:80",
        "[::ffff:10.0.0.1]:80", "[::1:80", "192.168.0.1:80", ":80", "example:80"}) {
    try {
      parse_listen(text);
      ADD_FAILURE() << text << " was taken";
    } catch (const CLI::ValidationError& refused) {
      EXPECT_THAT(refused.what(), HasSubstr("--listen")) << text;
    }
  }
}

TEST(ListenAddress, IsRefusedWithoutAPort) {
  for (const char* text : {"127.0.0.1", "[::1]", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:x", ""})
    EXPECT_THROW(parse_listen(text), CLI::ValidationError) << text;
}

}  // namespace
}  // namespace firstcome::cli
