#include "support/sql_server.hpp"

#include "support/paths.hpp"

#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <sys/file.h>
#include <unistd.h>

#include <charconv>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <utility>
#include <vector>

namespace firstcome::testing {

namespace {

using namespace std::chrono_literals;

constexpr int recipe = 1;  // of what is kept for later tests: raise it with every change of how it is made

/// Of a program, so that what an older one made is not used.
std::string age_of(const std::filesystem::path& program) {
  return std::to_string(std::filesystem::last_write_time(program).time_since_epoch().count());
}

/// Holds a file locked, against other test programs.
class FileLock {
 public:
  explicit FileLock(const std::filesystem::path& file) : fd_(::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666)) {
    if (fd_ < 0 || ::flock(fd_, LOCK_EX) != 0) throw std::runtime_error("cannot lock " + file.string());
  }
  ~FileLock() { ::close(fd_); }
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;

 private:
  const int fd_;
};

constexpr const char* mariadb_program = "/usr/sbin/mariadbd";
constexpr const char* small_log = "--innodb-log-file-size=8M";

/// The folder of the newest version's programs; empty: there is none.
std::filesystem::path postgres_programs() {
  std::filesystem::path found;
  int newest = 0;
  std::error_code none;
  for (const auto& version : std::filesystem::directory_iterator("/usr/lib/postgresql", none)) {
    const std::string name = version.path().filename();
    int number = 0;
    std::from_chars(name.data(), name.data() + name.size(), number);
    if (number <= newest || access((version.path() / "bin/postgres").c_str(), X_OK) != 0) continue;
    newest = number;
    found = version.path() / "bin";
  }
  return found;
}

/// PostgreSQL refuses root, and runs as the user that its package made.
ChildOptions as_postgres(const std::string& program, std::vector<std::string> arguments) {
  ChildOptions options;
  options.program = program;
  options.arguments = std::move(arguments);
  if (geteuid() == 0) {
    std::vector<std::string> all{"--reuid=postgres", "--regid=postgres", "--clear-groups", "--pdeathsig=KILL", program};
    all.insert(all.end(), options.arguments.begin(), options.arguments.end());
    options = {};
    options.program = "/usr/bin/setpriv";
    options.arguments = std::move(all);
  }
  return options;
}

/// PostgreSQL ended since workers of one that was killed had not seen that yet.
bool finds_the_last_one(const std::string& log) {
  const std::size_t says = log.rfind("pre-existing shared memory block");
  return says != std::string::npos && log.find("database system is ready", says) == std::string::npos;
}

/// Whether the process has ended, whoever has still to be told of it.
bool has_ended(pid_t pid) {
  std::string word;
  char state = 'Z';
  std::ifstream("/proc/" + std::to_string(pid) + "/stat") >> word >> word >> state;
  return state == 'Z';
}

}  // namespace

void SqlTestServer::kill() {
  const std::string task = std::to_string(pid());
  std::vector<pid_t> sessions;
  std::ifstream children("/proc/" + task + "/task/" + task + "/children");
  for (pid_t child = 0; children >> child;) sessions.push_back(child);
  process_.reset();
  for (const pid_t session : sessions) eventually([&] { return has_ended(session); });
}

SqlTestServer::SqlTestServer(std::string scheme) : scheme_(std::move(scheme)), port_(free_port()) {}

SqlTestServer::~SqlTestServer() = default;

std::string SqlTestServer::url_at(std::uint16_t port, const std::string& password) const {
  return scheme_ + "://shop:" + password + "@127.0.0.1:" + std::to_string(port) + "/shop";
}

std::string SqlTestServer::log() const {
  std::ostringstream text;
  text << std::ifstream(folder() / "log").rdbuf();
  return text.str();
}

std::string SqlTestServer::run(ChildOptions options) const {
  options.error_log = folder() / "log";
  ChildProcess child(std::move(options));
  std::string text;
  while (const auto line = child.read_line(60s)) text += *line + "\n";
  if (child.wait(60s) != 0) throw std::runtime_error("a command of the SQL server failed:\n" + log());
  return text;
}

void SqlTestServer::start() {
  ChildOptions options = command();
  options.error_log = folder() / "log";
  process_ = std::make_unique<ChildProcess>(options);
  const bool answers = eventually([&] {
    if (process_->wait(0ms)) {
      if (!finds_the_last_one(log())) return true;
      process_ = std::make_unique<ChildProcess>(options);
      return false;
    }
    try {
      return ask("SELECT 1") == "1\n";
    } catch (const std::runtime_error&) {
      return false;
    }
  });
  if (!answers || process_->wait(0ms)) throw std::runtime_error("the SQL server did not start:\n" + log());
}

void SqlTestServer::fill(const std::string& key, const std::function<void()>& make) {
  const std::filesystem::path all = build_folder() / "test_databases";
  std::filesystem::create_directories(all);
  const std::string kept = (all / (key + "-" + std::to_string(recipe))).string();
  const std::string data = (folder() / "data").string();
  // With owners and rights, which std::filesystem does not copy.
  const auto copy = [this](const std::string& from, const std::string& to) {
    ChildOptions options;
    options.program = "/bin/cp";
    options.arguments = {"-a", "--reflink=auto", from, to};
    run(std::move(options));
  };
  const FileLock lock(kept + ".lock");
  if (std::filesystem::exists(kept)) return copy(kept, data);
  make();
  std::filesystem::remove_all(kept + ".new");
  copy(data, kept + ".new");
  std::filesystem::rename(kept + ".new", kept);
}

