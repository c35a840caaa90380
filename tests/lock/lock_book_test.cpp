#include "lock/lock_book.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <vector>

namespace firstcome::lock {
namespace {

using namespace std::chrono_literals;
using Is = LockBook::Answer::Is;

const Instant start{std::chrono::days{20'000}};

class Book : public testing::Test {
 protected:
  LockBook::Answer acquire(std::string lease, Milliseconds wait = 0ms, Milliseconds length = 100ms,
                           std::string name = "a") {
    return book.acquire({std::move(name), std::move(lease), length, wait}, now);
  }
  /// The leases that were granted to those who waited, "-" for each that gave up.
  std::vector<std::string> told() {
    std::vector<std::string> leases;
    for (const LockBook::News& news : book.take_news()) leases.push_back(news.grant ? news.grant->lease : "-");
    return leases;
  }

  LockBook book{4};
  Instant now = start;
};

using Leases = std::vector<std::string>;

TEST_F(Book, GivesANameToOneLeaseAtATime) {
  EXPECT_EQ(acquire("x").is, Is::granted);
  const auto refused = acquire("y");
  EXPECT_EQ(refused.is, Is::locked);
  EXPECT_EQ(refused.retry_in, 100ms);
  EXPECT_EQ(acquire("y", 0ms, 100ms, "another").is, Is::granted);
}

TEST_F(Book, GivesTheSameLeaseTheGrantThatItHas) {
  const BookedGrant first = *acquire("x").grant;
  now += 40ms;
  EXPECT_EQ(*acquire("x").grant, first);
}

TEST_F(Book, EndsALeaseAtItsEndAndNotBefore) {
  acquire("x");
  now += 99ms;
  EXPECT_EQ(acquire("y").is, Is::locked);
  now += 1ms;
  EXPECT_EQ(acquire("y").is, Is::granted);
  EXPECT_EQ(book.renew("a", "x", now), nullptr);
  EXPECT_FALSE(book.release("a", "x", now));
}

TEST_F(Book, RenewsByTheLengthThatWasAcquiredAndNeverShortens) {
  acquire("x");
  now += 60ms;
  ASSERT_NE(book.renew("a", "x", now), nullptr);
  now += 99ms;
  EXPECT_EQ(acquire("y").is, Is::locked);
  EXPECT_EQ(book.renew("a", "y", now), nullptr) << "not its own";
}

TEST_F(Book, HandsOverInTheOrderOfArrivalInTheStepOfTheRelease) {
  acquire("x");
  for (const char* lease : {"p", "q", "r"}) EXPECT_EQ(acquire(lease, 1s).is, Is::waits);
  EXPECT_EQ(acquire("late").is, Is::locked);
  EXPECT_TRUE(book.release("a", "x", now));
  EXPECT_EQ(told(), Leases{"p"});
  now += 100ms;  // p lapses
  book.advance(now);
  EXPECT_EQ(told(), Leases{"q"});
  EXPECT_EQ(acquire("newcomer").is, Is::locked) << "r waits before it";
  EXPECT_TRUE(book.release("a", "q", now));
  EXPECT_EQ(told(), Leases{"r"});
}

TEST_F(Book, FreesANameByTheTokenOfItsGrant) {
  const std::uint64_t token = acquire("x").grant->token;
  acquire("y", 1s);
  book.take_events();
  EXPECT_FALSE(book.free("a", token + 1, now));
  EXPECT_FALSE(book.free("another", token, now));
  now += 30ms;
  EXPECT_TRUE(book.free("a", token, now));
  EXPECT_EQ(told(), Leases{"y"});
  EXPECT_FALSE(book.release("a", "x", now));
  EXPECT_FALSE(book.free("a", token, now)) << "y has it, by another grant";
  const auto events = book.take_events();
  EXPECT_EQ(events.at(0).is, LockBook::Event::Is::lapsed);
  EXPECT_EQ(events.at(0).after, 30ms);
}

TEST_F(Book, TokensRiseWithEveryGrantOverAllNames) {
  std::uint64_t last = 0;
  for (int round = 0; round < 5'000; ++round) {
    const std::string name = std::to_string(round % 7);
    const auto answer = acquire("x", 0ms, 1ms, name);
    ASSERT_EQ(answer.is, Is::granted);
    ASSERT_GT(answer.grant->token, last);
    last = answer.grant->token;
    book.release(name, "x", now);
  }
}

TEST_F(Book, AWaitThatIsOverLeavesTheQueue) {
  acquire("x", 0ms, 1s);
  acquire("p", 10ms);
  acquire("q", 500ms);
  EXPECT_EQ(book.next_deadline(), now + 10ms);
  now += 10ms;
  book.advance(now);
  EXPECT_EQ(told(), Leases{"-"});
  book.release("a", "x", now);
  EXPECT_EQ(told(), Leases{"q"});
}

TEST_F(Book, WhoLeavesIsToldAndPassedOver) {
  acquire("x");
  acquire("p", 1s);
  acquire("q", 1s);
  book.leave("a", "p", 0, now);
  book.leave("a", "nobody", 0, now);
  book.leave("a", "x", 0, now);  // a grant stays
  EXPECT_EQ(told(), Leases{"-"});
  book.release("a", "x", now);
  EXPECT_EQ(told(), Leases{"q"});
}

TEST_F(Book, TheSameLeaseAskingAgainTakesItsOwnPlace) {
  acquire("x");
  acquire("p", 1s);
  acquire("q", 1s);
  EXPECT_EQ(acquire("p", 1s).is, Is::waits);
  EXPECT_EQ(told(), Leases{"-"}) << "the earlier request ends";
  book.release("a", "x", now);
  EXPECT_EQ(told(), Leases{"p"});
}

TEST_F(Book, RefusesMoreWaitersThanItsBound) {
  acquire("x");
  for (int at = 0; at < 4; ++at) EXPECT_EQ(acquire("w" + std::to_string(at), 1s).is, Is::waits);
  EXPECT_EQ(acquire("w4", 1s).is, Is::full);
  EXPECT_EQ(acquire("w3", 1s).is, Is::waits) << "again in its place";
}

TEST_F(Book, SaysWhatIsToBeStored) {
  acquire("x");
  EXPECT_EQ(book.changed().size(), 1U);
  EXPECT_EQ(book.stored("a")->lease, "x");
  book.clear_changed();
  acquire("y");
  EXPECT_TRUE(book.changed().empty()) << "a refusal changes nothing";
  book.release("a", "x", now);
  EXPECT_EQ(book.changed().size(), 1U);
  EXPECT_EQ(book.stored("a"), nullptr);
}

TEST_F(Book, IsRestoredWithItsGrantsAndHigherTokens) {
  const BookedGrant grant = *acquire("x").grant;
  book.release("a", "x", now);
  acquire("y");
  LockBook again(4);
  again.restore(grant);
  again.restore_last_token(book.last_token());
  EXPECT_EQ(again.acquire({"a", "z", 1ms, 0ms}, now).is, Is::locked);
  EXPECT_GT(again.acquire({"b", "z", 1ms, 0ms}, now).grant->token, book.last_token());
  EXPECT_EQ(again.acquire({"a", "z", 1ms, 0ms}, grant.until).is, Is::granted);
}

using Event = LockBook::Event;

TEST_F(Book, TellsWhatAGrantAndItsReleaseWere) {
  acquire("x");
  now += 30ms;
  acquire("x");  // has it: nothing happens
  acquire("y");
  acquire("p", 1s);
  now += 10ms;
  book.release("a", "x", now);
  now += 5ms;
  book.release("a", "p", now);
  const auto events = book.take_events();
  ASSERT_EQ(events.size(), 5U);
  EXPECT_EQ(events[0].is, Event::Is::acquired);
  EXPECT_EQ(events[0].after, 0ms);
  EXPECT_EQ(events[1].is, Event::Is::not_acquired) << "y, who does not wait";
  EXPECT_EQ(events[1].why, NotAcquired::Why::timed_out);
  EXPECT_EQ(events[2].is, Event::Is::released);
  EXPECT_EQ(events[2].after, 40ms);
  EXPECT_EQ(events[3].is, Event::Is::acquired);
  EXPECT_EQ(events[3].after, 10ms);
  EXPECT_EQ(events[4].after, 5ms);
  EXPECT_TRUE(book.take_events().empty());
}

TEST_F(Book, TellsOfALapseOnceAndOfWhoComesTooLate) {
  acquire("x");
  now += 250ms;  // its end was at 100 ms
  EXPECT_FALSE(book.release("a", "x", now));
  EXPECT_EQ(book.renew("a", "x", now), nullptr);
  const auto events = book.take_events();
  ASSERT_EQ(events.size(), 3U);
  EXPECT_EQ(events[1].is, Event::Is::lapsed);
  EXPECT_EQ(events[1].after, 100ms) << "not held longer because it was seen later";
  EXPECT_EQ(events[2].is, Event::Is::not_renewed);
}

TEST_F(Book, TellsHowLateARenewalCame) {
  acquire("x", 0ms, 90ms);
  now += 30ms;
  book.renew("a", "x", now);
  now += 70ms;
  book.renew("a", "x", now);
  const auto events = book.take_events();
  ASSERT_EQ(events.size(), 3U);
  EXPECT_EQ(events[1].is, Event::Is::renewed);
  EXPECT_EQ(events[1].after, 0ms);
  EXPECT_EQ(events[2].after, 40ms);
}

TEST_F(Book, TellsOfWaitsThatEndWithoutTheLock) {
  acquire("x", 0ms, 10s);
  acquire("p", 20ms);
  acquire("q", 1s);
  now += 10ms;
  acquire("q", 1s);  // again: its wait goes on
  for (const char* more : {"r", "s"}) acquire(more, 1s);
  EXPECT_EQ(acquire("t", 1s).is, Is::full);
  now += 90ms;
  book.advance(now);
  book.leave("a", "q", 0, now);
  const auto events = book.take_events();
  ASSERT_EQ(events.size(), 4U);
  EXPECT_EQ(events[1].why, NotAcquired::Why::full);
  EXPECT_EQ(events[2].why, NotAcquired::Why::timed_out);
  EXPECT_EQ(events[2].after, 20ms);
  EXPECT_EQ(events[3].why, NotAcquired::Why::stopped);
  EXPECT_EQ(events[3].after, 100ms) << "since it asked first";
}

TEST_F(Book, DoesNotKnowHowLongAGrantOfAnEarlierRunWasHeld) {
  LockBook again(4);
  again.restore({"a", "x", 7, now + 50ms, 100ms});
  again.release("a", "x", now);
  const auto events = again.take_events();
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events[0].is, Event::Is::released);
  EXPECT_FALSE(events[0].after);
}

/// The rules once more, naively: one name, a list.
struct Naive {
  struct One {
    std::string lease;
    Instant until;
  };
  std::optional<One> holder;
  std::vector<One> line;  // `until`: of the wait
  std::vector<std::string> told;
  static constexpr Milliseconds length{20};

  void advance(Instant now) {
    for (;;) {
      auto first = std::ranges::min_element(line, {}, &One::until);
      const bool gives_up = first != line.end() && first->until <= now;
      if (holder && holder->until <= now && (!gives_up || holder->until <= first->until)) {
        end(now);
      } else if (gives_up) {
        told.push_back("-");
        line.erase(first);
      } else {
        return;
      }
    }
  }
  void end(Instant now) {
    holder.reset();
    if (line.empty()) return;
    holder = One{line.front().lease, now + length};
    told.push_back(line.front().lease);
    line.erase(line.begin());
  }
};

TEST(BookAgainstANaiveOne, AgreesOnEveryAnswer) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  LockBook book(1'000);
  Naive naive;
  int held = 0;  // as its events tell
  Instant now = start;
  for (int step = 0; step < 20'000; ++step) {
    now += Milliseconds{random() % 4};
    naive.advance(now);
    const std::string lease = std::to_string(random() % 12);
    switch (random() % 4) {
      case 0:
      case 1: {
        const Milliseconds wait{random() % 2 == 0 ? 0 : random() % 60};
        const Is is = book.acquire({"a", lease, Naive::length, wait}, now).is;
        if (!naive.holder) {
          ASSERT_EQ(is, Is::granted);
          naive.holder = Naive::One{lease, now + Naive::length};
        } else if (naive.holder->lease == lease) {
          ASSERT_EQ(is, Is::granted);
        } else if (wait == 0ms) {
          ASSERT_EQ(is, Is::locked);
        } else {
          ASSERT_EQ(is, Is::waits);
          const auto same = std::ranges::find(naive.line, lease, &Naive::One::lease);
          if (same != naive.line.end()) {
            naive.told.push_back("-");
            same->until = now + wait;
          } else {
            naive.line.push_back({lease, now + wait});
          }
        }
        break;
      }
      case 2: {
        const bool holds = naive.holder && naive.holder->lease == lease;
        ASSERT_EQ(book.release("a", lease, now), holds);
        if (holds) naive.end(now);
        break;
      }
      default:
        book.advance(now);
    }
    std::vector<std::string> told;
    for (const auto& news : book.take_news()) told.push_back(news.grant ? news.grant->lease : "-");
    ASSERT_EQ(told, std::exchange(naive.told, {})) << "step " << step;
    ASSERT_EQ(book.waiting(), naive.line.size());
    for (const auto& event : book.take_events()) {
      held += event.is == Event::Is::acquired ? 1 : 0;
      held -= event.is == Event::Is::released || event.is == Event::Is::lapsed ? 1 : 0;
    }
    ASSERT_EQ(held, static_cast<int>(book.held()));
  }
}

TEST_F(Book, EndsNoMoreAtATimeThanItIsAskedTo) {
  acquire("x", 0ms, 100ms, "a");
  acquire("x", 0ms, 100ms, "b");
  acquire("waits", 50ms, 100ms, "a");
  now += 100ms;
  EXPECT_EQ(book.advance(now, 1), LockBook::Due::more);
  EXPECT_EQ(told(), Leases{"-"}) << "the first in time";
  EXPECT_EQ(book.held(), 2U);
  EXPECT_EQ(book.advance(now, 1), LockBook::Due::more);
  EXPECT_EQ(book.advance(now, 1), LockBook::Due::nothing);
  EXPECT_EQ(book.held(), 0U);
}

TEST(BoundedBook, HoldsSoManyNamesAtATimeAndNoMore) {
  LockBook book(4, 2);
  const auto acquire = [&](std::string name, std::string lease) {
    return book.acquire({std::move(name), std::move(lease), 100ms, 0ms}, start).is;
  };
  EXPECT_EQ(acquire("a", "x"), Is::granted);
  EXPECT_EQ(acquire("b", "x"), Is::granted);
  EXPECT_EQ(acquire("c", "x"), Is::full);
  EXPECT_EQ(acquire("a", "x"), Is::granted) << "the same lease finds its grant";
  EXPECT_EQ(acquire("a", "y"), Is::locked);
  EXPECT_TRUE(book.release("b", "x", start));
  EXPECT_EQ(acquire("c", "x"), Is::granted);
}

}  // namespace
}  // namespace firstcome::lock
