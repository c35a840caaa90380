#include "interop/java_peer.hpp"

#include "support/maven.hpp"
#include "support/paths.hpp"

#include <filesystem>
#include <stdexcept>

namespace firstcome::interop {

namespace {

using namespace std::chrono_literals;
using firstcome::testing::ChildOptions;
using firstcome::testing::ChildProcess;
using firstcome::testing::text_of;
namespace fs = std::filesystem;

const fs::path sources = firstcome::testing::project_folder() / "tests/interop/java";
const fs::path folder = firstcome::testing::build_folder() / "interop";

}  // namespace

std::string build_java_peer() {
  return firstcome::testing::build_with_maven({.pom = sources / "pom.xml",
                                               .sources = {sources / "src/main/java/firstcome/Peer.java"},
                                               .goals = {"compile", "dependency:copy-dependencies"},
                                               .folder = folder});
}

JavaPeer::JavaPeer(const firstcome::testing::RedisServer& server, std::string name)
    : server_(server), name_(std::move(name)) {
  ChildOptions options;
  options.program = firstcome::testing::java_program;
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
