// A disk that fails: nothing that was acknowledged is lost, nothing that was refused is there, and all works again.
#include "engine/asking.hpp"
#include "engine/embedded/embedded_harness.hpp"
#include "engine/embedded/engine_thread.hpp"
#include "engine/faulty_vfs.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>

#include <set>
#include <string>
#include <thread>
#include <vector>

namespace firstcome::test {
namespace {

using engine::EmbeddedEngine;
using engine::EngineThread;

/// Told yes, told that nothing was decided, told that nobody knows.
struct Told {
  std::set<std::string> yes, no, unknown;
};

/// Turns until it serves again; at once where only a new start helps.
void wait_until_ready(EmbeddedEngine& engine) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds{30};
  while (!engine.readiness().ready && engine.readiness().reason.find("start the server again") == std::string::npos) {
    static_cast<void>(engine.turn());
    ASSERT_LT(std::chrono::steady_clock::now(), deadline) << engine.readiness().reason;
  }
}

/// A scenario of thirty turns with a fault somewhere in it. False: the engine could not even be opened.
bool run_scenario(const engine::EmbeddedOptions& options, Told& told) {
  auto opened = EmbeddedEngine::open(options);
  if (!opened) return false;
  EmbeddedEngine& engine = **opened;
  const auto finish = [&](Asked& asked) {
    for (int turns = 0; !asked.done && turns < 1'000; ++turns) static_cast<void>(engine.turn());
    ASSERT_TRUE(asked.done);
  };
  Asked creation;
  creation.command = CreateSale{terms_of("s", 1'000)};
  engine.submit(creation);
  finish(creation);
  if (!creation.answer) {
    wait_until_ready(engine);
    engine.submit(creation);
    creation.done = false;
    finish(creation);
  }
  for (int turn = 0; turn < 30; ++turn) {
    wait_until_ready(engine);
    std::vector<std::string> names;
    for (int i = 0; i < 8; ++i) names.push_back(std::to_string(turn) + "-" + std::to_string(i));
    std::vector<std::unique_ptr<Asked>> asked;
    for (const std::string& name : names) {
      asked.push_back(std::make_unique<Asked>());
      asked.back()->command = Reserve{"s", name, 1, {}, key_of(name)};
      engine.submit(*asked.back());
    }
    for (std::size_t i = 0; i < names.size(); ++i) {
      finish(*asked[i]);
      const auto& answer = asked[i]->answer;
      if (!answer) {
        (answer.error().code == FailureCode::outcome_unknown ? told.unknown : told.no).insert(names[i]);
      } else if (std::get<ReserveAnswer>(*answer).outcome == Outcome::done) {
        told.yes.insert(names[i]);
      }
    }
  }
  return true;
}

/// Opened again without faults, it holds what was told.
void expect_as_told(EmbeddedHarness& harness, const Told& told) {
  harness.reopen();
  std::set<std::string> stored;
  if (harness.ask(GetSale{"s"}).value().outcome == Outcome::done) {
    for (ListReservations list{"s", {}, {}, 1'000};;) {
      const ReservationsAnswer page = harness.ask(list).value();
      for (const ReservationView& view : page.items) EXPECT_TRUE(stored.insert(view.customer).second) << view.customer;
      if (page.next == Number{}) break;
      list.after = page.next;
    }
    EXPECT_TRUE(harness.ask(AuditSale{"s"}).value().ok);
  }
  for (const std::string& customer : told.yes) EXPECT_TRUE(stored.contains(customer)) << "lost: " << customer;
  for (const std::string& customer : told.no) EXPECT_FALSE(stored.contains(customer)) << "told no: " << customer;
  for (const std::string& customer : told.unknown) {  // asked again with the same key: one effect
    const auto again = harness.reserve(customer, key_of(customer));
    if (!again) continue;
    const bool was_stored = stored.contains(customer);
    EXPECT_EQ(again->outcome, was_stored ? Outcome::unchanged : Outcome::done) << customer;
  }
}

struct Kind {
  FileAction action;
  int code;
  const char* name;
};

class Faults : public testing::TestWithParam<Kind> {};

TEST_P(Faults, KeepWhatWasToldWhicheverOperationFails) {
  std::uint64_t nth = 1;
  for (bool hit = true; hit && nth < 1'000; nth += 1 + nth / 12) {  // the early ones, which differ most, all
    EmbeddedHarness harness(faulty_vfs::name(), TemporaryFolder::Where::memory);
    harness.close();
    std::filesystem::remove_all(harness.data());
    faulty_vfs::arm({GetParam().action, nth, GetParam().code, Fault::Lasts::once});
    Told told;
    run_scenario(harness.options(), told);
    hit = faulty_vfs::failures() > 0;
    faulty_vfs::disarm();
    SCOPED_TRACE("operation " + std::to_string(nth));
    expect_as_told(harness, told);
    if (HasFailure()) return;
    if (!hit) {
      EXPECT_EQ(told.yes.size(), 240U);
    }
  }
  EXPECT_GT(nth, 1U);
}

INSTANTIATE_TEST_SUITE_P(Disk, Faults,
                         testing::Values(Kind{FileAction::write, SQLITE_IOERR_WRITE, "WriteError"},
                                         Kind{FileAction::write, SQLITE_FULL, "DiskFull"},
                                         Kind{FileAction::write, SQLITE_READONLY, "ReadOnly"},
                                         Kind{FileAction::sync, SQLITE_IOERR_FSYNC, "SyncError"},
                                         Kind{FileAction::truncate, SQLITE_IOERR_TRUNCATE, "TruncateError"},
                                         Kind{FileAction::open, SQLITE_CANTOPEN, "OpenError"}),
                         [](const auto& kind) { return std::string(kind.param.name); });

TEST(FailedSync, PoisonsTheEngineUntilItIsStartedAgain) {
  EmbeddedHarness harness(faulty_vfs::name());
  harness.ask(CreateSale{terms_of("s", 10)}).value();
  harness.reserve("before").value();
  faulty_vfs::arm({FileAction::sync, 1, SQLITE_IOERR_FSYNC, Fault::Lasts::once});
  const auto failed = harness.reserve("unknown", {1, 1});
  ASSERT_GT(faulty_vfs::failures(), 0U);
  faulty_vfs::disarm();
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, FailureCode::outcome_unknown);
  EXPECT_FALSE(harness.engine().readiness().ready);
  EXPECT_THAT(harness.engine().readiness().reason, testing::HasSubstr("may or may not be on the disk"));

  EXPECT_EQ(harness.reserve("later").error().code, FailureCode::store_unavailable);
  EXPECT_EQ(harness.ask(GetSale{"s"}).error().code, FailureCode::store_unavailable) << "it may show what is not stored";
  EXPECT_EQ(harness.ask(AuditSale{"s"}).error().code, FailureCode::store_unavailable);

  harness.reopen();
  EXPECT_TRUE(harness.engine().readiness().ready);
  EXPECT_LE(harness.ask(GetSale{"s"}).value().sale.held, 2);
  harness.reserve("unknown", {1, 1}).value();
  EXPECT_EQ(harness.ask(GetSale{"s"}).value().sale.held, 2) << "one effect, whether it was stored or not";
}

TEST(FullDisk, IsServedAgainByItselfWhenThereIsRoom) {
  EmbeddedHarness harness(faulty_vfs::name());
  harness.close();
  auto opened = EmbeddedEngine::open(harness.options());
  ASSERT_TRUE(opened) << opened.error().detail;
  EngineThread thread(std::move(*opened));
  const auto ask = [&](Command command) {
    Asked asked;
    asked.command = std::move(command);
    thread.engine().submit(asked);
    while (!asked.done) std::this_thread::yield();
    return std::move(asked.answer);
  };
  ask(CreateSale{terms_of("s", 10)});
  ask(Reserve{"s", "before", 1, {}, {}});
  faulty_vfs::arm({FileAction::write, 1, SQLITE_FULL, Fault::Lasts::until_disarmed});
  EXPECT_EQ(ask(Reserve{"s", "refused", 1, {}, {}}).error().code, FailureCode::store_unavailable);
  EXPECT_EQ(ask(GetSale{"s"}).error().code, FailureCode::store_unavailable);
  EXPECT_THAT(thread.engine().readiness().reason, testing::HasSubstr("cannot be written"));
  faulty_vfs::disarm();  // and nobody asks
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds{30};
  while (!thread.engine().readiness().ready && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
  ASSERT_TRUE(thread.engine().readiness().ready);
  const auto after = ask(Reserve{"s", "after", 1, {}, {}});
  ASSERT_TRUE(after);
  EXPECT_EQ(std::get<ReserveAnswer>(*after).ref.number, Number{2}) << "the refused one took a number";
  EXPECT_EQ(std::get<SaleAnswer>(*ask(GetSale{"s"})).sale.held, 2);
}

TEST(Commit, SyncsTheLogOnceForATurn) {
  EmbeddedHarness harness(faulty_vfs::name());
  harness.ask(CreateSale{terms_of("s", 1'000)}).value();
  std::vector<std::unique_ptr<Asked>> asked;
  for (int i = 0; i < 100; ++i) {
    asked.push_back(std::make_unique<Asked>());
    asked.back()->command = Reserve{"s", "c", 1, {}, {}};
    harness.engine().submit(*asked.back());
  }
  const auto before = faulty_vfs::log_syncs();
  static_cast<void>(harness.engine().turn());
  EXPECT_TRUE(asked.back()->done);
  EXPECT_GE(faulty_vfs::log_syncs() - before, 1U) << "answered before it was durable";
  EXPECT_LE(faulty_vfs::log_syncs() - before, 2U);  // the checkpointer may sync it too
}

}  // namespace
}  // namespace firstcome::test
