#include "support/maven.hpp"

#include "support/child_process.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <sstream>

namespace firstcome::testing {

namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;

constexpr const char* maven_program = "/usr/bin/mvn";

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

bool maven(const MavenBuild& build, const std::vector<std::string>& more, std::chrono::milliseconds limit) {
  ChildOptions options;
  options.program = maven_program;
  options.arguments = {"-B",
                       "-f",
                       build.pom.string(),
                       "-l",
                       (build.folder / "maven.log").string(),
                       "-Dmaven.repo.local=" + (build.folder / "repository").string(),
                       "-Doutput=" + (build.folder / "target").string()};
  options.arguments.insert(options.arguments.end(), more.begin(), more.end());
  options.arguments.insert(options.arguments.end(), build.goals.begin(), build.goals.end());
  ChildProcess process(std::move(options));
  return process.wait(limit) == 0;
}

}  // namespace

std::string text_of(const fs::path& file) {
  std::ifstream stream(file);
  std::ostringstream text;
  text << stream.rdbuf();
  return text.str();
}

std::string build_with_maven(const MavenBuild& build) {
  for (const char* program : {java_program, maven_program}) {
    if (::access(program, X_OK) != 0) return std::string(program) + " is missing; ./run deps installs it";
  }
  fs::create_directories(build.folder);
  const Alone alone(build.folder / "lock");
  std::string wanted = text_of(build.pom);
  for (const fs::path& source : build.sources) wanted += text_of(source);
  if (text_of(build.folder / "built") == wanted) return {};
  // What was fetched before serves again, also where nothing can be fetched.
  const bool built = (fs::exists(build.folder / "repository") && maven(build, {"-o"}, 60s)) || maven(build, {}, 240s);
  if (!built) return "Maven could not fetch or build it:\n" + text_of(build.folder / "maven.log");
  std::ofstream(build.folder / "built") << wanted;
  return {};
}

}  // namespace firstcome::testing
