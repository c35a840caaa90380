// A whole chain from customers to orders: servers that sell, Kafka, an order service, a database; and hands that hurt
// each of them.
#pragma once

#include "support/child_process.hpp"
#include "support/kafka_server.hpp"
#include "support/run_program.hpp"
#include "support/sql_server.hpp"
#include "support/temporary_folder.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace firstcome::testing {

/// `firstcome orders` as a process. Make it on the test's main thread.
class OrdersProcess {
 public:
  OrdersProcess(const std::filesystem::path& folder, std::vector<std::string> arguments)
      : log_(folder / "orders.log"), arguments_(std::move(arguments)) {
    start();
  }
  void start() {
    ChildOptions options;
    options.program = firstcome_program();
    options.arguments = {"orders"};
    options.arguments.insert(options.arguments.end(), arguments_.begin(), arguments_.end());
    options.error_log = log_;
    process_ = std::make_unique<ChildProcess>(std::move(options));
    const auto line = process_->read_line(std::chrono::seconds{60});
    if (!line || !line->starts_with("taking events")) throw std::runtime_error("it did not start:\n" + log());
    const auto at = line->rfind("http://127.0.0.1:");
    port_ = static_cast<std::uint16_t>(std::stoi(line->substr(at + std::string("http://127.0.0.1:").size())));
  }
  ChildProcess& process() { return *process_; }
  /// Of /metrics.
  std::uint16_t port() const { return port_; }
  std::string log() const {
    std::ifstream file(log_);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
  }

 private:
  const std::filesystem::path log_;
  const std::vector<std::string> arguments_;
  std::unique_ptr<ChildProcess> process_;
  std::uint16_t port_ = 0;
};

/// A crowd as a process, so that the test's own thread is free to hurt the others.
inline std::unique_ptr<ChildProcess> start_rush(const std::vector<std::uint16_t>& ports, std::uint32_t customers,
                                                std::uint32_t rate, const std::filesystem::path& log) {
  std::string targets;
  for (const std::uint16_t port : ports) {
    targets += (targets.empty() ? "http://127.0.0.1:" : ",http://127.0.0.1:") + std::to_string(port);
  }
  ChildOptions options;
  options.program = firstcome_program();
  options.arguments = {
      "rush",   "--target",           targets,        "--sale", "tee", "--customers", std::to_string(customers),
      "--rate", std::to_string(rate), "--max-lag-ms", "30000"};
  options.error_log = log;
  return std::make_unique<ChildProcess>(std::move(options));
}

/// What the database says of the orders of the sale `tee`; none before the order service has made their table.
inline std::uint64_t orders_in(const SqlTestServer& server) {
  const auto tables = "SELECT count(*) FROM information_schema.tables WHERE table_name = 'orders'";
  if (server.ask_in("shop", tables) == "0\n") return 0;
  return std::stoull("0" + server.ask_in("shop", "SELECT count(*) FROM orders"));
}

}  // namespace firstcome::testing
