// What a URL says about a connection, on real servers: encryption, several hosts, a name, a password from a file.
// Whoever connects, for orders or for locks, does what it says.
#include "engine/sql/sql_session.hpp"
#include "lock/backend.hpp"
#include "lock/sql/sql_locks.hpp"
#include "support/certificates.hpp"
#include "support/sql_server.hpp"
#include "support/temporary_folder.hpp"

#include <firstcome/lock_mutex.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pwd.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <memory>

namespace firstcome::engine {
namespace {

using testing::CertificateAuthority;
using ::testing::HasSubstr;
using testing::MariadbServer;
using testing::PostgresServer;
using testing::SqlTestServer;

SqlSession connect(const std::string& url) {
  SqlSessionOptions options;
  options.database = parse_database_url(url, "order database").value();
  return SqlSession(options);
}

/// The first column of the first row; or why there is none.
std::string ask(const std::string& url, const std::string& sql) {
  try {
    return connect(url).ask(sql, 1).at(0).at(0).value();
  } catch (const SqlFailure& failure) {
    return failure.sentence;
  }
}

constexpr const char* connects = "it connects";

std::string why_not(const std::string& url) {
  try {
    connect(url);
  } catch (const SqlFailure& failure) {
    return failure.sentence;
  }
  return connects;
}

/// Gets a lock by the URL. Empty: it did.
std::string why_no_lock(const std::string& url) {
  auto backend = url.starts_with("mysql") ? lock::make_mariadb_locks(url) : lock::make_postgresql_locks(url);
  if (!backend) return backend.error();
  const auto space = lock::make_lock_space(std::move(*backend), {});
  const Acquired lease = acquire_blocking(*space->lock("a"), {.wait = std::chrono::seconds{20}});
  return lease ? "" : lease.error().detail;
}

/// Certificates in a folder that a server's own user may read.
class Certificates {
 public:
  Certificates() : authority_(folder_.path(), "authority"), other_(folder_.path(), "other") {
    server_ = authority_.sign("server", "DNS:localhost,IP:127.0.0.1");
    client_ = authority_.sign("shop", "DNS:shop");
  }

  void give_to(const char* user) const {
    const passwd* const found = ::geteuid() == 0 ? ::getpwnam(user) : nullptr;
    std::filesystem::permissions(server_.key_file, std::filesystem::perms::owner_read);
    if (found == nullptr) return;
    for (const std::string& path : {folder_.path().string(), server_.file, server_.key_file, authority_.file()})
      if (::chown(path.c_str(), found->pw_uid, found->pw_gid) != 0) throw std::runtime_error("chown failed");
  }

  const CertificateAuthority::Certificate& server() const { return server_; }
  const CertificateAuthority::Certificate& client() const { return client_; }
  std::string authority() const { return authority_.file(); }
  std::string other() const { return other_.file(); }
  std::string write(const std::string& name, const std::string& text) const {
    const std::string path = (folder_.path() / name).string();
    std::ofstream(path) << text;
    return path;
  }

