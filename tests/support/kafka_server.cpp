#include "support/kafka_server.hpp"

#include "support/maven.hpp"
#include "support/paths.hpp"

#include <librdkafka/rdkafka.h>
#include <signal.h>
#include <unistd.h>

#include <fstream>
#include <stdexcept>
#include <utility>

namespace firstcome::testing {

namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;

const fs::path kafka_folder = build_folder() / "kafka";
const fs::path class_archive = kafka_folder / "classes.jsa";
const fs::path formatted_folder = kafka_folder / "formatted";
constexpr const char* cluster_id = "Zmlyc3Rjb21lLXRlc3RzIQ";  // 16 bytes as Base64

// What it says only when something is wrong; the folder is the process's property `folder`.
constexpr const char* logging =
    "log4j.rootLogger=WARN, file\n"
    "log4j.appender.file=org.apache.log4j.FileAppender\n"
    "log4j.appender.file.File=${folder}/kafka.log\n"
    "log4j.appender.file.layout=org.apache.log4j.PatternLayout\n"
    "log4j.appender.file.layout.ConversionPattern=%d %p %c: %m%n\n";

// One broker: nothing is copied to others. Groups begin at once, and a broker that was killed may come back at once:
// its earlier life is forgotten after two seconds. Little memory, little on disk.
constexpr const char* one_small_broker =
    "process.roles=broker,controller\n"
    "node.id=1\n"
    "inter.broker.listener.name=OPEN\n"
    "controller.listener.names=CONTROLLER\n"
    "sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512\n"
    "listener.name.login.scram-sha-256.sasl.jaas.config="
    "org.apache.kafka.common.security.scram.ScramLoginModule required;\n"
    "listener.name.login.scram-sha-512.sasl.jaas.config="
    "org.apache.kafka.common.security.scram.ScramLoginModule required;\n"
    "listener.name.login.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required "
    "user_shop=\"secret\";\n"
    "auto.create.topics.enable=false\n"
    "offsets.topic.replication.factor=1\n"
    "offsets.topic.num.partitions=4\n"
    "transaction.state.log.replication.factor=1\n"
    "transaction.state.log.min.isr=1\n"
    "transaction.state.log.num.partitions=1\n"
    "group.initial.rebalance.delay.ms=0\n"
    "broker.session.timeout.ms=2000\n"
    "broker.heartbeat.interval.ms=500\n"
    "controlled.shutdown.enable=false\n"
    "num.network.threads=2\n"
    "num.io.threads=4\n"
    "log.cleaner.dedupe.buffer.size=4194304\n";

/// Has a broker leave its loaded classes, with which the next ones start in a third of the time.
void keep_classes() {
  const std::string unfinished = class_archive.string() + "." + std::to_string(getpid());
  KafkaServer teacher({.java_arguments = {"-XX:TieredStopAtLevel=1", "-XX:ArchiveClassesAtExit=" + unfinished}});
  teacher.stop();
  std::error_code ignored;  // without it they start as well
  fs::rename(unfinished, class_archive, ignored);
}

}  // namespace

std::string fetch_kafka() {
  const std::string why = build_with_maven({.pom = project_folder() / "tests/support/kafka/pom.xml",
                                            .goals = {"dependency:copy-dependencies"},
                                            .folder = kafka_folder});
  if (why.empty() && !fs::exists(class_archive)) keep_classes();
  return why;
}

ChildOptions kafka_program(const std::string& main_class, const std::vector<std::string>& arguments) {
  const fs::path logging_file = kafka_folder / "log4j-none.properties";
  std::ofstream(logging_file) << "log4j.rootLogger=OFF\n";
  ChildOptions options;
  options.program = java_program;
  options.arguments = {"-Xmx384m",
                       "-XX:+UseSerialGC",
                       "-Dlog4j.configuration=file:" + logging_file.string(),
                       "-cp",
                       (kafka_folder / "target/libraries").string() + "/*",
                       main_class};
  options.arguments.insert(options.arguments.end(), arguments.begin(), arguments.end());
  return options;
}

KafkaServer::KafkaServer(KafkaServerOptions options)
    : options_(std::move(options)),
      port_(free_port()),
      login_port_(free_port()),
      tls_port_(free_port()),
      controller_port_(free_port()) {
  std::ofstream(folder() / "log4j.properties") << logging;
  write_properties();
  format();
  start();
}

