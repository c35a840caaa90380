#include "rush/compare/compare.hpp"

#include "lock/sql/sql_url.hpp"
#include "net/file_descriptor.hpp"
#include "rush/compare/runner.hpp"

#include <fmt/format.h>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <memory>
#include <utility>

namespace firstcome::rush {
namespace {

using SteadyClock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr milliseconds start_and_stop{1'000};  // of one run, before anything is known
constexpr int connect_patience_ms = 2'000;

/// Tells this comparison's sales and topics from those of others on the same servers; decides nothing.
std::string new_name() {
  // allowed: as above
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return fmt::format("c{:x}", static_cast<std::uint64_t>(now / std::chrono::milliseconds{1}));
}

bool listens(const std::string& host, const std::string& port) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (getaddrinfo(host.c_str(), port.c_str(), &hints, &found) != 0) return false;
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> all(found, &freeaddrinfo);
  for (const addrinfo* each = found; each != nullptr; each = each->ai_next) {
    const net::FileDescriptor socket(::socket(each->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!socket) continue;
    if (::connect(socket.get(), each->ai_addr, each->ai_addrlen) == 0) return true;
    pollfd writable{socket.get(), POLLOUT, 0};
    int error = 0;
    socklen_t size = sizeof error;
    if (errno == EINPROGRESS && ::poll(&writable, 1, connect_patience_ms) == 1 &&
        getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error == 0)
      return true;
  }
  return false;
}

std::string nobody_at(Server server, const std::string& host, const std::string& port) {
  return fmt::format("--{}: nobody listens at {}:{}", word(server), host, port);
}

/// Of an SQL server one of several hosts is enough, and a socket is for its client to find.
std::optional<std::string> unreachable_sql(Server server, const std::string& text) {
  const auto url = lock::parse_sql_url(text);
  if (!url) return fmt::format("--{}: {}", word(server), url.error());
  if (!url->socket.empty()) return std::nullopt;
  for (const auto& host : url->hosts)
    if (listens(host.name, std::to_string(host.port))) return std::nullopt;
  return nobody_at(server, url->hosts.front().name, std::to_string(url->hosts.front().port));
}

/// Why nothing can be asked there; nothing: somebody listens. Names no password.
std::optional<std::string> unreachable(Server server, const std::string& url) {
  if (server == Server::postgresql || server == Server::mariadb) return unreachable_sql(server, url);
  const std::string usual_port = server == Server::kafka ? "9092" : "6379";
  const auto scheme_end = url.find("://");
  if (scheme_end == std::string::npos) return fmt::format("--{} must be a URL", word(server));
  std::string rest = url.substr(scheme_end + 3);
  rest = rest.substr(0, rest.find_first_of("/?"));
  if (const auto at = rest.rfind('@'); at != std::string::npos) rest.erase(0, at + 1);
  for (std::size_t from = 0; from <= rest.size();) {
    const std::size_t comma = std::min(rest.find(',', from), rest.size());
    const std::string host_port = rest.substr(from, comma - from);
    from = comma + 1;
    const auto colon = host_port.rfind(':');
    const bool has_port = colon != std::string::npos && host_port.find(']', colon) == std::string::npos;
    std::string host = host_port.substr(0, has_port ? colon : std::string::npos);
    if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
    const std::string port = has_port ? host_port.substr(colon + 1) : usual_port;
    if (!listens(host, port)) return nobody_at(server, host, port);
  }
  return std::nullopt;
}

/// All that is known of one task so far.
class Comparing {
 public:
  Comparing(const CompareOptions& options, const CompareEvents& events)
      : options_(options), events_(events), plan_(plan_of(options)), measured_(plan_.tasks.size()) {}

  std::expected<Comparison, RushFailure> run() {
    if (plan_.tasks.empty()) return std::unexpected(nothing_to_do());
    const auto order = crossed_order(plan_.tasks.size(), options_.repeats);
    step_.planned = order.size();
    for (const std::size_t task : order) {
      run_one(task);
      ++step_.done;
    }
    Comparison comparison;
    comparison.options = options_;
    comparison.left_out = plan_.left_out;
    for (std::size_t i = 0; i < plan_.tasks.size(); ++i) comparison.rows.push_back(row(i));
    return comparison;
  }

 private:
  RushFailure nothing_to_do() const {
    std::string why = "no way is left to compare";
    for (const LeftOut& left : plan_.left_out) why += fmt::format("; {}: {}", left.what, left.why);
    return {RushFailure::Kind::refused, std::move(why)};
  }

  Row row(std::size_t task) const {
    const Task& of = plan_.tasks[task];
    return make_row(of.way, of.scenario, of.table, measured_[task]);
  }

  void show(std::string_view what, const Progress* progress) {
    step_.what = what;
    step_.progress = progress;
    step_.elapsed = std::chrono::duration_cast<milliseconds>(SteadyClock::now() - start_);
    step_.left = time_left(step_.done, step_.planned, step_.elapsed, options_.time + start_and_stop);
    if (events_.step) events_.step(step_);
  }

  void run_one(std::size_t index) {
    const Task& task = plan_.tasks[index];
    step_.task = &task;
    show("starting", nullptr);
    const RunPlace place{options_.folder / fmt::format("run-{}", step_.done), fmt::format("{}x{}", name_, step_.done)};
    const auto progress = [this](std::string_view what, const Progress* now) { show(what, now); };
    auto measured = run_way(options_, task, place, progress);
    if (measured)
      measured_[index].add(*measured);
    else
      measured_[index].error = std::move(measured.error());
    if (events_.row) events_.row(row(index));
  }

  const CompareOptions& options_;
  const CompareEvents& events_;
  const Plan plan_;
  const std::string name_ = new_name();
  const SteadyClock::time_point start_ = SteadyClock::now();
  std::vector<Measured> measured_;
  Step step_;
};

}  // namespace

std::expected<Comparison, RushFailure> compare(const CompareOptions& options, const CompareEvents& events) {
  for (const auto& [server, url] : options.urls)
    if (auto why = unreachable(server, url))
      return std::unexpected(RushFailure{RushFailure::Kind::unavailable, std::move(*why)});
  Comparing comparing(options, events);
  return comparing.run();
}

}  // namespace firstcome::rush
