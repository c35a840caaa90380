#include "cli/process.hpp"

#include <signal.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <atomic>
#include <system_error>

namespace firstcome::cli {
namespace {

/// What a signal ends; set before the handlers are.
std::atomic<net::HttpServer*> signalled_server = nullptr;

extern "C" void stop_on_signal(int) {
  if (net::HttpServer* server = signalled_server.load()) server->stop();
}

}  // namespace

StopOnSignals::StopOnSignals(net::HttpServer& server) {
  signalled_server = &server;
  struct sigaction action = {};
  action.sa_handler = stop_on_signal;
  sigaction(SIGTERM, &action, nullptr);
  sigaction(SIGINT, &action, nullptr);
}

StopOnSignals::~StopOnSignals() { signalled_server = nullptr; }

void ignore_signals() {
  signal(SIGPIPE, SIG_IGN);
  signal(SIGXFSZ, SIG_IGN);
}

void raise_open_files() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

void make_files_private(const std::filesystem::path& data) {
  umask(S_IRWXG | S_IRWXO);
  std::error_code no_folder;
  for (const auto& entry : std::filesystem::directory_iterator(data, no_folder)) {
    std::error_code gone;
    const auto permissions = entry.status(gone).permissions();
    using enum std::filesystem::perms;
    if (gone || (permissions & (group_all | others_all)) == none) continue;
    spdlog::warn("other users may use {}, which holds customers' names and a secret; chmod 600 helps",
                 entry.path().string());
  }
}

void start_log(const std::string& level) {
  spdlog::set_default_logger(spdlog::stderr_logger_mt("firstcome"));
  spdlog::set_pattern("%Y-%m-%dT%H:%M:%S.%e%z %l %v");
  spdlog::set_level(spdlog::level::from_str(level));
}

}  // namespace firstcome::cli
