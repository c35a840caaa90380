#include "cli/demo_server.hpp"

#include "net/child_environment.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <stdexcept>
#include <string_view>

namespace firstcome::cli {
namespace {

constexpr std::string_view ready = "listening on ";

[[noreturn]] void become(const std::vector<char*>& arguments, const std::vector<char*>& environment, int output) {
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  dup2(output, STDOUT_FILENO);
  execve("/proc/self/exe", arguments.data(), environment.data());
  _exit(127);
}

/// The line that says where it listens; empty where none came.
std::string read_ready_line(int input) {
  std::unique_ptr<std::FILE, int (*)(std::FILE*)> lines(fdopen(input, "r"), &std::fclose);
  std::string line;
  for (int c = 0; lines && (c = std::fgetc(lines.get())) != EOF && c != '\n';) line.push_back(static_cast<char>(c));
  return line;
}

}  // namespace

DemoFolder::DemoFolder(std::filesystem::path named) : path_(std::move(named)), stays_(!path_.empty()) {
  if (stays_) return;
  std::string name = (std::filesystem::temp_directory_path() / "firstcome-demo-XXXXXX").string();
  if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("no temporary folder " + name);
  path_ = name;
}

void DemoFolder::remove() noexcept {
  if (stays_) return;
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

DemoServer::DemoServer(const std::vector<std::string>& arguments) {
  std::vector<std::string> words{"firstcome"};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<std::string> variables = net::environment_without_settings();
  const std::vector<char*> words_of = net::pointers_to(words);
  const std::vector<char*> environment = net::pointers_to(variables);
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error("the server cannot be started: no pipe");
  pid_ = fork();
  if (pid_ == 0) become(words_of, environment, ends[1]);
  close(ends[1]);
  if (pid_ < 0) {
    close(ends[0]);
    throw std::runtime_error("the server cannot be started: no process");
  }
  std::string line = read_ready_line(ends[0]);
  auto origin = line.starts_with(ready) ? net::parse_origin(std::string_view(line).substr(ready.size()))
                                        : std::unexpected(std::string());
  if (!origin) {
    stop();
    throw std::runtime_error("the server did not start; its exit code is " + std::to_string(wait()));
  }
  origin_ = *origin;
}

DemoServer::~DemoServer() {
  stop();
  wait();
}

void DemoServer::stop() noexcept {
  if (status_ < 0) kill(pid_, SIGTERM);
}

int DemoServer::wait() noexcept {
  int status = 0;
  while (status_ < 0) {
    pid_t ended = waitpid(pid_, &status, 0);
    if (ended == pid_) status_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    if (ended < 0 && errno != EINTR) status_ = 0;
  }
  return status_;
}

}  // namespace firstcome::cli
