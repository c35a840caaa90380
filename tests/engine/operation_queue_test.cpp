#include "engine/operation_queue.hpp"

#include "engine/asking.hpp"

#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <thread>
#include <vector>

namespace firstcome {
namespace {

using test::Asked;
constexpr auto never = [](const Operation&) { return false; };

std::vector<Operation*> take(OperationQueue& queue, std::size_t limit) {
  std::vector<Operation*> batch;
  queue.take(batch, limit, never);
  return batch;
}

TEST(OperationQueue, GivesThemBackInOrderAndNoMoreThanAsked) {
  OperationQueue queue(10);
  std::array<Asked, 5> asked;
  EXPECT_TRUE(queue.idle());
  EXPECT_EQ(queue.push(asked[0]), OperationQueue::Pushed::first);
  for (std::size_t i = 1; i < 5; ++i) EXPECT_EQ(queue.push(asked[i]), OperationQueue::Pushed::behind);
  EXPECT_EQ(take(queue, 2), (std::vector<Operation*>{&asked[0], &asked[1]}));
  EXPECT_FALSE(queue.idle());
  EXPECT_EQ(queue.waiting(), 3U);
  EXPECT_EQ(queue.push(asked[0]), OperationQueue::Pushed::first);
  EXPECT_EQ(take(queue, 9), (std::vector<Operation*>{&asked[2], &asked[3], &asked[4]}));
  EXPECT_EQ(take(queue, 9), (std::vector<Operation*>{&asked[0]}));
  EXPECT_TRUE(queue.idle());
}

TEST(OperationQueue, RejectsTheOneOverItsBoundAndTakesAgainWhenThereIsRoom) {
  OperationQueue queue(2);
  std::array<Asked, 4> asked;
  for (std::size_t i = 0; i < 3; ++i) queue.push(asked[i]);
  EXPECT_EQ(queue.waiting(), 2U);
  std::vector<Operation*> rejected;
  queue.take_rejected(rejected);
  EXPECT_EQ(rejected, (std::vector<Operation*>{&asked[2]}));
  EXPECT_EQ(take(queue, 1).size(), 1U);
  queue.push(asked[3]);  // one is gathered and left, so one fits
  queue.push(asked[2]);
  rejected.clear();
  queue.take_rejected(rejected);
  EXPECT_EQ(rejected, (std::vector<Operation*>{&asked[2]}));
}

TEST(OperationQueue, EndsABatchBeforeOneThatStartsAnew) {
  OperationQueue queue(10);
  std::array<Asked, 3> asked;
  asked[1].command = DeleteSale{"s"};
  for (Asked& one : asked) queue.push(one);
  const auto starts_anew = [](const Operation& one) { return std::holds_alternative<DeleteSale>(one.command); };
  std::vector<Operation*> batch;
  queue.take(batch, 10, starts_anew);
  EXPECT_EQ(batch, (std::vector<Operation*>{&asked[0]}));
  batch.clear();
  queue.take(batch, 10, starts_anew);
  EXPECT_EQ(batch, (std::vector<Operation*>{&asked[1], &asked[2]}));
}

TEST(OperationQueue, LosesNoneOfSeveralThreads) {
  constexpr std::size_t threads = 3;
  constexpr std::size_t each = 5'000;
  OperationQueue queue(threads * each / 4);
  std::vector<std::unique_ptr<Asked>> asked(threads * each);
  for (auto& one : asked) one = std::make_unique<Asked>();
  std::vector<std::thread> pushers;
  for (std::size_t t = 0; t < threads; ++t)
    pushers.emplace_back([&, t] {
      for (std::size_t i = 0; i < each; ++i) queue.push(*asked[t * each + i]);
    });
  std::size_t seen = 0;
  std::vector<Operation*> batch;
  while (seen < asked.size()) {
    batch.clear();
    queue.take_rejected(batch);
    queue.take(batch, 1'000, never);
    for (Operation* operation : batch) {
      auto& one = static_cast<Asked&>(*operation);
      EXPECT_FALSE(one.done) << "given back twice";
      one.completed();
    }
    seen += batch.size();
  }
  for (std::thread& pusher : pushers) pusher.join();
  EXPECT_TRUE(queue.idle());
  EXPECT_EQ(queue.waiting(), 0U);
}

}  // namespace
}  // namespace firstcome
