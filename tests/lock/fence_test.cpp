#include <firstcome/fence.hpp>
#include <firstcome/lock_space.hpp>

#include <gtest/gtest.h>
#include <sqlite3.h>

#include <memory>
#include <stdexcept>
#include <string>

namespace firstcome {
namespace {

/// As a user would do it: offer, check, write, in one transaction.
class FencedTable {
 public:
  FencedTable() {
    sqlite3* opened = nullptr;
    if (sqlite3_open(":memory:", &opened) != SQLITE_OK) throw std::runtime_error("no database");
    database_.reset(opened);
    run(std::string(fence_sql(SqlDialect::sqlite).create));
    run(std::string(fence_sql(SqlDialect::sqlite).create));  // as every process does at its start
    run("CREATE TABLE work(value TEXT)");
  }

  bool write(const std::string& resource, std::uint64_t token, const std::string& owner) {
    run("BEGIN IMMEDIATE");
    step(fence_sql(SqlDialect::sqlite).offer, resource, token, owner);
    const bool accepted = step(fence_sql(SqlDialect::sqlite).check, resource, token, owner) == 1;
    if (accepted) run("INSERT INTO work VALUES ('" + owner + "')");
    run(accepted ? "COMMIT" : "ROLLBACK");
    return accepted;
  }

 private:
  void run(const std::string& sql) {
    if (sqlite3_exec(database_.get(), sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) {
      throw std::runtime_error(sqlite3_errmsg(database_.get()));
    }
  }
  /// The number in the first row, or -1.
  int step(std::string_view sql, const std::string& resource, std::uint64_t token, const std::string& owner) {
    sqlite3_stmt* prepared = nullptr;
    if (sqlite3_prepare_v2(database_.get(), sql.data(), int(sql.size()), &prepared, nullptr) != SQLITE_OK) {
      throw std::runtime_error(sqlite3_errmsg(database_.get()));
    }
    const std::unique_ptr<sqlite3_stmt, int (*)(sqlite3_stmt*)> statement(prepared, sqlite3_finalize);
    sqlite3_bind_text(prepared, 1, resource.c_str(), -1, SQLITE_TRANSIENT);
    sqlite3_bind_int64(prepared, 2, std::int64_t(token));
    sqlite3_bind_text(prepared, 3, owner.c_str(), -1, SQLITE_TRANSIENT);
    return sqlite3_step(prepared) == SQLITE_ROW ? sqlite3_column_int(prepared, 0) : -1;
  }

  std::unique_ptr<sqlite3, int (*)(sqlite3*)> database_{nullptr, sqlite3_close};
};

TEST(SqlFence, TakesRisingTokensAndRefusesLowerOnes) {
  FencedTable table;
  EXPECT_TRUE(table.write("r", 10, "a"));
  EXPECT_TRUE(table.write("r", 12, "b"));
  EXPECT_FALSE(table.write("r", 11, "c"));
  EXPECT_FALSE(table.write("r", 10, "a"));
  EXPECT_TRUE(table.write("r", (std::uint64_t{1} << 53U) - 1, "d"));
}

TEST(SqlFence, TakesAnEqualTokenFromItsOwnerOnly) {
  FencedTable table;
  EXPECT_TRUE(table.write("r", 10, "a"));
  EXPECT_TRUE(table.write("r", 10, "a"));
  EXPECT_FALSE(table.write("r", 10, "b"));
  EXPECT_TRUE(table.write("r", 10, "a"));  // the refused one left no trace
}

TEST(SqlFence, KeepsResourcesApart) {
  FencedTable table;
  EXPECT_TRUE(table.write("r", 10, "a"));
  EXPECT_TRUE(table.write("s", 1, "a"));
  EXPECT_FALSE(table.write("r", 1, "a"));
}

TEST(SqlFence, TakesWhatALeaseCarries) {
  FencedTable table;
  const auto space = make_in_process_locks();
  const auto lock = space->lock("r");
  std::string late_owner;
  std::uint64_t late_token = 0;
  lock->acquire({}, [&](Acquired lease) {
    late_owner = lease->owner();
    late_token = lease->token().value();
  });
  lock->acquire({}, [&](Acquired lease) { EXPECT_TRUE(table.write("r", lease->token().value(), lease->owner())); });
  EXPECT_FALSE(table.write("r", late_token, late_owner));
}

TEST(LuaFence, DefinesItsFunctionOnceInAScriptOfItsOwn) {
  EXPECT_NE(fence_lua().find("local function firstcome_fence(key, token, owner)"), std::string_view::npos);
  EXPECT_TRUE(fence_script().starts_with(fence_lua()));
}

}  // namespace
}  // namespace firstcome
