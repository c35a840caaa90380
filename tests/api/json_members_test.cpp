#include "api/json_members.hpp"

#include <gtest/gtest.h>

#include <string>

namespace firstcome::api {
namespace {

constexpr MemberRule rules[] = {
    {.path = "name", .need = Need::required, .rule = "a text"},
    {.path = "count", .type = JsonType::integer, .rule = "an integer from -5 to 5", .min = -5, .max = 5},
    {.path = "open", .type = JsonType::boolean, .null = Null::accepted, .rule = "true, false or null"},
    {.path = "box", .type = JsonType::object, .rule = "an object"},
    {.path = "box.size", .type = JsonType::integer, .need = Need::required, .rule = "an integer", .max = 9},
    {.path = "box.name", .rule = "a text"},
};

TEST(JsonMembers, ReadsEveryTypeAndWhatStandsInAnObject) {
  JsonMembers members;
  const auto bad = members.read(R"({"box":{"name":"inner","size":7},"count":-5,"name":"outer","open":false})", rules);
  ASSERT_FALSE(bad) << bad->detail;
  EXPECT_EQ(members[0].text, "outer");
  EXPECT_EQ(members[1].integer, -5);
  EXPECT_TRUE(members[2]);
  EXPECT_FALSE(members[2].truth);
  EXPECT_EQ(members[4].integer, 7);
  EXPECT_EQ(members[5].text, "inner");
}

TEST(JsonMembers, TellsAbsentFromNull) {
  JsonMembers members;
  ASSERT_FALSE(members.read(R"({"name":"n"})", rules));
  EXPECT_FALSE(members[2].present());
  ASSERT_FALSE(members.read(R"({"name":"n","open":null})", rules));
  EXPECT_TRUE(members[2].null());
  EXPECT_FALSE(members[2]);
}

TEST(JsonMembers, ForgetsWhatItReadBefore) {
  JsonMembers members;
  ASSERT_FALSE(members.read(R"({"name":"n","count":3})", rules));
  ASSERT_FALSE(members.read(R"({"name":"m"})", rules));
  EXPECT_FALSE(members[1].present());
}

TEST(JsonMembers, GivesBackTheMemoryThatALargeTextNeeded) {
  constexpr std::size_t large = 60'000;
  const std::string spaces(large, ' ');
  const std::string many = [] {
    std::string members = "{";
    for (int i = 0; i < 5'000; ++i) members += "\"m" + std::to_string(i) + "\":1,";
    return members + "\"name\":\"a\"}";
  }();
  for (const std::string& text : {"{\"name\":\"\\u0061\"" + spaces + "}", many}) {
    JsonMembers members;
    static_cast<void>(members.read(text, rules));
    EXPECT_GT(members.memory(), 4 * 4'096U) << text.substr(0, 20);
    members.shrink();
    EXPECT_LE(members.memory(), 4 * 4'096U) << text.substr(0, 20);
  }
}

TEST(JsonMembers, ViewsPlainTextWhereItStandsAndDecodesEscapes) {
  const std::string text = R"({"name":"plain","box":{"size":1,"name":"\u00e9\n\"\\\ud83d\ude00"}})";
  JsonMembers members;
  ASSERT_FALSE(members.read(text, rules));
  EXPECT_EQ(members[0].text.data(), text.data() + 9);
  EXPECT_EQ(members[5].text, "é\n\"\\😀");
}

TEST(JsonMembers, DecodesTextThatIsLongerThanTheParsersBuffer) {
  std::string escaped;
  std::string wanted;
  for (int i = 0; i < 5'000; ++i) {
    escaped += "\\u0041b";
    wanted += "Ab";
  }
  JsonMembers members;
  const std::string text = R"({"name":")" + escaped + R"(","box":{"size":1,"name":"\u0042"}})";
  ASSERT_FALSE(members.read(text, rules));
  EXPECT_EQ(members[0].text, wanted);
  EXPECT_EQ(members[5].text, "B");
}

TEST(JsonMembers, ANestedMemberIsNeededOnlyWithItsObject) {
  JsonMembers members;
  EXPECT_FALSE(members.read(R"({"name":"n"})", rules));
  const auto bad = members.read(R"({"name":"n","box":{}})", rules);
  ASSERT_TRUE(bad);
  EXPECT_EQ(bad->field, "box.size");
}

TEST(JsonMembers, ANestedMemberIsNotOneOfTheSameNameOutside) {
  JsonMembers members;
  const auto bad = members.read(R"({"name":"n","size":1})", rules);
  ASSERT_TRUE(bad);
  EXPECT_EQ(bad->code, Code::unknown_field);
  EXPECT_EQ(bad->field, "size");
}

TEST(JsonMembers, TellsMalformedBeforeUnknownBeforeWrong) {
  JsonMembers members;
  EXPECT_EQ(members.read(R"({"count":99,"x":1,"name":5)", rules)->code, Code::malformed_json);
  EXPECT_EQ(members.read(R"({"count":99,"x":1,"x":1,"name":5})", rules)->code, Code::malformed_json);
  EXPECT_EQ(members.read(R"({"count":99,"x":1,"name":5})", rules)->code, Code::unknown_field);
  EXPECT_EQ(members.read(R"({"count":99,"name":5})", rules)->field, "name") << "in the order of the rules";
}

TEST(JsonMembers, SkipsWhatAnUnknownMemberHolds) {
  JsonMembers members;
  const auto bad = members.read(R"({"x":{"name":1,"x":{"a":[{"name":2}]}},"name":"n"})", rules);
  ASSERT_TRUE(bad);
  EXPECT_EQ(bad->code, Code::unknown_field);
  EXPECT_EQ(bad->field, "x");
}

TEST(JsonMembers, NestsOnlySoDeep) {
  JsonMembers members;
  const auto nested = [](int depth) {
    return "{\"x\":" + std::string(static_cast<std::size_t>(depth), '[') +
           std::string(static_cast<std::size_t>(depth), ']') + "}";
  };
  EXPECT_EQ(members.read(nested(7), rules)->code, Code::unknown_field);
  EXPECT_EQ(members.read(nested(8), rules)->code, Code::malformed_json);
}

TEST(JsonMembers, EveryPrefixOfABodyIsRefused) {
  const std::string text = R"({"name":"\u00e9","count":-5,"open":null,"box":{"size":1}})";
  JsonMembers members;
  ASSERT_FALSE(members.read(text, rules));
  for (std::size_t size = 0; size < text.size(); ++size)
    EXPECT_EQ(members.read(text.substr(0, size), rules)->code, Code::malformed_json) << size;
}

}  // namespace
}  // namespace firstcome::api
