// kill -9 of a process under load: everything it had acknowledged is there, once.
#include "engine/asking.hpp"
#include "engine/embedded/embedded_harness.hpp"

#include <firstcome/limits.hpp>

#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <map>
#include <random>
#include <string>
#include <vector>

namespace firstcome::test {
namespace {

constexpr const char* data_variable = "FIRSTCOME_CRASH_DATA";
constexpr const char* first_variable = "FIRSTCOME_CRASH_FIRST";

/// One line per acknowledged answer: customer number. A line is one write, and writes of a killed process stay.
struct Acknowledged final : Asked {
  void completed() noexcept override {
    if (answer && std::get<ReserveAnswer>(*answer).outcome == Outcome::done) {
      const std::string line = fmt::format("{} {}\n", name, value(std::get<ReserveAnswer>(*answer).ref.number));
      if (::write(1, line.data(), line.size()) < 0) std::_Exit(3);
    }
    done = true;
  }
  std::string name;
};

// Not a test: the process that is killed. It runs as this program with a filter.
TEST(CrashChild, DISABLED_ReservesUntilItIsKilled) {
  const char* const data = std::getenv(data_variable);
  if (data == nullptr) GTEST_SKIP() << "started by KillNine only";
  engine::EmbeddedOptions options;
  options.data = data;
  auto opened = engine::EmbeddedEngine::open(std::move(options));
  if (!opened) std::_Exit(4);
  Asked creation;
  SaleTerms terms = terms_of("s", limits::stock);
  terms.hold = limits::hold;
  creation.command = CreateSale{terms};
  (*opened)->submit(creation);
  std::uint64_t customer = std::strtoull(std::getenv(first_variable), nullptr, 10);
  while (true) {
    std::vector<std::unique_ptr<Acknowledged>> asked(1 + customer % 40);
    for (auto& one : asked) {
      one = std::make_unique<Acknowledged>();
      one->name = fmt::format("c-{}", ++customer);
      one->command = Reserve{"s", one->name, 1, {}, {customer, 1}};
      (*opened)->submit(*one);
    }
    while (!asked.back()->done) static_cast<void>((*opened)->turn());
  }
}

/// Starts the child, lets it acknowledge `enough` answers, kills it. All it acknowledged, by customer.
void run_and_kill(const std::filesystem::path& data, std::uint64_t first, std::size_t enough,
                  std::map<std::string, std::uint64_t>& acknowledged) {
  int pipe_ends[2];
  ASSERT_EQ(::pipe2(pipe_ends, O_CLOEXEC), 0);
  const std::string program = std::filesystem::read_symlink("/proc/self/exe");
  const std::string first_text = std::to_string(first);
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    ::setenv(data_variable, data.c_str(), 1);
    ::setenv(first_variable, first_text.c_str(), 1);
    ::dup2(pipe_ends[1], 1);
    ::execl(program.c_str(), program.c_str(), "--gtest_filter=CrashChild.*", "--gtest_also_run_disabled_tests",
            "--gtest_brief=1", nullptr);
    std::_Exit(5);
  }
  ::close(pipe_ends[1]);
  FILE* lines = ::fdopen(pipe_ends[0], "r");
  char name[64];
  unsigned long long number = 0;
  std::size_t count = 0;
  char line[256];
  while (std::fgets(line, sizeof line, lines) != nullptr) {
    if (std::sscanf(line, "%63s %llu", name, &number) != 2 || name[0] != 'c') continue;
    EXPECT_TRUE(acknowledged.emplace(name, number).second) << name;
    if (++count == enough) ::kill(child, SIGKILL);
  }
  std::fclose(lines);
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << "the child ended by itself: " << status;
}

TEST(KillNine, LosesNothingThatWasAcknowledgedAndGivesNoNumberTwice) {
  const auto seed = static_cast<unsigned>(::getpid());
  SCOPED_TRACE(fmt::format("seed {}", seed));
  std::mt19937 random(seed);
  TemporaryFolder folder;
  std::map<std::string, std::uint64_t> acknowledged;
  for (std::uint64_t round = 0; round < 6; ++round) {
    ASSERT_NO_FATAL_FAILURE(run_and_kill(folder.path(), round * 1'000'000, 1 + random() % 3'000, acknowledged));
    engine::EmbeddedOptions options;
    options.data = folder.path();
    auto opened = engine::EmbeddedEngine::open(std::move(options));
    ASSERT_TRUE(opened) << opened.error().detail;
    const auto ask = [&](Command command) {
      Asked asked;
      asked.command = std::move(command);
      (*opened)->submit(asked);
      while (!asked.done) static_cast<void>((*opened)->turn());
      return std::move(asked.answer);
    };
    std::map<std::uint64_t, std::string> stored;
    for (ListReservations list{"s", {}, {}, 1'000};;) {
      const auto page = std::get<ReservationsAnswer>(ask(list).value());
      for (const ReservationView& view : page.items)
        EXPECT_TRUE(stored.emplace(value(view.ref.number), view.customer).second) << "a number was given twice";
      if (page.next == Number{}) break;
      list.after = page.next;
    }
    for (const auto& [customer, number] : acknowledged) EXPECT_EQ(stored[number], customer);
    EXPECT_TRUE(std::get<AuditAnswer>(ask(AuditSale{"s"}).value()).ok);
    EXPECT_GE(stored.size(), acknowledged.size());
  }
}

}  // namespace
}  // namespace firstcome::test
