// Prepared statements of the three databases: values go apart from the text, and failures are told as they are
// elsewhere.
#include "engine/guarded/sql/sql_inventories.hpp"
#include "engine/sql/sql_session.hpp"

#include <gtest/gtest.h>

namespace firstcome::engine {
namespace {

class SqlPreparedStatements : public OnEachInventory {
 protected:
  void SetUp() override {
    OnEachInventory::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    session = std::make_unique<SqlSession>(SqlSessionOptions{.database = inventory->url()});
    session->run("DROP TABLE IF EXISTS prepared_things");
    session->run(GetParam() == Kind::mariadb
                     ? "CREATE TABLE prepared_things (id BIGINT PRIMARY KEY, word VARCHAR(200)) CHARACTER SET utf8mb4"
                     : "CREATE TABLE prepared_things (id BIGINT PRIMARY KEY, word VARCHAR(200))");
  }
  SqlCall call(std::string_view text) const { return SqlCall(session->dialect(), text); }
  SqlAnswer ask(std::vector<SqlCall> calls) { return session->call(calls); }
  SqlCall insert(std::int64_t id, std::string_view word) const {
    SqlCall sql = call("INSERT INTO prepared_things (id, word) VALUES (");
    (sql.number(id) << ", ").text(word) << ")";
    return sql;
  }

  std::unique_ptr<SqlSession> session;
};
FIRSTCOME_ON_EACH_INVENTORY(SqlPreparedStatements);

TEST_P(SqlPreparedStatements, KeepValuesAsTheyAre) {
  const std::vector<std::string> words{"",        "it's",      R"(back\slash)",      "\"quoted\"",
                                       "한글 🎫", "?, $1, :a", std::string(180, 'x')};
  std::int64_t id = -3;
  for (const std::string& word : words) EXPECT_EQ(ask({insert(++id, word)}).changed, 1U) << word;
  const SqlAnswer all = ask({call("SELECT id, word, NULL FROM prepared_things ORDER BY id")});
  ASSERT_EQ(all.rows.size(), words.size());
  for (std::size_t i = 0; i < words.size(); ++i) {
    EXPECT_EQ(all.rows[i][1], words[i]);
    EXPECT_FALSE(all.rows[i][2]);
  }
  EXPECT_EQ(number_in(all.rows[0][0]), -2);
  SqlCall change = call("UPDATE prepared_things SET word = 'all' WHERE id > ");
  change.number(std::int64_t{0});
  EXPECT_EQ(ask({std::move(change)}).changed, words.size() - 3);
}

TEST_P(SqlPreparedStatements, AnswerTheLastOfSeveral) {
  const SqlAnswer answer = ask({insert(1, "one"), insert(2, "two"), call("SELECT COUNT(*) FROM prepared_things")});
  EXPECT_EQ(answer.rows.at(0).at(0), "2");
}

TEST_P(SqlPreparedStatements, DoNothingBehindOneThatFailedAndGoOnAfterARollback) {
  session->run(session->dialect().begin());
  try {
    ask({insert(1, "one"), insert(1, "again"), insert(2, "two")});
    FAIL() << "a second row of one key";
  } catch (const SqlFailure& failure) {
    EXPECT_EQ(failure.fault, SqlFailure::Fault::duplicate) << failure.sentence;
  }
  session->run("ROLLBACK");
  EXPECT_EQ(ask({call("SELECT COUNT(*) FROM prepared_things")}).rows.at(0).at(0), "0");
  EXPECT_EQ(ask({insert(1, "one")}).changed, 1U) << "the same statement as before";
}

TEST_P(SqlPreparedStatements, TellAMistakeInAStatementAsElsewhere) {
  EXPECT_THROW(ask({call("SELECT nothing FROM prepared_things")}), SqlFailure);
  EXPECT_EQ(ask({call("SELECT 1")}).rows.at(0).at(0), "1");
}

TEST_P(SqlPreparedStatements, AreForgottenBeforeTheyAreTooMany) {
  for (std::size_t i = 0; i < 2 * SqlPrepared::kept_most + 10; ++i)
    EXPECT_EQ(ask({call(fmt::format("SELECT {}", i))}).rows.at(0).at(0), std::to_string(i));
}

}  // namespace
}  // namespace firstcome::engine
