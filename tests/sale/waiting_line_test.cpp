#include "sale/waiting_line.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

namespace firstcome::sale {
namespace {

TEST(WaitingLine, IsWhatAPlainListIs) {
  for (unsigned seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937 random(seed);
    WaitingLine line;
    std::vector<ShortNumber> list;
    for (int step = 0; step < 20'000; ++step) {
      const auto what = random() % 10;
      if (list.empty() && what < 3) {
        line.pass();
      } else if (what < 7 || list.empty()) {
        list.push_back(line.join());
      } else {
        const std::size_t at = what < 9 ? random() % list.size() : 0;
        line.leave(list[at]);
        list.erase(list.begin() + static_cast<std::ptrdiff_t>(at));
      }
      if (step % 5'000 == 4'999) {
        line.leave_all();
        list.clear();
      }
      ASSERT_EQ(line.waiting(), list.size());
      if (list.empty()) {
        ASSERT_EQ(line.serving(), line.last());
        continue;
      }
      ASSERT_EQ(line.head(), list.front());
      const std::size_t any = random() % list.size();
      ASSERT_EQ(line.position(list[any]), any + 1);
    }
    WaitingLine again;
    again.restore(line.serving(), line.last(),
                  [&](ShortNumber number) { return std::ranges::binary_search(list, number); });
    EXPECT_EQ(again.waiting(), list.size());
    EXPECT_EQ(again.serving(), line.serving());
    for (std::size_t at = 0; at < list.size(); at += 97) EXPECT_EQ(again.position(list[at]), at + 1);
  }
}

TEST(Departures, CountsAnyRange) {
  Departures departures;
  std::mt19937 random(9);
  std::vector<bool> gone(30'000);
  for (int index = 0; index < 8'000; ++index) {
    const auto number = static_cast<ShortNumber>(random() % 30'000);
    if (gone[number]) continue;
    gone[number] = true;
    departures.add(number);
  }
  for (int index = 0; index < 300; ++index) {
    const auto first = static_cast<ShortNumber>(random() % 30'000);
    const auto last = static_cast<ShortNumber>(random() % 30'000);
    const auto expected = first > last ? 0 : std::count(gone.begin() + first, gone.begin() + last + 1, true);
    ASSERT_EQ(departures.count(first, last), static_cast<std::uint64_t>(expected)) << first << " to " << last;
  }
}

}  // namespace
}  // namespace firstcome::sale
