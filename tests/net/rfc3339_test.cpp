#include "net/rfc3339.hpp"

#include <gtest/gtest.h>

#include <random>
#include <string>

namespace firstcome::net {
namespace {

using namespace std::chrono_literals;

std::string format(Instant instant) {
  const Rfc3339Text text = format_rfc3339(instant);
  return {text.begin(), text.end()};
}

Instant at(int year, unsigned month, unsigned day, Milliseconds in_day = 0ms) {
  return std::chrono::sys_days{std::chrono::year{year} / static_cast<int>(month) / static_cast<int>(day)} + in_day;
}

TEST(Rfc3339, FormatsUtcWithMilliseconds) {
  EXPECT_EQ(format(at(2026, 1, 2, 3h + 4min + 5s + 678ms)), "2026-01-02T03:04:05.678Z");
  EXPECT_EQ(format(Instant{}), "1970-01-01T00:00:00.000Z");
  EXPECT_EQ(format(Instant{-1ms}), "1969-12-31T23:59:59.999Z");
  EXPECT_EQ(format(at(2024, 2, 29)), "2024-02-29T00:00:00.000Z");
  EXPECT_EQ(format(rfc3339_min), "0000-01-01T00:00:00.000Z");
  EXPECT_EQ(format(rfc3339_max), "9999-12-31T23:59:59.999Z");
}

TEST(Rfc3339, ShowsTheNearestYearItCan) {
  EXPECT_EQ(format(rfc3339_max + 1ms), "9999-12-31T23:59:59.999Z");
  EXPECT_EQ(format(rfc3339_min - 1ms), "0000-01-01T00:00:00.000Z");
}

TEST(Rfc3339, ReadsOffsetsAndFractions) {
  const Instant noon = at(2026, 1, 2, 12h);
  EXPECT_EQ(parse_rfc3339("2026-01-02T12:00:00Z"), noon);
  EXPECT_EQ(parse_rfc3339("2026-01-02T21:00:00+09:00"), noon);
  EXPECT_EQ(parse_rfc3339("2026-01-02T11:30:00-00:30"), noon);
  EXPECT_EQ(parse_rfc3339("2026-01-02T12:00:00-00:00"), noon);
  EXPECT_EQ(parse_rfc3339("2026-01-01T12:01:00-23:59"), noon);
  EXPECT_EQ(parse_rfc3339("2026-01-02T12:00:00.5Z"), noon + 500ms);
  EXPECT_EQ(parse_rfc3339("2026-01-02T12:00:00.05Z"), noon + 50ms);
  EXPECT_EQ(parse_rfc3339("2026-01-02T12:00:00.999999999Z"), noon + 999ms);
  EXPECT_EQ(parse_rfc3339("0000-01-01T00:00:00Z"), rfc3339_min);
  EXPECT_EQ(parse_rfc3339("9999-12-31T23:59:59.999Z"), rfc3339_max);
}

TEST(Rfc3339, RefusesEverythingElse) {
  for (const char* text : {
           "",
           "Z",
           "2026-01-02",
           "2026-01-02T12:00Z",
           "2026-01-02T12:00:00",
           "2026-01-02 12:00:00Z",
           "2026-01-02t12:00:00Z",
           "2026-01-02T12:00:00z",
           "2026-1-02T12:00:00Z",
           "26-01-02T12:00:00Z",
           "+2026-01-02T12:00:00Z",
           "-026-01-02T12:00:00Z",
           "2026-00-02T12:00:00Z",
           "2026-13-02T12:00:00Z",
           "2026-01-00T12:00:00Z",
           "2026-01-32T12:00:00Z",
           "2026-02-29T12:00:00Z",
           "2026-04-31T12:00:00Z",
           "2026-01-02T24:00:00Z",
           "2026-01-02T12:60:00Z",
           "2026-12-31T23:59:60Z",
           "2026-01-02T12:00:00.Z",
           "2026-01-02T12:00:00.1234567890Z",
           "2026-01-02T12:00:00,5Z",
           "2026-01-02T12:00:00+0900",
           "2026-01-02T12:00:00+09",
           "2026-01-02T12:00:00+24:00",
           "2026-01-02T12:00:00+09:60",
           "2026-01-02T12:00:00+9:00",
           "2026-01-02T12:00:00ZZ",
           "2026-01-02T12:00:00Z ",
           " 2026-01-02T12:00:00Z",
           "2026-01-02T12:00:00+09:00Z",
           "2026-01-02T1a:00:00Z",
           "0000-01-01T00:00:00+00:01",
           "9999-12-31T23:59:59-00:01",
           "2026-01-02T12:00:00.5",
           "2026-01-02T12:00:00\xe2\x88\x92"
           "09:00",
       })
    EXPECT_EQ(parse_rfc3339(text), std::nullopt) << text;
  EXPECT_EQ(parse_rfc3339(std::string_view{"2026-01-02T12:00:00Z\0", 21}), std::nullopt);
}

TEST(Rfc3339, ReadsWhatItWrote) {
  std::mt19937_64 random{2026};
  std::uniform_int_distribution<std::int64_t> any(rfc3339_min.time_since_epoch().count(),
                                                  rfc3339_max.time_since_epoch().count());
  for (int i = 0; i < 20'000; ++i) {
    const Instant instant{Milliseconds{any(random)}};
    ASSERT_EQ(parse_rfc3339(format(instant)), instant) << format(instant);
  }
}

}  // namespace
}  // namespace firstcome::net