void KafkaServer::write_properties() const {
  const auto at = [](std::uint16_t port) { return "://127.0.0.1:" + std::to_string(port); };
  std::string listeners = "OPEN" + at(port_) + ",LOGIN" + at(login_port_);
  std::ofstream lines(folder() / "server.properties");
  if (options_.tls) {
    listeners += ",TLS" + at(tls_port_);
    std::ofstream(folder() / "broker.pem") << text_of(options_.tls->key) << text_of(options_.tls->certificate);
    lines << "ssl.keystore.type=PEM\nssl.keystore.location=" << (folder() / "broker.pem").string() << "\n";
  }
  lines << one_small_broker << "log.dirs=" << (folder() / "data").string() << "\n"
        << "listeners=" << listeners << ",CONTROLLER" << at(controller_port_) << "\n"
        << "advertised.listeners=" << listeners << "\n"
        << "listener.security.protocol.map=OPEN:PLAINTEXT,LOGIN:SASL_PLAINTEXT,TLS:SSL,CONTROLLER:PLAINTEXT\n"
        << "controller.quorum.voters=1@127.0.0.1:" << controller_port_ << "\n";
  for (const std::string& line : options_.lines) lines << line << "\n";
}

void KafkaServer::format() {
  const fs::path data = folder() / "data";
  if (fs::exists(formatted_folder)) return fs::copy(formatted_folder, data);
  ChildOptions options = kafka_program("kafka.tools.StorageTool", {"format", "--cluster-id", cluster_id, "--config",
                                                                   (folder() / "server.properties").string()});
  options.error_log = folder() / "format.log";
  ChildProcess process(std::move(options));
  if (process.wait(60s) != 0) {
    throw std::runtime_error("Kafka could not format its folder:\n" + text_of(folder() / "format.log"));
  }
  // For the next ones: it is the same for all.
  const fs::path unfinished = formatted_folder.string() + "." + std::to_string(getpid());
  fs::copy(data, unfinished);
  std::error_code other_was_first;
  fs::rename(unfinished, formatted_folder, other_was_first);
  if (other_was_first) fs::remove_all(unfinished);
}

void KafkaServer::start_without_waiting() {
  ChildOptions options = kafka_program("kafka.Kafka", {(folder() / "server.properties").string()});
  // Of two with one name the last one counts.
  std::vector<std::string> more{"-Dfolder=" + folder().string(),
                                "-Dlog4j.configuration=file:" + (folder() / "log4j.properties").string(),
                                "-Xlog:disable", "-Xlog:all=error:stderr"};
  if (fs::exists(class_archive)) more.push_back("-XX:SharedArchiveFile=" + class_archive.string());
  more.insert(more.end(), options_.java_arguments.begin(), options_.java_arguments.end());
  options.arguments.insert(options.arguments.begin() + 3, more.begin(), more.end());
  options.error_log = folder() / "kafka.err";
  process_ = std::make_unique<ChildProcess>(std::move(options));
}

void KafkaServer::start() {
  start_without_waiting();
  const bool ready = eventually([this] { return process_->wait(0ms).has_value() || answers(); }, 60s);
  if (!ready || process_->wait(0ms)) throw std::runtime_error("Kafka did not start:\n" + log());
}

/// Whether it tells a client which brokers there are.
bool KafkaServer::answers() const {
  rd_kafka_conf_t* settings = rd_kafka_conf_new();
  rd_kafka_conf_set_log_cb(settings, nullptr);
  rd_kafka_conf_set(settings, "bootstrap.servers", ("127.0.0.1:" + std::to_string(port_)).c_str(), nullptr, 0);
  rd_kafka_t* client = rd_kafka_new(RD_KAFKA_PRODUCER, settings, nullptr, 0);
  const rd_kafka_metadata_t* metadata = nullptr;
  const bool answered =
      rd_kafka_metadata(client, 0, nullptr, &metadata, 500) == RD_KAFKA_RESP_ERR_NO_ERROR && metadata->broker_cnt > 0;
  if (metadata != nullptr) rd_kafka_metadata_destroy(metadata);
  rd_kafka_destroy(client);
  return answered;
}

void KafkaServer::add_scram_user(const std::string& user, const std::string& password) const {
  for (const std::string mechanism : {"SCRAM-SHA-256", "SCRAM-SHA-512"}) {  // the program takes one at a time
    ChildOptions options =
        kafka_program("kafka.admin.ConfigCommand",
                      {"--bootstrap-server", "127.0.0.1:" + std::to_string(port_), "--alter", "--add-config",
                       mechanism + "=[password=" + password + "]", "--entity-type", "users", "--entity-name", user});
    options.error_log = folder() / "user.log";
    ChildProcess process(std::move(options));
    if (process.wait(60s) != 0) {
      throw std::runtime_error("Kafka could not make a user:\n" + text_of(folder() / "user.log"));
    }
  }
}

void KafkaServer::stop() {
  if (!process_) return;
  process_->signal(SIGTERM);
  process_->wait(20s);
  process_.reset();
}

std::string KafkaServer::log() const { return text_of(folder() / "kafka.err") + text_of(folder() / "kafka.log"); }

}  // namespace firstcome::testing
