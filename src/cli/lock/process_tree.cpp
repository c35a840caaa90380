#include "cli/lock/process_tree.hpp"

#include <dirent.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <charconv>
#include <cstdio>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

namespace firstcome::cli {
namespace {

struct Process {
  pid_t pid = 0;
  bool ended = false;  ///< a zombie
};

using ByParent = std::unordered_multimap<pid_t, Process>;

std::optional<pid_t> process_of(std::string_view folder) {
  pid_t pid = 0;
  const auto [end, error] = std::from_chars(folder.data(), folder.data() + folder.size(), pid);
  if (error != std::errc() || end != folder.data() + folder.size()) return std::nullopt;
  return pid;
}

/// Adds what /proc/PID/stat says: PID (NAME) STATE PARENT ... The name may hold blanks and parentheses.
void add(pid_t pid, ByParent& processes) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  // Where the process ends while its file is read, `getline` reads nothing; an iterator of the buffer would throw.
  std::string text;
  std::getline(file, text, '\0');
  const std::size_t name_end = text.rfind(')');
  if (name_end == std::string::npos) return;  // it has ended meanwhile
  char state = 0;
  pid_t parent = 0;
  if (std::sscanf(text.c_str() + name_end + 1, " %c %d", &state, &parent) != 2) return;
  processes.emplace(parent, Process{pid, state == 'Z' || state == 'X'});
}

ByParent all_processes() {
  ByParent processes;
  const std::unique_ptr<DIR, int (*)(DIR*)> folder(::opendir("/proc"), [](DIR* open) { return ::closedir(open); });
  if (folder == nullptr) return processes;
  while (const dirent* entry = ::readdir(folder.get())) {
    if (const auto pid = process_of(static_cast<const char*>(entry->d_name))) add(*pid, processes);
  }
  return processes;
}

}  // namespace

void adopt_orphans() { ::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); }

std::vector<pid_t> living_descendants(pid_t kept) {
  const ByParent processes = all_processes();
  const pid_t self = ::getpid();
  std::vector<pid_t> living;
  std::vector<pid_t> parents{self};
  while (!parents.empty()) {
    const pid_t parent = parents.back();
    parents.pop_back();
    const auto [first, last] = processes.equal_range(parent);
    for (auto child = first; child != last; ++child) {
      const auto& [pid, ended] = child->second;
      if (!ended) {
        living.push_back(pid);
        parents.push_back(pid);
      } else if (parent == self && pid != kept) {
        ::waitpid(pid, nullptr, WNOHANG);
      }
    }
  }
  return living;
}

std::size_t kill_descendants(pid_t kept) {
  const std::vector<pid_t> living = living_descendants(kept);
  for (const pid_t pid : living) ::kill(pid, SIGKILL);
  return living.size();
}

}  // namespace firstcome::cli
