// The payment provider of the tests as a program of its own. Prints `listening on http://127.0.0.1:PORT`, and serves
// until SIGTERM.
//
//   payment_provider --ledger FILE [--port N] [--behaviour NAME] [--delay-ms N]
//                    [--kill-pid-file FILE --kill-on N --kill-when before-answer|after-answer]
#include "payment/provider.hpp"

#include <signal.h>

#include <cstdio>
#include <stdexcept>
#include <string>

namespace {

using firstcome::payment::ProviderOptions;

ProviderOptions read_options(int count, char** arguments) {
  ProviderOptions options;
  for (int i = 1; i < count; i += 2) {
    const std::string name = arguments[i];
    if (i + 1 == count) throw std::invalid_argument(name + " needs a value");
    const std::string text = arguments[i + 1];
    if (name == "--ledger") {
      options.ledger = text;
    } else if (name == "--port") {
      options.port = static_cast<std::uint16_t>(std::stoul(text));
    } else if (name == "--behaviour") {
      options.behaviour = firstcome::payment::behaviour_named(text);
    } else if (name == "--delay-ms") {
      options.delay = std::chrono::milliseconds{std::stol(text)};
    } else if (name == "--kill-pid-file") {
      options.kill_pid_file = text;
    } else if (name == "--kill-on") {
      options.kill_on = std::stoull(text);
    } else if (name == "--kill-when" && (text == "before-answer" || text == "after-answer")) {
      options.kill_when =
          text == "before-answer" ? ProviderOptions::KillWhen::before_answer : ProviderOptions::KillWhen::after_answer;
    } else {
      throw std::invalid_argument("there is no option " + name + " " + text);
    }
  }
  if (options.ledger.empty()) throw std::invalid_argument("--ledger is needed");
  return options;
}

}  // namespace

int main(int count, char** arguments) {
  sigset_t ends;
  sigemptyset(&ends);
  sigaddset(&ends, SIGTERM);
  sigaddset(&ends, SIGINT);
  pthread_sigmask(SIG_BLOCK, &ends, nullptr);  // for the threads too
  try {
    const firstcome::payment::Provider provider(read_options(count, arguments));
    std::puts(("listening on http://127.0.0.1:" + std::to_string(provider.port())).c_str());
    std::fflush(stdout);
    int signal = 0;
    sigwait(&ends, &signal);
  } catch (const std::exception& error) {
    std::fputs((std::string("payment_provider: ") + error.what() + '\n').c_str(), stderr);
    return 64;
  }
}
