// The fences' SQL on real servers, as users would run it: prepared, offer, check and write in one transaction.
#include "support/sql_server.hpp"

#include <firstcome/fence.hpp>

#include <gtest/gtest.h>
#include <mariadb/mysql.h>
#include <postgresql/libpq-fe.h>

#include <array>
#include <atomic>
#include <chrono>
#include <memory>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace firstcome::lock {
namespace {

using namespace std::chrono_literals;
using firstcome::testing::eventually;
using firstcome::testing::MariadbServer;
using firstcome::testing::PostgresServer;

class Postgres {
 public:
  using Server = PostgresServer;
  static constexpr SqlDialect dialect = SqlDialect::postgresql;
  static constexpr const char* waiting = "SELECT COUNT(*) > 0 FROM pg_locks WHERE NOT granted";
  static constexpr const char* yes = "t\n";
  static constexpr const char* counter = "BIGSERIAL";

  explicit Postgres(const Server& server) : connection_(PQconnectdb(server.url().c_str()), PQfinish) {
    if (PQstatus(connection_.get()) != CONNECTION_OK) throw std::runtime_error(PQerrorMessage(connection_.get()));
  }
  void run(const std::string& sql) { take(PQexec(connection_.get(), sql.c_str())); }
  /// The number in the first row, or -1.
  int step(std::string_view sql, const std::string& resource, std::uint64_t token, const std::string& owner) {
    const std::string number = std::to_string(token);
    const std::array<const char*, 3> values{resource.c_str(), number.c_str(), owner.c_str()};
    return take(
        PQexecParams(connection_.get(), std::string(sql).c_str(), 3, nullptr, values.data(), nullptr, nullptr, 0));
  }

 private:
  int take(PGresult* given) {
    const std::unique_ptr<PGresult, void (*)(PGresult*)> result(given, PQclear);
    const ExecStatusType status = PQresultStatus(given);
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) throw std::runtime_error(PQresultErrorMessage(given));
    return PQntuples(given) > 0 ? std::stoi(PQgetvalue(given, 0, 0)) : -1;
  }

  std::unique_ptr<PGconn, void (*)(PGconn*)> connection_;
};

class Mariadb {
 public:
  using Server = MariadbServer;
  static constexpr SqlDialect dialect = SqlDialect::mariadb;
  static constexpr const char* waiting =
      "SELECT COUNT(*) > 0 FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT'";
  static constexpr const char* yes = "1\n";
  static constexpr const char* counter = "BIGINT AUTO_INCREMENT";

  explicit Mariadb(const Server& server) : connection_(mysql_init(nullptr), mysql_close) {
    if (mysql_real_connect(connection_.get(), "127.0.0.1", "shop", "secret", "shop", server.port(), nullptr, 0) ==
        nullptr) {
      throw std::runtime_error(mysql_error(connection_.get()));
    }
  }
  void run(const std::string& sql) {
    if (mysql_real_query(connection_.get(), sql.data(), sql.size()) != 0) {
      throw std::runtime_error(mysql_error(connection_.get()));
    }
    mysql_free_result(mysql_store_result(connection_.get()));
  }
  int step(std::string_view sql, std::string resource, std::uint64_t token, std::string owner) {
    const std::unique_ptr<MYSQL_STMT, my_bool (*)(MYSQL_STMT*)> made(mysql_stmt_init(connection_.get()),
                                                                     mysql_stmt_close);
    MYSQL_STMT* const statement = made.get();
    std::array<MYSQL_BIND, 3> given{};
    bind_text(given[0], resource);
    bind_number(given[1], token);
    bind_text(given[2], owner);
    must(statement, mysql_stmt_prepare(statement, sql.data(), sql.size()));
    must(statement, mysql_stmt_bind_param(statement, given.data()));
    must(statement, mysql_stmt_execute(statement));
    if (mysql_stmt_field_count(statement) == 0) return -1;
    std::uint64_t count = 0;
    MYSQL_BIND row{};
    bind_number(row, count);
    must(statement, mysql_stmt_bind_result(statement, &row));
    must(statement, mysql_stmt_store_result(statement));
    return mysql_stmt_fetch(statement) == 0 ? static_cast<int>(count) : -1;
  }

