#include "lock/sql/sql_url.hpp"

#include "lock/sql/sql_locks.hpp"
#include "support/temporary_folder.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <string>
#include <vector>

namespace firstcome::lock {
namespace {

using ::testing::HasSubstr;
using Server = SqlUrl::Server;
using Hosts = std::vector<SqlUrl::Host>;

std::string error(const std::string& text) {
  const auto url = parse_sql_url(text);
  return url ? std::string("no error") : url.error();
}

TEST(SqlUrl, ReadsEveryMember) {
  const auto url = parse_sql_url("postgresql://al%40ice:p%2Fw%3A@db.example:5433/sh%20op");
  ASSERT_TRUE(url) << url.error();
  EXPECT_EQ(url->server, Server::postgresql);
  EXPECT_EQ(url->user, "al@ice");
  EXPECT_EQ(url->password, "p/w:");
  EXPECT_EQ(url->hosts, (Hosts{{"db.example", 5433}}));
  EXPECT_EQ(url->database, "sh op");
  EXPECT_EQ(url->socket, "");
}

TEST(SqlUrl, KnowsTheUsualPortsAndBothNamesOfEachServer) {
  for (const char* text : {"postgres://u@h/d", "postgresql://u@h/d"}) {
    EXPECT_EQ(parse_sql_url(text).value().server, Server::postgresql);
    EXPECT_EQ(parse_sql_url(text).value().hosts.at(0).port, 5432);
  }
  for (const char* text : {"mysql://u@h/d", "mariadb://u@h/d"}) {
    EXPECT_EQ(parse_sql_url(text).value().server, Server::mariadb);
    EXPECT_EQ(parse_sql_url(text).value().hosts.at(0).port, 3306);
  }
}

TEST(SqlUrl, TakesIpv6AndSocketsAndNeverShowsThePassword) {
  EXPECT_EQ(parse_sql_url("mysql://u:secret@[::1]/d").value().hosts.at(0).name, "::1");
  EXPECT_EQ(parse_sql_url("mysql://u:secret@[::1]/d").value().text(), "mysql://[::1]:3306/d");
  const SqlUrl local = parse_sql_url("mysql://u:secret@localhost/d?socket=/run/mysqld/mysqld.sock").value();
  EXPECT_EQ(local.socket, "/run/mysqld/mysqld.sock");
  EXPECT_EQ(local.text(), "mysql:///run/mysqld/mysqld.sock/d");
}

TEST(SqlUrl, TakesSeveralHostsAndTheParametersOfTheClientLibrary) {
  const SqlUrl url =
      parse_sql_url(
          "postgresql://u,v:p@a,b:6000,[::1]:7000/d?sslmode=verify-full&sslrootcert=%2Fa%20b.pem&host=/run/pg")
          .value();
  EXPECT_EQ(url.user, "u,v");
  EXPECT_EQ(url.hosts, (Hosts{{"a", 5432}, {"b", 6000}, {"::1", 7000}}));
  EXPECT_EQ(url.socket, "/run/pg") << "libpq's name for it";
  EXPECT_EQ(url.setting("sslrootcert"), "/a b.pem");
  const SqlUrl tcp = parse_sql_url("postgresql://u:p@a,[::1]:7000/d?application_name=x").value();
  EXPECT_EQ(tcp.text(), "postgresql://a:5432,[::1]:7000/d");
  EXPECT_EQ(postgresql_settings(tcp, {{"application_name", "usual"}, {"connect_timeout", "5"}}),
            (SqlSettings{{"host", "a,::1"},
                         {"port", "5432,7000"},
                         {"user", "u"},
                         {"password", "p"},
                         {"dbname", "d"},
                         {"client_encoding", "UTF8"},
                         {"application_name", "x"},
                         {"connect_timeout", "5"}}));
}

TEST(SqlUrl, TellsConnectorCOfHostsAndSettings) {
  const auto host = [](const char* text) { return mariadb_host(parse_sql_url(text).value()); };
  EXPECT_EQ(host("mysql://u@localhost/d"), "127.0.0.1");
  EXPECT_EQ(host("mysql://u@[::1]:7/d?connect_timeout=3"), "::1");
  EXPECT_EQ(host("mysql://u@a/d?ssl-ca=/c;a.pem"), "host={a};ssl-ca={/c;a.pem};ssl-verify-server-cert=1;");
  EXPECT_EQ(host("mysql://u@a/d?ssl_ca=x&ssl-verify-server-cert=0"), "host={a};ssl-ca={x};ssl-verify-server-cert={0};");
  EXPECT_EQ(host("mysql://u@a/d?unix_socket=/s"), "");
  EXPECT_EQ(host("mysql://u@/d?socket=/s&ssl-enforce=1"), "ssl-enforce={1};");
}

TEST(SqlUrl, TakesAPasswordFromAFileThatHasOne) {
  const firstcome::testing::TemporaryFolder folder;
  const auto written = [&](const std::string& text) {
    const std::string path = (folder.path() / "password").string();
    std::ofstream(path, std::ios::binary) << text;
    return "mysql://u@h/d?password_file=" + path;
  };
  EXPECT_EQ(parse_sql_url(written("secret\r\nanother line\n")).value().password, "secret");
  EXPECT_EQ(parse_sql_url(written("secret")).value().password, "secret");
  for (const std::string& none : {std::string("\r\n"), std::string(), std::string("\nsecret"), std::string(2'000, 'x')})
    EXPECT_THAT(error(written(none)), HasSubstr("must be a file whose first line is the password")) << none;
  EXPECT_THAT(error("mysql://u@h/d?password_file=/dev/zero"), HasSubstr("must be a file whose first line"));
  EXPECT_THAT(error("mysql://u@h/d?password_file=/"), HasSubstr("must be a file whose first line"));
}

TEST(SqlUrl, NamesTheMemberThatIsWrong) {
  EXPECT_EQ(error("redis://h/0"), "SQL URL: scheme must be postgresql:// or mysql://");
  EXPECT_EQ(error(""), "SQL URL: scheme must be postgresql:// or mysql://");
  EXPECT_EQ(error("mysql://h/d"), "SQL URL: user must be given, as in user:password@host");
  EXPECT_EQ(error("mysql://u@h:70000/d"), "SQL URL: port must be 1 to 65535");
  EXPECT_EQ(error("mysql://u@h:0/d"), "SQL URL: port must be 1 to 65535");
  EXPECT_EQ(error("mysql://u@h"), "SQL URL: database must be one name after the host, as in host/database");
  EXPECT_EQ(error("mysql://u@h/"), "SQL URL: database must be one name after the host, as in host/database");
  EXPECT_EQ(error("mysql://u@h/a/b"), "SQL URL: database must be one name after the host, as in host/database");
  EXPECT_EQ(error("mysql://u@/d?socket=/a&unix_socket=/b"), "SQL URL: parameter unix_socket must come once");
  EXPECT_EQ(error("mysql://u@/d"), "SQL URL: host must be given where there is no socket");
  EXPECT_EQ(
      error("mysql://u@h/d?tls=1"),
      "SQL URL: parameter tls is not known; there are socket, password_file, connect-timeout, ssl-ca, ssl-capath, "
      "ssl-cert, ssl-cipher, ssl-crl, ssl-enforce, ssl-key, ssl-verify-server-cert and tls-version");
  EXPECT_EQ(error("postgresql://u@h/d?ssl-ca=x").substr(0, 64),
            "SQL URL: parameter ssl-ca is not known; there are socket, passwo");
  EXPECT_EQ(error("postgresql://u@h/d?sslmode=on"),
            "SQL URL: sslmode must be one of disable, allow, prefer, require, verify-ca, verify-full");
  EXPECT_EQ(error("postgresql://u@h/d?connect_timeout=0"),
            "SQL URL: connect_timeout must be a number of seconds from 1 to 3600");
  EXPECT_EQ(error("postgresql://u@h/d?sslmode=allow&sslmode=require"), "SQL URL: parameter sslmode must come once");
  EXPECT_EQ(error("mysql://u@h/d?ssl-verify-server-cert=yes"), "SQL URL: ssl-verify-server-cert must be 0 or 1");
  EXPECT_EQ(error("mysql://u@h/d?ssl_ca="), "SQL URL: ssl_ca must be the name of a file, without braces");
  EXPECT_EQ(error("mysql://u@h,/d"), "SQL URL: host must be like host or host:port, with commas between several");
  EXPECT_EQ(error("mysql://u@h;x/d"), "SQL URL: host must be a name, an address, or an IPv6 address in brackets");
  EXPECT_EQ(error("mysql://u@h,i:0/d"), "SQL URL: port must be 1 to 65535");
  EXPECT_EQ(error("mysql://u:p@h/d?password_file=/x"), "SQL URL: password must not be given beside a password_file");
  EXPECT_EQ(error("mysql://u@h/d?password_file=/not/there"),
            "SQL URL: password_file must be a file whose first line is the password, not \"/not/there\"");
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
