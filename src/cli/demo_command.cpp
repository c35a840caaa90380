#include "cli/demo_command.hpp"

#include "cli/demo_sales.hpp"
#include "cli/demo_server.hpp"
#include "cli/exit_code.hpp"
#include "cli/serve_options.hpp"
#include "net/http_origin.hpp"
#include "rush/progress.hpp"
#include "rush/report.hpp"
#include "rush/rush.hpp"

#include <fmt/format.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

namespace firstcome::cli {
namespace {

constexpr std::uint16_t usual_port = 8080;
constexpr std::uint32_t customers_most = 100'000;
constexpr int killed_by = 128;

enum class Afterwards : std::uint8_t { serve, exit };

struct DemoOptions {
  std::string listen;
  std::string data;
  std::uint32_t customers = 5'000;
  Afterwards afterwards = Afterwards::serve;
};

bool usual_port_is_free() {
  int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (socket < 0) return false;
  int yes = 1;
  setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(usual_port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  bool free = bind(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  close(socket);
  return free;
}

/// Waits for SIGINT and SIGTERM on a thread of its own. While the crowds run they end the program at once, in an
/// orderly way; afterwards they end the server, for which the program waits.
class Interrupts {
 public:
  /// Of this thread and all that it starts. Before the server is started.
  static sigset_t block() {
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &signals, nullptr);
    return signals;
  }

  Interrupts(sigset_t signals, DemoServer& server, DemoFolder& folder)
      : signals_(signals), server_(server), folder_(folder), thread_([this] { watch(); }) {}
  ~Interrupts() {
    pthread_kill(thread_.native_handle(), SIGUSR1);
    thread_.join();
  }
  Interrupts(const Interrupts&) = delete;
  Interrupts& operator=(const Interrupts&) = delete;

  void rushes_are_over() { rushing_ = false; }

 private:
  void watch() {
    int signal = 0;
    while (sigwait(&signals_, &signal) != 0) {
    }
    if (signal == SIGUSR1) return;
    server_.stop();
    if (!rushing_) return;
    server_.wait();
    folder_.remove();
    fmt::print("\n");
    std::fflush(nullptr);
    _exit(killed_by + signal);
  }

  sigset_t signals_;
  DemoServer& server_;
  DemoFolder& folder_;
  std::atomic<bool> rushing_ = true;
  std::thread thread_;
};

/// Worse grades have lower ranks: a broken promise is worse than anything.
int rank(rush::Grade grade) {
  switch (grade) {
    case rush::Grade::promise_broken:
      return 0;
    case rush::Grade::invalid:
      return 1;
    case rush::Grade::threshold_missed:
      return 2;
    case rush::Grade::fine:
      return 3;
  }
  return 0;
}

/// One after the other; the exit code.
int play(const std::vector<DemoSale>& sales) {
  std::vector<rush::RushResult> results;
  rush::Grade worst = rush::Grade::fine;
  for (const DemoSale& sale : sales) {
    fmt::print("\n{}\n", sale.about);
    std::fflush(stdout);
    std::expected<rush::RushResult, rush::RushFailure> result;
    {
      rush::ProgressPrinter printer(stdout);
      auto show = [&printer](const rush::Progress& progress) { printer.show(progress); };
      result = rush::run_rush(sale.crowd, show, printer.every());
    }
    if (!result) {
      fmt::print(stderr, "firstcome: {}\n", result.error().detail);
      return exit_unavailable;
    }
    fmt::print("{}", rush::report(*result));
    worst = std::min(worst, result->grade(), [](rush::Grade a, rush::Grade b) { return rank(a) < rank(b); });
    results.push_back(std::move(*result));
  }
  fmt::print("\nThe verdict\n{}", rush::summary(results));
  return static_cast<int>(worst);
}

int demo(const DemoOptions& options) {
  DemoFolder folder(options.data);
  std::string listen = options.listen;
  if (listen.empty()) listen = usual_port_is_free() ? fmt::format("127.0.0.1:{}", usual_port) : "127.0.0.1:0";
  sigset_t signals = Interrupts::block();
  DemoServer server({"serve", "--listen", listen, "--data", folder.path().string(), "--simulate-payment",
                     "before=0.2,during=0.2,delay_ms=50,seed=1", "--log-level", "warning"});
  Interrupts interrupts(signals, server, folder);
  fmt::print("The server listens on {}; its sales are in {}{}\n", net::to_string(server.origin()),
             folder.path().string(), folder.stays() ? "" : ", which is removed at the end");
  int code = play(create_demo_sales(server.origin(), options.customers));
  interrupts.rushes_are_over();
  if (options.afterwards == Afterwards::serve && code != exit_unavailable) {
    fmt::print("\nThe server stays up at {} until Ctrl-C: try  curl {}/v1/sales\n", net::to_string(server.origin()),
               net::to_string(server.origin()));
    std::fflush(stdout);
  } else {
    server.stop();
  }
  int ended = server.wait();
  if (ended != exit_fine) fmt::print(stderr, "firstcome: the server ended with exit code {}\n", ended);
  return code == exit_fine && ended != exit_fine ? int{exit_unavailable} : code;
}

}  // namespace

void add_demo_command(CLI::App& app, Run& run) {
  auto options = std::make_shared<DemoOptions>();
  auto exits = std::make_shared<bool>(false);
  CLI::App* command = app.add_subcommand("demo", "Open four sales, send each a crowd, print the verdicts, stay up");
  command->footer("Exit codes: 0 fine, 2 a promise broken, 3 a run is invalid, 69 the server is unavailable.");
  command->add_option("--listen", options->listen,
                      "HOST:PORT of the server (default: 127.0.0.1:8080, or a free port where that is taken)");
  command->add_option("--data", options->data, "Folder of the sales (default: a temporary one, removed at the end)");
  command->add_option("--customers", options->customers, "How many customers come to each sale")
      ->capture_default_str()
      ->check(CLI::Range(1U, customers_most));
  command->add_flag("--exit", *exits, "End when the verdicts are there");
  command->callback([options, exits, &run] {
    if (!options->listen.empty()) parse_listen(options->listen);
    options->afterwards = *exits ? Afterwards::exit : Afterwards::serve;
    run = [options] { return demo(*options); };
  });
}

}  // namespace firstcome::cli
