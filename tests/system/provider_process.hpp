// A payment provider as a process, which can kill the server that asks it, and what must be true of its books after.
#pragma once

#include "support/blocking_client.hpp"
#include "support/child_process.hpp"
#include "support/json.hpp"
#include "support/paths.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>

namespace firstcome::testing {

/// At the third charge it kills the process of `write_pid`: "before-answer" or "after-answer".
class ProviderProcess {
 public:
  ProviderProcess(const std::filesystem::path& folder, const std::string& kill_when) {
    ChildOptions options;
    options.program = payment_provider();
    options.arguments = {"--ledger",        (folder / "books").string(),
                         "--kill-pid-file", (folder / "pid").string(),
                         "--kill-on",       "3",
                         "--kill-when",     kill_when};
    options.error_log = folder / "provider.log";
    process_ = std::make_unique<ChildProcess>(std::move(options));
    auto line = process_->read_line(std::chrono::seconds{30});
    const std::string prefix = "listening on http://127.0.0.1:";
    if (!line || !line->starts_with(prefix)) throw std::runtime_error("the provider did not start");
    port_ = static_cast<std::uint16_t>(std::stoi(line->substr(prefix.size())));
  }

  std::string address() const { return "http://127.0.0.1:" + std::to_string(port_); }

  boost::json::value books() const {
    BlockingClient client(port_);
    auto answer = client.request("GET", "/ledger");
    if (!answer) throw std::runtime_error("the provider's books cannot be read");
    return parse_json(answer->body);
  }

 private:
  std::unique_ptr<ChildProcess> process_;
  std::uint16_t port_ = 0;
};

inline std::string state_of(BlockingClient& client, const std::string& id) {
  auto answer = client.request("GET", "/v1/reservations/" + id);
  if (!answer || answer->status != 200) throw std::runtime_error("a reservation is gone");
  return text_of(parse_json(answer->body), "state");
}

/// The process that the provider is to kill.
inline void write_pid(const std::filesystem::path& folder, pid_t pid) {
  std::ofstream file(folder / "pid.new");
  file << pid << '\n';
  file.close();
  std::filesystem::rename(folder / "pid.new", folder / "pid");
}

/// Waits until the server has settled what the crash left: every charge confirmed, or paid back.
inline void expect_each_charge_once(BlockingClient& client, const ProviderProcess& provider) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds{50};
  for (;;) {
    auto books = provider.books();
    std::map<std::string, int> charges;
    std::map<std::string, int> refunds;
    for (const auto& charge : books.at("charges").as_array()) ++charges[text_of(charge, "key")];
    for (const auto& refund : books.at("refunds").as_array()) ++refunds[std::string(refund.as_string())];
    ASSERT_FALSE(charges.empty()) << "nobody was charged: the test has no power";
    bool settled = true;
    for (const auto& [key, times] : charges) {
      ASSERT_EQ(times, 1) << key << " was charged twice";
      std::string state = state_of(client, key);
      ASSERT_LE(refunds[key], 1) << key << " was paid back twice";
      ASSERT_FALSE(state == "confirmed" && refunds[key] == 1) << key << " has its unit and its money";
      settled = settled && (state == "confirmed" || refunds[key] == 1);
    }
    if (settled) return;
    ASSERT_LT(std::chrono::steady_clock::now(), deadline) << "a charge has neither its reservation nor its refund";
  }
}

}  // namespace firstcome::testing
