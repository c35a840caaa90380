#include "engine/sql/database_url.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace firstcome::engine {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

TEST(DatabaseUrl, SaysWhatIsWrong) {
  const auto error = [](const std::string& text) {
    const auto url = parse_database_url(text, "inventory");
    return url ? "fine" : url.error();
  };
  EXPECT_THAT(error("oracle://a/b"), HasSubstr("scheme"));
  EXPECT_THAT(error("sqlite://orders.db"), HasSubstr("third slash"));
  EXPECT_THAT(error("sqlite:///"), HasSubstr("a file"));
  EXPECT_THAT(error("sqlite:///a%22b"), HasSubstr("double quote"));
  EXPECT_THAT(error("postgresql://host/db"), HasSubstr("user"));
  EXPECT_THAT(error("mysql://u:secret@host:3306/"), ::testing::AllOf(HasSubstr("database"), Not(HasSubstr("secret"))));
  EXPECT_EQ(parse_database_url("sqlite:///a%20b/c.db", "inventory").value().path, "/a b/c.db");
  EXPECT_EQ(parse_database_url("mariadb://u:secret@h/d", "inventory").value().text(), "mysql://h:3306/d");
}

TEST(DatabaseUrl, SaysWhatItIsTheUrlOf) {
  for (const char* const text : {"oracle://a/b", "sqlite:///", "postgresql://host/db"}) {
    EXPECT_THAT(parse_database_url(text, "inventory").error(), StartsWith("inventory URL: ")) << text;
    EXPECT_THAT(parse_database_url(text, "order database").error(), StartsWith("order database URL: ")) << text;
  }
}

}  // namespace
}  // namespace firstcome::engine
