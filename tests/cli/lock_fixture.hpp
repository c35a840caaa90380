// `firstcome lock` as a process, against a Redis server of the test's own.
#pragma once

#include "support/child_process.hpp"
#include "support/redis_server.hpp"
#include "support/temporary_folder.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

namespace firstcome::testing {

inline constexpr std::chrono::seconds patience{20};

class LockCommand : public ::testing::Test {
 protected:
  void SetUp() override { FIRSTCOME_NEEDS_REDIS(); }

  std::unique_ptr<ChildProcess> start(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "lock");
    return start_program(firstcome_program(), std::move(arguments));
  }
  /// Starts any program, with the environment that `firstcome lock` finds its backend in.
  std::unique_ptr<ChildProcess> start_program(std::string program, std::vector<std::string> arguments) {
    ChildOptions options;
    options.program = std::move(program);
    options.arguments = std::move(arguments);
    options.error_log = folder.path() / "error.log";
    options.environment = {"FIRSTCOME_LOCK_BACKEND=" + backend()};
    options.group = ChildOptions::Group::own;
    return std::make_unique<ChildProcess>(std::move(options));
  }
  std::string backend() { return "redis://" + redis().address(); }
  int run(std::vector<std::string> arguments) { return start(std::move(arguments))->wait(patience).value_or(-1); }
  /// Returns what it prints on standard output; it must succeed.
  std::string output(std::vector<std::string> arguments) {
    const auto child = start(std::move(arguments));
    std::string text;
    while (const auto line = child->read_line(patience)) text += *line + "\n";
    EXPECT_EQ(child->wait(patience), 0) << error();
    return text;
  }
  std::string error() const {
    std::ifstream file(folder.path() / "error.log");
    return {std::istreambuf_iterator<char>(file), {}};
  }
  /// Waits until somebody stands in the queue of a lock; there must have been nobody.
  bool somebody_waits(const std::string& name) {
    return eventually([&] {
      const auto fields = redis().command({"HKEYS", "firstcome:lock:{" + name + "}"}).elements;
      return std::ranges::any_of(fields, [](const auto& field) { return field.text.starts_with('w'); });
    });
  }
  RedisServer& redis() {
    if (!redis_) redis_ = std::make_unique<RedisServer>();
    return *redis_;
  }

  /// Runs `true` under the lock `job`; it must end with that code, and say that.
  void says(int code, const std::string& text, const std::string& backend, const std::string& kind = "fifo") {
    EXPECT_EQ(run({"run", "job", "--backend", backend, "--kind", kind, "--wait", "2s", "--", "true"}), code);
    EXPECT_THAT(error(), ::testing::HasSubstr(text)) << kind << " at " << backend;
    EXPECT_THAT(error(), ::testing::Not(::testing::HasSubstr("guessed"))) << "a password";
  }

  TemporaryFolder folder;

 private:
  std::unique_ptr<RedisServer> redis_;
};

}  // namespace firstcome::testing