 private:
  testing::TemporaryFolder folder_;
  CertificateAuthority authority_;
  CertificateAuthority other_;
  CertificateAuthority::Certificate server_;
  CertificateAuthority::Certificate client_;
};

void encrypt(const PostgresServer& server, const Certificates& files) {
  files.give_to("postgres");
  for (const std::string& setting : {"ssl_cert_file = '" + files.server().file + "'",
                                     "ssl_key_file = '" + files.server().key_file + "'", std::string("ssl = on")})
    server.ask("ALTER SYSTEM SET " + setting);
  server.ask("SELECT pg_reload_conf()");
  ASSERT_TRUE(testing::eventually([&] { return why_not(server.url() + "?sslmode=require") == connects; }))
      << server.log();
}

TEST(SqlConnections, ToPostgresqlAreEncryptedAndItsCertificateIsCheckedAsTheUrlSays) {
  FIRSTCOME_NEEDS_SQL(PostgresServer);
  const PostgresServer server;
  const Certificates files;
  encrypt(server, files);
  const std::string full = server.url() + "?sslmode=verify-full&sslrootcert=";
  const std::string is_encrypted = "SELECT ssl::text FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
  EXPECT_EQ(ask(full + files.authority(), is_encrypted), "true");
  EXPECT_EQ(ask(server.url() + "?sslmode=disable", is_encrypted), "false");
  EXPECT_THAT(why_not(full + files.other()), HasSubstr("certificate verify failed"));
  EXPECT_EQ(why_no_lock(full + files.authority()), "");
  EXPECT_THAT(why_no_lock(full + files.other()), HasSubstr("certificate verify failed"));
}

TEST(SqlConnections, ToPostgresqlThatDoesNotEncryptAreNotMadeWhereTheUrlWantsIt) {
  FIRSTCOME_NEEDS_SQL(PostgresServer);
  const PostgresServer server;
  EXPECT_THAT(why_not(server.url() + "?sslmode=require"), HasSubstr("does not support SSL"));
  EXPECT_THAT(why_no_lock(server.url() + "?sslmode=require"), HasSubstr("does not support SSL"));
}

TEST(SqlConnections, GoOnToTheHostThatIsThereAndTakesWrites) {
  FIRSTCOME_NEEDS_SQL(PostgresServer);
  const PostgresServer reader;
  reader.ask("ALTER SYSTEM SET default_transaction_read_only = on");
  reader.ask("SELECT pg_reload_conf()");
  ASSERT_TRUE(testing::eventually([&] { return reader.ask("SHOW default_transaction_read_only") == "on\n"; }));
  const PostgresServer writer;
  const std::string gone = "127.0.0.1:1";
  const std::string all = "postgresql://shop:secret@" + gone + ",127.0.0.1:" + std::to_string(reader.port()) +
                          ",127.0.0.1:" + std::to_string(writer.port()) + "/shop";
  EXPECT_EQ(ask(all, "SHOW port"), std::to_string(reader.port())) << "the first that answers";
  const std::string to_write = all + "?target_session_attrs=read-write";
  EXPECT_EQ(ask(to_write, "SHOW port"), std::to_string(writer.port()));
  EXPECT_EQ(why_no_lock(to_write), "");
  EXPECT_THAT(why_no_lock(all), HasSubstr("target_session_attrs must be read-write or primary"));
}

/// A server's name must not depend on one of two hosts that says nothing.
TEST(SqlConnections, GoOnFromAHostThatAcceptsAndIsSilent) {
  FIRSTCOME_NEEDS_SQL(PostgresServer);
  PostgresServer silent;
  const PostgresServer writer;
  silent.pause();
  const std::string url = "postgresql://shop:secret@127.0.0.1:" + std::to_string(silent.port()) +
                          ",127.0.0.1:" + std::to_string(writer.port()) +
                          "/shop?target_session_attrs=primary&connect_timeout=4";
  EXPECT_EQ(ask(url, "SHOW port"), std::to_string(writer.port()));
  EXPECT_EQ(why_no_lock(url), "");
  // Nor may the caller wait longer than it said, whatever the URL says of each host.
  const std::string both_silent = "postgresql://shop:secret@127.0.0.1:" + std::to_string(silent.port()) +
                                  ",127.0.0.1:" + std::to_string(silent.port()) +
                                  "/shop?target_session_attrs=primary&connect_timeout=3600";
  EXPECT_NE(why_no_lock(both_silent), "");
  silent.resume();
}

TEST(SqlConnections, HaveTheNameAndTheOptionsOfTheUrl) {
  FIRSTCOME_NEEDS_SQL(PostgresServer);
  const PostgresServer server;
  const std::string url = server.url() + "?application_name=till%201&options=-c%20search_path%3Dshop";
  EXPECT_EQ(ask(url, "SHOW application_name"), "till 1");
  EXPECT_EQ(ask(url, "SHOW search_path"), "shop");
  EXPECT_EQ(ask(server.url(), "SHOW application_name"), "firstcome");
}

TEST(SqlConnections, TakeThePasswordFromAFile) {
  FIRSTCOME_NEEDS_SQL(PostgresServer);
  const PostgresServer server;
  const Certificates files;
  const std::string right = files.write("right", "secret\r\nanother line\n");
  const std::string wrong = files.write("wrong", "guessed\n");
  const std::string url = "postgresql://shop@127.0.0.1:" + std::to_string(server.port()) + "/shop?password_file=";
  EXPECT_EQ(ask(url + right, "SELECT 1"), "1");
  EXPECT_EQ(why_no_lock(url + right), "");
  EXPECT_THAT(why_not(url + wrong), HasSubstr("authentication failed"));
}

TEST(SqlConnections, ToMariadbAreEncryptedAndItsCertificateIsCheckedAsTheUrlSays) {
  FIRSTCOME_NEEDS_SQL(MariadbServer);
  const Certificates files;
  const MariadbServer server(
      testing::Sync::by_the_system,
      {"--ssl-cert=" + files.server().file, "--ssl-key=" + files.server().key_file, "--ssl-ca=" + files.authority()});
  const std::string cipher =
      "SELECT VARIABLE_VALUE FROM information_schema.SESSION_STATUS WHERE VARIABLE_NAME = 'SSL_CIPHER'";
  const std::string checked = server.url() + "?ssl-ca=";
  EXPECT_NE(ask(checked + files.authority(), cipher), "");
  EXPECT_NE(ask(server.url() + "?ssl_ca=" + files.authority() + "&ssl_cert=" + files.client().file +
                    "&ssl_key=" + files.client().key_file,
                cipher),
            "");
  EXPECT_NE(ask(server.url() + "?ssl-enforce=1&ssl-verify-server-cert=0", cipher), "");
  EXPECT_THAT(why_not(checked + files.other()), HasSubstr("certificate"));
  EXPECT_EQ(why_no_lock(checked + files.authority()), "");
  EXPECT_THAT(why_no_lock(checked + files.other()), HasSubstr("certificate"));
}

TEST(SqlConnections, ToMariadbThatDoesNotEncryptAreNotMadeWhereTheUrlWantsIt) {
  FIRSTCOME_NEEDS_SQL(MariadbServer);
  const MariadbServer server(testing::Sync::by_the_system, {"--skip-ssl"});
  EXPECT_EQ(ask(server.url() + "?ssl-verify-server-cert=0", "SELECT 1"), "1");
  for (const std::string parameters : {"?ssl-enforce=1&ssl-verify-server-cert=0", "?tls-version=TLSv1.3"}) {
    EXPECT_THAT(why_not(server.url() + parameters), HasSubstr(" not ")) << parameters;
    EXPECT_THAT(why_no_lock(server.url() + parameters), HasSubstr(" not ")) << parameters;
  }
}

TEST(SqlConnections, ToMariadbGoOnToTheHostThatIsThere) {
  FIRSTCOME_NEEDS_SQL(MariadbServer);
  const MariadbServer server;
  const std::string url = "mysql://shop:secret@127.0.0.1:1,127.0.0.1:" + std::to_string(server.port()) + "/shop";
  EXPECT_EQ(ask(url, "SELECT @@port"), std::to_string(server.port()));
  EXPECT_EQ(ask(url + "?connect-timeout=5&ssl-verify-server-cert=0", "SELECT @@port"), std::to_string(server.port()));
  EXPECT_THAT(why_no_lock(url), HasSubstr("host must be one"));
}

TEST(SqlConnections, ToMariadbGoOnFromAHostThatAcceptsAndIsSilent) {
  FIRSTCOME_NEEDS_SQL(MariadbServer);
  MariadbServer silent;
  const MariadbServer server;
  silent.pause();
  const std::string at = ":secret@127.0.0.1:" + std::to_string(silent.port()) +
                         ",127.0.0.1:" + std::to_string(server.port()) + "/shop?connect-timeout=3";
  EXPECT_EQ(ask("mysql://shop" + at, "SELECT @@port"), std::to_string(server.port()));
  silent.resume();
  EXPECT_THAT(why_not("mysql://stranger" + at), HasSubstr("Access denied")) << "an answer is the end";
}

}  // namespace
}  // namespace firstcome::engine
