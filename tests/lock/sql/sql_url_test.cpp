#include "lock/sql/sql_url.hpp"

#include "lock/sql/sql_locks.hpp"

#include <gtest/gtest.h>

namespace firstcome::lock {
namespace {

using Server = SqlUrl::Server;

TEST(SqlUrl, ReadsEveryMember) {
  const auto url = parse_sql_url("postgresql://al%40ice:p%2Fw%3A@db.example:5433/sh%20op");
  ASSERT_TRUE(url) << url.error();
  EXPECT_EQ(url->server, Server::postgresql);
  EXPECT_EQ(url->user, "al@ice");
  EXPECT_EQ(url->password, "p/w:");
  EXPECT_EQ(url->host, "db.example");
  EXPECT_EQ(url->port, 5433);
  EXPECT_EQ(url->database, "sh op");
  EXPECT_EQ(url->socket, "");
}

TEST(SqlUrl, KnowsTheUsualPortsAndBothNamesOfEachServer) {
  for (const char* text : {"postgres://u@h/d", "postgresql://u@h/d"}) {
    EXPECT_EQ(parse_sql_url(text).value().server, Server::postgresql);
    EXPECT_EQ(parse_sql_url(text).value().port, 5432);
  }
  for (const char* text : {"mysql://u@h/d", "mariadb://u@h/d"}) {
    EXPECT_EQ(parse_sql_url(text).value().server, Server::mariadb);
    EXPECT_EQ(parse_sql_url(text).value().port, 3306);
  }
}

TEST(SqlUrl, TakesIpv6AndSocketsAndNeverShowsThePassword) {
  EXPECT_EQ(parse_sql_url("mysql://u:secret@[::1]/d").value().host, "::1");
  EXPECT_EQ(parse_sql_url("mysql://u:secret@[::1]/d").value().text(), "mysql://[::1]:3306/d");
  const SqlUrl local = parse_sql_url("mysql://u:secret@localhost/d?socket=/run/mysqld/mysqld.sock").value();
  EXPECT_EQ(local.socket, "/run/mysqld/mysqld.sock");
  EXPECT_EQ(local.text(), "mysql:///run/mysqld/mysqld.sock/d");
}

TEST(SqlUrl, NamesTheMemberThatIsWrong) {
  const auto error = [](const char* text) {
    const auto url = parse_sql_url(text);
    return url ? std::string("no error") : url.error();
  };
  EXPECT_EQ(error("redis://h/0"), "SQL URL: scheme must be postgresql:// or mysql://");
  EXPECT_EQ(error(""), "SQL URL: scheme must be postgresql:// or mysql://");
  EXPECT_EQ(error("mysql://h/d"), "SQL URL: user must be given, as in user:password@host");
  EXPECT_EQ(error("mysql://u@h:70000/d"), "SQL URL: port must be 1 to 65535");
  EXPECT_EQ(error("mysql://u@h:0/d"), "SQL URL: port must be 1 to 65535");
  EXPECT_EQ(error("mysql://u@h"), "SQL URL: database must be one name after the host, as in host/database");
  EXPECT_EQ(error("mysql://u@h/"), "SQL URL: database must be one name after the host, as in host/database");
  EXPECT_EQ(error("mysql://u@h/a/b"), "SQL URL: database must be one name after the host, as in host/database");
  EXPECT_EQ(error("mysql://u@/d"), "SQL URL: host must be given where there is no socket");
  EXPECT_EQ(error("mysql://u@h/d?tls=1"), "SQL URL: parameter tls is not known; there is only socket");
  EXPECT_EQ(error("mysql://u@h/d?socket=here"), "SQL URL: socket must be an absolute path");
  EXPECT_EQ(error("mysql://u@h/d#x"), "SQL URL: fragment must not be there; a # is written %23");
  EXPECT_EQ(error("mysql://u@h/d%00"), "SQL URL: it must not contain %00");
  EXPECT_TRUE(error("mysql://u:pass word@h/d").starts_with("SQL URL: it must be like")) << error("mysql://u:p w@h/d");
}

TEST(SqlUrl, IsRefusedByTheOtherServersLocks) {
  EXPECT_EQ(make_postgresql_locks("mysql://u@h/d").error(), "SQL URL: scheme must be postgresql://");
  EXPECT_EQ(make_mariadb_locks("postgresql://u@h/d").error(), "SQL URL: scheme must be mysql://");
}

}  // namespace
}  // namespace firstcome::lock
