// A real Apache Kafka for tests: one broker that is its own controller (KRaft), on free ports, in a temporary folder,
// stopped when the test ends. Fetched by Maven into the build folder when the first test needs it.
//
// Make it on the test's main thread: a server dies with the thread that started it. Starting takes about three seconds.
#pragma once

#include "support/child_process.hpp"
#include "support/redis_server.hpp"
#include "support/temporary_folder.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

/// At the start of a test that needs Kafka: a skip where it cannot be had, a failure where all must run.
#define FIRSTCOME_NEEDS_KAFKA()                                                            \
  if (const std::string why = ::firstcome::testing::fetch_kafka(); !why.empty()) {         \
    if (::firstcome::testing::all_is_required()) FAIL() << "KAFKA CANNOT BE HAD: " << why; \
    GTEST_SKIP() << "KAFKA IS NOT TESTED: " << why;                                        \
  }                                                                                        \
  static_assert(true)

namespace firstcome::testing {

/// Unless that was done before. Empty, or why it cannot be done. Cost: the first time about half a minute.
std::string fetch_kafka();

/// One of Kafka's own programs, as org.apache.kafka.tools.ProducerPerformance. REQUIRES: `fetch_kafka` gave nothing.
ChildOptions kafka_program(const std::string& main_class, const std::vector<std::string>& arguments);

/// PEM files of a broker that speaks TLS on a port of its own.
struct KafkaTlsFiles {
  std::string certificate;
  std::string key;
};

struct KafkaServerOptions {
  std::vector<std::string> lines = {};  ///< of server.properties, added
  std::optional<KafkaTlsFiles> tls = {};
  /// Of the Java machine, added. By itself it is made to start quickly, not to run fast.
  std::vector<std::string> java_arguments = {"-XX:TieredStopAtLevel=1"};
};

/// It makes no topics by itself, and gives a group's partitions away at once.
class KafkaServer {
 public:
  /// Starts it and waits until it answers. Throws std::runtime_error, with its log, where it does not. REQUIRES:
  /// `fetch_kafka` gave nothing.
  explicit KafkaServer(KafkaServerOptions options = {});

  std::uint16_t port() const { return port_; }
  /// kafka://127.0.0.1:PORT, where nobody is asked who they are.
  std::string url() const { return "kafka://127.0.0.1:" + std::to_string(port_); }
  /// Where SASL is asked for; with PLAIN, the user is `shop`, the right password `secret`.
  std::string url_with_password(const std::string& password = "secret") const { return url_of_user("shop", password); }
  std::string url_of_user(const std::string& user, const std::string& password) const {
    return "kafka://" + user + ":" + password + "@127.0.0.1:" + std::to_string(login_port_);
  }
  /// Makes a user for SCRAM-SHA-256 and SCRAM-SHA-512. Takes some seconds. Throws std::runtime_error.
  void add_scram_user(const std::string& user, const std::string& password) const;
  /// kafkas://127.0.0.1:PORT. REQUIRES: it was given its files.
  std::string tls_url() const { return "kafkas://127.0.0.1:" + std::to_string(tls_port_); }
  const std::filesystem::path& folder() const { return folder_.path(); }
  std::string log() const;

  /// SIGKILL.
  void kill() { process_.reset(); }
  /// SIGTERM, and waits.
  void stop();
  /// Again, on the same ports and data, after `kill` or `stop`. Waits until it answers.
  void start();
  /// The same, without waiting.
  void start_without_waiting();
  bool is_running() const { return process_ != nullptr; }
  pid_t pid() const { return process_->pid(); }
  /// SIGSTOP and SIGCONT.
  void pause() { process_->signal(SIGSTOP); }
  void resume() { process_->signal(SIGCONT); }

 private:
  void write_properties() const;
  void format();
  bool answers() const;

  TemporaryFolder folder_;
  KafkaServerOptions options_;
  std::uint16_t port_;
  std::uint16_t login_port_;
  std::uint16_t tls_port_;
  std::uint16_t controller_port_;
  std::unique_ptr<ChildProcess> process_;
};

}  // namespace firstcome::testing
