#include "interop/java_peer.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <vector>

namespace firstcome::interop {

namespace {

using namespace std::chrono_literals;
using firstcome::testing::ChildOptions;
using firstcome::testing::ChildProcess;
namespace fs = std::filesystem;

const fs::path sources = fs::path(FIRSTCOME_SOURCE_DIR) / "tests/interop/java";
const fs::path folder = FIRSTCOME_INTEROP_FOLDER;
constexpr const char* java_program = "/usr/bin/java";
constexpr const char* maven_program = "/usr/bin/mvn";

std::string text_of(const fs::path& file) {
  std::ifstream stream(file);
  std::ostringstream text;
  text << stream.rdbuf();
  return text.str();
}

/// While it lives, no other test process builds.
class Alone {
 public:
  explicit Alone(const fs::path& file) : lock_(::open(file.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600)) {
    ::flock(lock_, LOCK_EX);
  }
  ~Alone() { ::close(lock_); }
  Alone(const Alone&) = delete;
  Alone& operator=(const Alone&) = delete;

 private:
  int lock_;
};

bool maven(const std::vector<std::string>& more, std::chrono::milliseconds limit) {
  ChildOptions options;
  options.program = maven_program;
  options.arguments = {"-B",
                       "-f",
                       (sources / "pom.xml").string(),
                       "-l",
                       (folder / "maven.log").string(),
                       "-Dmaven.repo.local=" + (folder / "repository").string(),
                       "-Doutput=" + (folder / "target").string()};
  options.arguments.insert(options.arguments.end(), more.begin(), more.end());
  options.arguments.insert(options.arguments.end(), {"compile", "dependency:copy-dependencies"});
  ChildProcess process(std::move(options));
  return process.wait(limit) == 0;
}

}  // namespace

std::string build_java_peer() {
  for (const char* program : {java_program, maven_program}) {
    if (::access(program, X_OK) != 0) return std::string(program) + " is missing; ./run deps installs it";
  }
  fs::create_directories(folder);
  const Alone alone(folder / "lock");
  const std::string wanted = text_of(sources / "pom.xml") + text_of(sources / "src/main/java/firstcome/Peer.java");
  if (text_of(folder / "built") == wanted) return {};
  // What was fetched before serves again, also where nothing can be fetched.
  const bool built = (fs::exists(folder / "repository") && maven({"-o"}, 60s)) || maven({}, 240s);
  if (!built) return "Maven could not fetch or build it:\n" + text_of(folder / "maven.log");
  std::ofstream(folder / "built") << wanted;
  return {};
}

JavaPeer::JavaPeer(const firstcome::testing::RedisServer& server, std::string name)
    : server_(server), name_(std::move(name)) {
  ChildOptions options;
  options.program = java_program;
  const fs::path target = folder / "target";
  // One that lives for seconds: a small heap, and no time spent on optimising.
  options.arguments = {"-Xmx128m",
                       "-XX:+UseSerialGC",
                       "-XX:TieredStopAtLevel=1",
                       "-cp",
                       (target / "classes").string() + ":" + (target / "libraries").string() + "/*",
                       "firstcome.Peer",
                       server_.port_text(),
                       name_};
  options.error_log = server_.folder() / ("java-" + name_ + ".log");
  process_ = std::make_unique<ChildProcess>(std::move(options));
  if (answer(60s) != "ready") {
    throw std::runtime_error("the Java program did not start:\n" +
                             text_of(server_.folder() / ("java-" + name_ + ".log")));
  }
}

void JavaPeer::say(const std::string& command) const { server_.text({"RPUSH", "peer:" + name_, command}); }

std::string JavaPeer::answer(std::chrono::milliseconds limit) { return process_->read_line(limit).value_or("(none)"); }

}  // namespace firstcome::interop