void SqlTestServer::stop(int signal) {
  process_->signal(signal);
  if (!process_->wait(60s)) throw std::runtime_error("the SQL server did not stop:\n" + log());
  process_.reset();
}

bool PostgresServer::is_installed() { return !postgres_programs().empty(); }

PostgresServer::PostgresServer(Sync sync) : SqlTestServer("postgresql"), sync_(sync) {
  const std::filesystem::path password = folder() / "password";
  std::ofstream(password) << "secret\n";
  if (geteuid() == 0) {
    const passwd* const user = getpwnam("postgres");
    if (user == nullptr) throw std::runtime_error("there is no user postgres");
    for (const auto& path : {folder(), password}) {
      if (chown(path.c_str(), user->pw_uid, user->pw_gid) != 0) throw std::runtime_error("chown failed");
    }
  }
  const std::filesystem::path programs = postgres_programs();
  fill("postgresql-" + age_of(programs / "postgres"), [&] {
    run(as_postgres((programs / "initdb").string(),
                    {"--pgdata=" + (folder() / "data").string(), "--username=shop", "--pwfile=" + password.string(),
                     "--auth-local=trust", "--auth-host=scram-sha-256", "--encoding=UTF8", "--no-locale", "--no-sync",
                     "--no-instructions"}));
    start();
    ask("CREATE DATABASE shop");
    stop(SIGINT);
  });
  start();
}

ChildOptions PostgresServer::command() const {
  const auto set = [](const std::string& what) { return "--" + what; };
  const bool as_a_shop = sync_ == Sync::at_each_commit;
  return as_postgres(
      (postgres_programs() / "postgres").string(),
      {"-D", (folder() / "data").string(), set("port=" + std::to_string(port())), set("listen_addresses=127.0.0.1"),
       set("unix_socket_directories=" + folder().string()), set("max_connections=300"),
       set(as_a_shop ? "fsync=on" : "fsync=off"), set(as_a_shop ? "shared_buffers=128MB" : "shared_buffers=16MB"),
       set(as_a_shop ? "autovacuum=on" : "autovacuum=off")});
}

std::string PostgresServer::ask_in(const std::string& database, const std::string& statement) const {
  return run(as_postgres((postgres_programs() / "psql").string(),
                         {"-h", folder().string(), "-p", std::to_string(port()), "-U", "shop", "-d",
                          database.empty() ? "postgres" : database, "-X", "-q", "-t", "-A", "-F", "\t", "-v",
                          "ON_ERROR_STOP=1", "-c", statement}));
}

bool MariadbServer::is_installed() { return access(mariadb_program, X_OK) == 0; }

MariadbServer::MariadbServer(Sync sync, std::vector<std::string> more)
    : SqlTestServer("mysql"), sync_(sync), more_(std::move(more)) {
  fill("mariadb-" + age_of(mariadb_program), [this] { install(); });
  start();
}

void MariadbServer::install() {
  ChildOptions install;
  install.program = "/usr/bin/mariadb-install-db";
  install.arguments = {"--no-defaults",  "--datadir=" + (folder() / "data").string(),
                       "--skip-test-db", "--auth-root-authentication-method=normal",
                       "--skip-log-bin", small_log};
  if (geteuid() == 0) install.arguments.emplace_back("--user=root");
  // Temporary tables of two installations at once would have the same names in the same folder.
  install.environment = {"TMPDIR=" + folder().string()};
  run(std::move(install));
  start();
  ask("CREATE DATABASE shop; CREATE USER shop@'%' IDENTIFIED BY 'secret'; GRANT ALL ON shop.* TO shop@'%'");
  stop(SIGTERM);
}

ChildOptions MariadbServer::command() const {
  const bool as_a_shop = sync_ == Sync::at_each_commit;
  ChildOptions options;
  options.program = mariadb_program;
  options.arguments = {"--no-defaults",
                       "--datadir=" + (folder() / "data").string(),
                       "--port=" + std::to_string(port()),
                       "--bind-address=127.0.0.1",
                       "--socket=" + (folder() / "socket").string(),
                       "--pid-file=" + (folder() / "pid").string(),
                       "--skip-log-bin",
                       as_a_shop ? "--innodb-log-file-size=96M" : small_log,
                       "--skip-name-resolve",
                       "--max-connections=300",
                       as_a_shop ? "--innodb-flush-log-at-trx-commit=1" : "--innodb-flush-log-at-trx-commit=2",
                       as_a_shop ? "--innodb-buffer-pool-size=128M" : "--innodb-buffer-pool-size=16M"};
  options.arguments.insert(options.arguments.end(), more_.begin(), more_.end());
  if (geteuid() == 0) options.arguments.emplace_back("--user=root");
  return options;
}

std::string MariadbServer::ask_in(const std::string& database, const std::string& statement) const {
  ChildOptions options;
  options.program = "/usr/bin/mariadb";
  // By a socket of this machine, also where the server does not encrypt and a newer client insists on it.
  options.arguments = {
      "--no-defaults", "--skip-ssl", "--socket=" + (folder() / "socket").string(), "-u", "root", "-N", "-B", "-e",
      statement};
  if (!database.empty()) options.arguments.push_back("--database=" + database);
  return run(std::move(options));
}

}  // namespace firstcome::testing
