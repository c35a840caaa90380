// Files that must not be served: each is refused with a sentence that says why, and stays as it was.
#include "engine/embedded/embedded_harness.hpp"
#include "engine/embedded/schema.hpp"
#include "engine/embedded/sqlite.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

namespace firstcome::test {
namespace {

using engine::sqlite::Access;
using engine::sqlite::Connection;
using testing::HasSubstr;

std::string content_of(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void put(const std::filesystem::path& path, const std::string& content) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << content;
}

/// A store with a sale and twenty reservations, closed.
class Refusal : public testing::Test {
 protected:
  Refusal() {
    harness.ask(CreateSale{terms_of("s", 100)}).value();
    for (int i = 0; i < 20; ++i) {
      const std::string customer = "customer-" + std::to_string(i);
      harness.reserve(customer, key_of(customer)).value();
    }
    harness.close();
  }

  void expect_refusal(const std::string& why) {
    const std::string before = content_of(harness.file());
    const std::string refusal = harness.refusal();
    EXPECT_THAT(refusal, HasSubstr(why));
    EXPECT_THAT(refusal, HasSubstr("firstcome.db"));
    EXPECT_TRUE(content_of(harness.file()) == before) << "the file was changed";
  }

  void change(const char* sql) {
    auto connection = Connection::open(harness.file(), Access::read_write, "").value();
    connection.execute(sql).value();
  }

  EmbeddedHarness harness;
};

TEST_F(Refusal, OfAFileThatIsNoDatabase) {
  put(harness.file(), "Dear diary, today I sold all of it." + std::string(5'000, '.'));
  expect_refusal("is not a database");
}

TEST_F(Refusal, OfAnotherProgramsDatabase) {
  std::filesystem::remove(harness.file());
  auto connection = Connection::open(harness.file(), Access::create, "").value();
  connection.execute("CREATE TABLE diary(entry TEXT)").value();
  expect_refusal("another program");
}

TEST_F(Refusal, OfALaterSchema) {
  change(("PRAGMA user_version = " + std::to_string(engine::schema_version + 1)).c_str());
  expect_refusal("later version");
}

TEST_F(Refusal, OfAFlippedByteInARow) {
  std::string content = content_of(harness.file());
  const std::size_t at = content.find("customer-7");
  ASSERT_NE(at, std::string::npos);
  content[at + 9] = '9';
  put(harness.file(), content);
  expect_refusal("wrong checksum");
}

TEST_F(Refusal, OfCountersThatSomebodyChanged) {
  change("UPDATE sale SET held = held - 1, available = available + 1");
  expect_refusal("wrong checksum");
}

TEST_F(Refusal, OfAReservationThatSomebodyChanged) {
  change("UPDATE reservation SET state = 3 WHERE customer = 'customer-3'");
  expect_refusal("reservation 4 of sale 1 has a wrong checksum");
}

TEST_F(Refusal, OfAMissingReservation) {
  change("DELETE FROM reservation WHERE customer = 'customer-3'");
  expect_refusal("is missing");
}

TEST_F(Refusal, OfAMissingLastReservation) {
  change("DELETE FROM reservation WHERE customer = 'customer-19'");
  expect_refusal("20 numbers");
}

TEST_F(Refusal, OfAMissingSale) {
  change("DELETE FROM sale");
  expect_refusal("reservations of a sale 1");
}

TEST_F(Refusal, OfChangedAndMissingEvents) {
  change("UPDATE outbox SET type = 18 WHERE seq = 5");
  expect_refusal("outbox row 5 has a wrong checksum");
  change("DELETE FROM outbox WHERE seq = 5");
  expect_refusal("outbox rows are missing");
}

TEST_F(Refusal, OfAMissingLastEvent) {
  change("DELETE FROM outbox WHERE seq = (SELECT max(seq) FROM outbox)");
  expect_refusal("the outbox ends at");
}

TEST_F(Refusal, OfATruncatedFile) {
  const std::string content = content_of(harness.file());
  for (const std::size_t size : {content.size() - 4'096, content.size() / 2, std::size_t{5'000}, std::size_t{50}}) {
    put(harness.file(), content.substr(0, size));
    expect_refusal("");
    EXPECT_NE(harness.refusal(), "") << size;
  }
}

TEST_F(Refusal, OfABrokenStructure) {
  std::string content = content_of(harness.file());
  // The second page is the root of a table; its header begins with the kind of page.
  content[4'096] = 0x33;
  put(harness.file(), content);
  expect_refusal("is damaged");
}

TEST_F(Refusal, OfALogWhoseFileIsGone) {
  std::filesystem::remove(harness.file());
  put(harness.file().string() + "-wal", "something");
  EXPECT_THAT(harness.refusal(), HasSubstr("its log"));
  EXPECT_FALSE(std::filesystem::exists(harness.file()));
}

TEST_F(Refusal, OfEverySingleFlippedBitInARow) {
  const std::string content = content_of(harness.file());
  const std::size_t row = content.find("customer-11");
  ASSERT_NE(row, std::string::npos);
  // The text, and the instants, the key and the sum behind it.
  for (std::size_t at = row; at < row + 11 + 1 + 6 + 6 + 16 + 4; ++at) {
    std::string flipped = content;
    flipped[at] = static_cast<char>(flipped[at] ^ 1 << at % 8);
    put(harness.file(), flipped);
    EXPECT_NE(harness.refusal(), "") << "byte " << at - row;
  }
  put(harness.file(), content);
  EXPECT_EQ(harness.refusal(), "");
}

TEST_F(Refusal, OfASecondServer) {
  harness.reopen();
  const auto second = engine::EmbeddedEngine::open(harness.options());
  ASSERT_FALSE(second);
  EXPECT_THAT(second.error().detail, HasSubstr("another server uses the data folder"));
  EXPECT_EQ(harness.reserve("still-served").value().outcome, Outcome::done);
}

TEST_F(Refusal, NotOfAFileThatWasOnlyTouched) {
  std::filesystem::remove(harness.file());
  put(harness.file(), "");
  EXPECT_EQ(harness.refusal(), "");
}

TEST_F(Refusal, NotOfAMakingThatACrashInterrupted) {
  std::filesystem::remove(harness.file());
  put(harness.file().string() + ".new", "half a store");
  put(harness.file().string() + ".new-journal", "and its journal");
  EXPECT_EQ(harness.refusal(), "");
}

}  // namespace
}  // namespace firstcome::test