 private:
  static void bind_text(MYSQL_BIND& bind, std::string& text) {
    bind.buffer_type = MYSQL_TYPE_STRING;
    bind.buffer = text.data();
    bind.buffer_length = text.size();
  }
  static void bind_number(MYSQL_BIND& bind, std::uint64_t& number) {
    bind.buffer_type = MYSQL_TYPE_LONGLONG;
    bind.buffer = &number;
    bind.is_unsigned = 1;
  }
  static void must(MYSQL_STMT* statement, int failed) {
    if (failed != 0) throw std::runtime_error(mysql_stmt_error(statement));
  }

  std::unique_ptr<MYSQL, void (*)(MYSQL*)> connection_;
};

/// A table that a fence guards, over a connection of its own.
template <typename On>
class FencedTable {
 public:
  explicit FencedTable(const typename On::Server& server) : on_(server) {}

  void make() {
    on_.run(std::string(sql().create));
    on_.run("CREATE TABLE IF NOT EXISTS work(number " + std::string(On::counter) +
            " PRIMARY KEY, token BIGINT NOT NULL)");
  }
  void begin() { on_.run("BEGIN"); }
  /// In the middle of a transaction: whether the fence lets it pass; then it has written.
  bool offer(const std::string& resource, std::uint64_t token, const std::string& owner) {
    on_.step(sql().offer, resource, token, owner);
    const int passed = on_.step(sql().check, resource, token, owner);
    if (passed == 1) on_.run("INSERT INTO work(token) VALUES (" + std::to_string(token) + ")");
    return passed == 1;
  }
  void commit() { on_.run("COMMIT"); }
  void roll_back() { on_.run("ROLLBACK"); }
  bool write(const std::string& resource, std::uint64_t token, const std::string& owner) {
    begin();
    const bool passed = offer(resource, token, owner);
    passed ? commit() : roll_back();
    return passed;
  }
  On& on() { return on_; }

 private:
  static const FenceSql& sql() { return fence_sql(On::dialect); }

  On on_;
};

template <typename On>
class SqlFenceOn : public ::testing::Test {
 protected:
  using Server = typename On::Server;
  void SetUp() override {
    FIRSTCOME_NEEDS_SQL(Server);
    server = std::make_unique<Server>();
    table = std::make_unique<FencedTable<On>>(*server);
    table->make();
    table->make();  // as every process does at its start
  }
  bool somebody_waits() {
    return eventually([this] { return server->ask(On::waiting) == On::yes; });
  }

  std::unique_ptr<Server> server;
  std::unique_ptr<FencedTable<On>> table;
};

struct NameOfDialect {
  template <typename On>
  static std::string GetName(int /*index*/) {
    return std::is_same_v<On, Postgres> ? "Postgresql" : "Mariadb";
  }
};
using Dialects = ::testing::Types<Postgres, Mariadb>;
TYPED_TEST_SUITE(SqlFenceOn, Dialects, NameOfDialect);

TYPED_TEST(SqlFenceOn, TakesRisingAndEqualTokensAndRefusesLowerOnesAndOtherOwners) {
  FencedTable<TypeParam>& fenced = *this->table;
  EXPECT_TRUE(fenced.write("r", 10, "a"));
  EXPECT_TRUE(fenced.write("r", 10, "a"));
  EXPECT_FALSE(fenced.write("r", 10, "A"));
  EXPECT_TRUE(fenced.write("r", 12, "b"));
  EXPECT_FALSE(fenced.write("r", 11, "c"));
  EXPECT_FALSE(fenced.write("r", 10, "a"));
  EXPECT_TRUE(fenced.write("r", 12, "b"));  // the refused left no trace
  EXPECT_TRUE(fenced.write("R", 1, "a"));   // another resource
  EXPECT_TRUE(fenced.write("r", (std::uint64_t{1} << 53U) - 1, std::string(160, 'o')));
  EXPECT_FALSE(fenced.write("r", (std::uint64_t{1} << 53U) - 2, "d"));
}

