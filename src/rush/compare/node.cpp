#include "rush/compare/node.hpp"

#include "net/child_environment.hpp"
#include "net/file_descriptor.hpp"
#include "net/url_credentials.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <fstream>
#include <optional>
#include <string_view>

namespace firstcome::rush {
namespace {

using SteadyClock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr std::string_view scheme = "http://";
constexpr milliseconds grace{10'000};
constexpr milliseconds look_again{10};
constexpr std::size_t log_lines = 3;

struct Standard {
  int output;
  int errors;
};

[[noreturn]] void become(const std::vector<char*>& arguments, const std::vector<char*>& environment, Standard files,
                         pid_t parent) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);     // one that is stopped would not hear of another
  if (getppid() != parent) _exit(127);  // it died before that
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  dup2(files.output, STDOUT_FILENO);
  dup2(files.errors, STDERR_FILENO);
  execve("/proc/self/exe", arguments.data(), environment.data());
  _exit(127);
}

/// -1: no process.
pid_t start_self(const std::vector<std::string>& arguments, int output, int errors) {
  std::vector<std::string> words{"firstcome"};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<std::string> variables = net::environment_without_settings();
  const std::vector<char*> words_of = net::pointers_to(words);
  const std::vector<char*> environment = net::pointers_to(variables);
  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid == 0) become(words_of, environment, {output, errors}, parent);
  return pid;
}

net::FileDescriptor open_to_write(const std::filesystem::path& path) {
  return net::FileDescriptor(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
}

/// What comes before the first newline, the end, or the end of patience.
std::string read_line(int input, milliseconds patience) {
  const auto until = SteadyClock::now() + patience;
  std::string line;
  for (;;) {
    const auto left = std::chrono::ceil<milliseconds>(until - SteadyClock::now()).count();
    pollfd ready_to_read{input, POLLIN, 0};
    if (left <= 0 || ::poll(&ready_to_read, 1, static_cast<int>(left)) == 0) return line;
    char c = 0;
    const ssize_t got = ::read(input, &c, 1);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0 || c == '\n') return line;
    line.push_back(c);
  }
}

/// `listening on http://HOST:PORT`, or what other commands say: `...; http://HOST:PORT/metrics`.
std::optional<net::HttpOrigin> origin_in(std::string_view line) {
  const std::size_t at = line.rfind(scheme);
  if (at == std::string_view::npos) return std::nullopt;
  const std::string_view url = line.substr(at);
  const auto origin = net::parse_origin(url.substr(0, url.find('/', scheme.size())));
  return origin ? std::optional(*origin) : std::nullopt;
}

/// Until something is written there or `pause` is over: a wait that a child's end does not need to be told.
void pause_for(milliseconds pause) { ::poll(nullptr, 0, static_cast<int>(pause.count())); }

}  // namespace

std::string end_of_log(const std::filesystem::path& log) {
  std::ifstream file(log);
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);)
    if (!line.empty()) lines.push_back(line);
  std::string end;
  for (std::size_t i = lines.size() > log_lines ? lines.size() - log_lines : 0; i < lines.size(); ++i)
    end += (end.empty() ? "" : " / ") + lines[i];
  return end;
}

std::expected<std::unique_ptr<Node>, std::string> Node::start(NodeOptions options) {
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) return std::unexpected("a server cannot be started: no pipe");
  const net::FileDescriptor input(ends[0]);
  net::FileDescriptor output(ends[1]);
  const net::FileDescriptor errors = open_to_write(options.log);
  const pid_t pid = start_self(options.arguments, output.get(), errors.get());
  output = net::FileDescriptor();
  if (pid < 0) return std::unexpected("a server cannot be started: no process");
  std::unique_ptr<Node> node(new Node(pid));
  const std::string line = read_line(input.get(), options.patience);
  const auto origin = origin_in(line);
  if (!origin) {
    node->stop();
    std::string command = "firstcome";
    for (const std::string& argument : options.arguments)
      command += " " + (argument.contains("://") ? net::without_credentials(argument) : argument);
    return std::unexpected("a server did not start: " + end_of_log(options.log) + " (" + command + ")");
  }
  node->origin_ = *origin;
  return node;
}

Node::~Node() { stop(); }

void Node::signal(int number) noexcept {
  if (!running_) return;
  ::kill(pid_, number);
  if (number != SIGSTOP) return;
  siginfo_t info{};
  while (waitid(P_PID, static_cast<id_t>(pid_), &info, WSTOPPED | WEXITED | WNOWAIT) < 0 && errno == EINTR) {
  }
}

bool Node::ended_within(milliseconds patience) noexcept {
  const auto until = SteadyClock::now() + patience;
  while (running_) {
    int status = 0;
    const pid_t ended = waitpid(pid_, &status, WNOHANG);
    if (ended == pid_ || (ended < 0 && errno == ECHILD)) running_ = false;
    if (!running_ || SteadyClock::now() >= until) break;
    pause_for(look_again);
  }
  return !running_;
}

void Node::stop() noexcept {
  if (!running_) return;
  ::kill(pid_, SIGCONT);  // one that is paused does not hear SIGTERM
  ::kill(pid_, SIGTERM);
  if (!ended_within(grace)) kill();
}

void Node::kill() noexcept {
  if (!running_) return;
  ::kill(pid_, SIGKILL);
  ended_within(grace);
}

int run_self(const std::vector<std::string>& arguments, const std::filesystem::path& output, milliseconds patience) {
  const net::FileDescriptor file = open_to_write(output);
  const pid_t pid = start_self(arguments, file.get(), file.get());
  if (pid < 0) return -1;
  const auto until = SteadyClock::now() + patience;
  for (;;) {
    int status = 0;
    if (waitpid(pid, &status, WNOHANG) == pid) return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    if (SteadyClock::now() >= until) {
      ::kill(pid, SIGKILL);
      waitpid(pid, &status, 0);
      return -1;
    }
    pause_for(look_again);
  }
}

}  // namespace firstcome::rush
