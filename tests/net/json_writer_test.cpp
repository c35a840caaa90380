#include "net/json_writer.hpp"

#include <boost/json.hpp>
#include <gtest/gtest.h>

#include <limits>
#include <string>

namespace firstcome::net {
namespace {

using namespace std::string_view_literals;

TEST(JsonWriter, PutsCommasBetweenMembersAndItems) {
  std::string out;
  JsonWriter json{out};
  json.begin_object();
  json.key("a");
  json.integer(1);
  json.key("b");
  json.begin_array();
  json.boolean(true);
  json.boolean(false);
  json.begin_object();
  json.end_object();
  json.begin_array();
  json.end_array();
  json.null();
  json.end_array();
  json.key("c");
  json.begin_object();
  json.key("d");
  json.string("x");
  json.end_object();
  json.key("e");
  json.null();
  json.end_object();
  EXPECT_EQ(out, R"({"a":1,"b":[true,false,{},[],null],"c":{"d":"x"},"e":null})");
}

TEST(JsonWriter, KeepsWhatTheStringHeldBefore) {
  std::string out = "data: ";
  JsonWriter json{out};
  json.integer(7);
  EXPECT_EQ(out, "data: 7");
}

TEST(JsonWriter, WritesTheWholeRangeOfIntegers) {
  std::string out;
  JsonWriter json{out};
  json.begin_array();
  json.integer(std::numeric_limits<std::int64_t>::min());
  json.integer(std::numeric_limits<std::int64_t>::max());
  json.unsigned_integer(std::numeric_limits<std::uint64_t>::max());
  json.end_array();
  EXPECT_EQ(out, "[-9223372036854775808,9223372036854775807,18446744073709551615]");
}

TEST(JsonWriter, WritesInstantsAsText) {
  std::string out;
  JsonWriter json{out};
  json.instant(Instant{Milliseconds{1'767'323'045'678}});
  EXPECT_EQ(out, R"("2026-01-02T03:04:05.678Z")");
}

TEST(JsonWriter, EscapesWhatJsonDoesNotAllow) {
  std::string out;
  JsonWriter json{out};
  json.string("a\"b\\c\n\r\t\b\f\x01\x1f\0\x7f é 漢"sv);
  EXPECT_EQ(out, "\"a\\\"b\\\\c\\n\\r\\t\\b\\f\\u0001\\u001f\\u0000\x7f é 漢\"");
}

TEST(JsonWriter, IsReadBackByAParserForEveryByteAtEveryPlace) {
  for (int byte = 0; byte < 0x80; ++byte) {
    for (std::size_t place = 0; place < 20; ++place) {
      std::string text(20, 'x');
      text[place] = static_cast<char>(byte);
      std::string out;
      JsonWriter json{out};
      json.string(text);
      ASSERT_EQ(boost::json::parse(out).as_string(), text) << byte;
    }
  }
}

}  // namespace
}  // namespace firstcome::net