/// Whoever offers waits for the one before, and is judged by what that one left.
TYPED_TEST(SqlFenceOn, LetsTwoAtOnceInOneAfterTheOther) {
  enum class End : std::uint8_t { commit, roll_back };
  struct Case {
    std::uint64_t first;
    End end;
    std::uint64_t second;
    bool passes;
  };
  int number = 0;
  for (const bool fresh : {true, false}) {  // with no row yet, and with one
    for (const Case& one : {Case{20, End::commit, 19, false}, Case{20, End::commit, 20, false},
                            Case{20, End::commit, 21, true}, Case{20, End::roll_back, 19, true}}) {
      const std::string resource = "r" + std::to_string(++number);
      if (!fresh) {
        ASSERT_TRUE(this->table->write(resource, 1, "before"));
      }
      this->table->begin();
      ASSERT_TRUE(this->table->offer(resource, one.first, "one"));
      FencedTable<TypeParam> other(*this->server);
      std::atomic<bool> passed = !one.passes;
      std::jthread second([&] { passed = other.write(resource, one.second, "two"); });
      EXPECT_TRUE(this->somebody_waits());
      one.end == End::commit ? this->table->commit() : this->table->roll_back();
      second.join();
      EXPECT_EQ(passed, one.passes) << number;
    }
  }
}

/// A transaction that has read before it offers must not be judged by what it saw then. Where its isolation forbids
/// writes to what has changed since, the offer fails instead; then a new transaction is refused.
TYPED_TEST(SqlFenceOn, IsNotDeceivedByAnEarlierRead) {
  ASSERT_TRUE(this->table->write("r", 10, "old"));
  FencedTable<TypeParam> old(*this->server);
  old.begin();
  old.on().run("SELECT COUNT(*) FROM work");
  ASSERT_TRUE(this->table->write("r", 11, "new"));
  try {
    EXPECT_FALSE(old.offer("r", 10, "old"));
    old.roll_back();
  } catch (const std::runtime_error& failure) {
    EXPECT_NE(std::string(failure.what()).find("changed since last read"), std::string::npos) << failure.what();
    old.roll_back();
    EXPECT_FALSE(this->table->write("r", 10, "old"));
  }
}

TYPED_TEST(SqlFenceOn, NeverWritesALowerTokenWhoeverCrowdsIn) {
  std::vector<std::jthread> crowd;
  std::atomic<int> refused = 0;
  for (unsigned i = 0; i < 6; ++i) {
    crowd.emplace_back([&, i] {
      FencedTable<TypeParam> mine(*this->server);
      std::mt19937 random(i);
      for (std::uint64_t round = 0; round < 40; ++round) {
        const std::uint64_t token = 10 * round + random() % 30 + 1;
        if (!mine.write("r", token, std::to_string(i))) ++refused;
      }
    });
  }
  crowd.clear();
  EXPECT_GT(refused, 0);
  // In the order of the writes, which the fence's row makes that of the commits.
  TypeParam reader(*this->server);
  reader.run(
      "CREATE TABLE seen AS SELECT token, MAX(token) OVER (ORDER BY number ROWS UNBOUNDED PRECEDING) AS highest"
      " FROM work");
  EXPECT_EQ(this->server->ask_in("shop", "SELECT COUNT(*) FROM seen WHERE token < highest"), "0\n");
  EXPECT_NE(this->server->ask_in("shop", "SELECT COUNT(*) FROM seen"), "0\n");
}

}  // namespace
}  // namespace firstcome::lock
