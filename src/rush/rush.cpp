#include "rush/rush.hpp"

#include "rush/truth.hpp"

#include <firstcome/limits.hpp>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>
#include <sys/resource.h>

#include <exception>
#include <limits>
#include <utility>

namespace firstcome::rush {
namespace {

namespace asio = boost::asio;

using SteadyClock = std::chrono::steady_clock;
using Timer = asio::basic_waitable_timer<SteadyClock, asio::wait_traits<SteadyClock>, net::IoExecutor>;

constexpr asio::as_tuple_t<asio::use_awaitable_t<net::IoExecutor>> use_task;
constexpr Milliseconds settle_look{100};     // how often the end of the last holds is looked for
constexpr Milliseconds settle_spare{3'000};  // for timers and charges that end late
constexpr std::chrono::seconds orders_patience{15};
constexpr std::chrono::milliseconds orders_again{200};
constexpr rlim_t files_besides = 64;

std::optional<RushFailure> raise_open_files(std::uint32_t connections) {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  rlim_t needed = rlim_t{connections} + files_besides;
  if (limit.rlim_cur >= needed) return std::nullopt;
  if (limit.rlim_max < needed)
    return RushFailure{RushFailure::Kind::limit,
                       fmt::format("--connections {} needs {} open files, and this machine allows {} (ulimit -Hn)",
                                   connections, needed, limit.rlim_max)};
  limit.rlim_cur = needed;
  setrlimit(RLIMIT_NOFILE, &limit);
  return std::nullopt;
}

/// Tells this run from others on the same sale; decides nothing.
std::uint64_t new_run() {
  // allowed: as above
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return static_cast<std::uint64_t>(now / std::chrono::microseconds{1});
}

bool same_units(const SaleSeen& a, const SaleSeen& b) {
  return a.available == b.available && a.held == b.held && a.sold == b.sold && a.queued == b.queued;
}

RushFailure failure_of(TruthFailure failure) {
  return {failure.kind == TruthFailure::Kind::refused ? RushFailure::Kind::refused : RushFailure::Kind::unavailable,
          std::move(failure.detail)};
}

/// The rush as it runs, on one thread.
class Rush {
 public:
  Rush(const RushOptions& options, const std::function<void(const Progress&)>& progress, Milliseconds every)
      : options_(options),
        progress_(progress),
        every_(every),
        names_(run_),
        reader_(io_.get_executor(), options.targets, sale_id_of(options, 0), options.timeout),
        truths_(options.sales),
        tick_(io_),
        watch_ended_(io_) {}

  std::expected<RushResult, RushFailure> run() {
    std::exception_ptr error;
    bool over = false;
    auto ended = [&](std::exception_ptr thrown) {
      error = std::move(thrown);
      over = true;
    };
    asio::co_spawn(io_.get_executor(), rush(), ended);
    while (!over) io_.run_one();  // clients that have been closed may still have timers there
    if (error) std::rethrow_exception(error);
    if (failure_) return std::unexpected(std::move(*failure_));
    return std::move(result_);
  }

 private:
  net::Task<void> rush();
  net::Task<bool> read_truth(std::uint32_t sale, const Crowd* crowd);
  net::Task<bool> wait_for_orders(Truth* truth);
  net::Task<void> watch(Crowd* crowd);
  net::Task<bool> settle(Truth* truth, const Crowd* crowd);
  net::Task<bool> look(Truth* truth, SaleSeen* into);
  void send_home_who_has_enough(const SaleSeen& sale, Crowd* crowd);
  void show(Progress::Phase phase, const Crowd& crowd, const SaleSeen& sale);
  void conclude(const Crowd& crowd);
  void judge_all(const std::vector<Told>& told);

  const RushOptions& options_;
  const std::function<void(const Progress&)>& progress_;
  const Milliseconds every_;
  const std::uint64_t run_ = new_run();
  const CustomerNames names_;
  asio::io_context io_{1};
  TruthReader reader_;
  std::vector<Truth> truths_;  // of each sale
  Timer tick_;
  Timer watch_ended_;
  bool crowd_left_ = false;
  bool watching_ = false;
  SteadyClock::time_point start_{};
  Moment shown_at_{};
  std::uint64_t shown_requests_ = 0;
  RushResult result_;
  std::optional<RushFailure> failure_;
};

// Whether the sale could be read. Each one that is seen must add up.
net::Task<bool> Rush::look(Truth* truth, SaleSeen* into) {
  TruthResult<SaleSeen> sale = co_await reader_.sale();
  if (!sale) {
    failure_ = failure_of(std::move(sale.error()));
    co_return false;
  }
  *into = std::move(*sale);
  if (auto sentence = unequal(*into)) truth->unequal.push_back(*sentence);
  co_return true;
}

net::Task<void> Rush::rush() {
  for (std::uint32_t sale = 0; sale < options_.sales; ++sale) {
    reader_.about(sale_id_of(options_, sale));
    const bool there = co_await look(&truths_[sale], &truths_[sale].before);
    if (!there) co_return;
  }
  reader_.about(sale_id_of(options_, 0));
  Crowd crowd(io_, options_, names_, truths_.front().before);
  start_ = SteadyClock::now();
  asio::co_spawn(io_.get_executor(), watch(&crowd), asio::detached);
  co_await crowd.run();
  crowd_left_ = true;
  tick_.cancel();
  if (watching_) {  // it may be in the middle of a question
    watch_ended_.expires_at(SteadyClock::time_point::max());
    co_await watch_ended_.async_wait(use_task);
  }
  failure_.reset();
  for (std::uint32_t sale = 0; sale < options_.sales; ++sale) {
    const bool there = co_await read_truth(sale, &crowd);
    if (!there) co_return;
  }
  conclude(crowd);
}

net::Task<bool> Rush::read_truth(std::uint32_t sale, const Crowd* crowd) {
  Truth& truth = truths_[sale];
  reader_.about(sale_id_of(options_, sale));
  const bool settled = co_await settle(&truth, crowd);
  if (failure_) co_return false;
  truth.settled = settled;
  TruthResult<std::vector<TrueReservation>> all = co_await reader_.reservations(&names_);
  if (!all) {
    failure_ = failure_of(std::move(all.error()));
    co_return false;
  }
  truth.reservations = std::move(*all);
  const bool audited = co_await wait_for_orders(&truth);
  co_return audited;
}

// Orders are written behind the sale: asks for the audit until all are there, or none came for a while.
net::Task<bool> Rush::wait_for_orders(Truth* truth) {
  std::uint64_t pending = std::numeric_limits<std::uint64_t>::max();
  auto until = SteadyClock::now() + orders_patience;
  while (true) {
    TruthResult<AuditSeen> audit = co_await reader_.audit();
    if (!audit) {
      failure_ = failure_of(std::move(audit.error()));
      co_return false;
    }
    truth->audit = std::move(*audit);
    const std::uint64_t now = truth->audit.orders_pending;
    if (now < std::exchange(pending, now)) until = SteadyClock::now() + orders_patience;
    if (pending == 0 || SteadyClock::now() >= until) co_return true;
    tick_.expires_after(orders_again);
    co_await tick_.async_wait(use_task);
  }
}

void Rush::send_home_who_has_enough(const SaleSeen& sale, Crowd* crowd) {
  const bool sold_out = sale.available <= 0 && sale.held <= 0;
  if (options_.enough && sold_out && SteadyClock::now() - start_ >= *options_.enough) crowd->send_home();
}

// Shows progress while the crowd is there, and looks at the sale (the first of several) each time.
net::Task<void> Rush::watch(Crowd* crowd) {
  watching_ = true;
  SaleSeen sale = truths_.front().before;
  while (!crowd_left_) {
    tick_.expires_after(every_);
    co_await tick_.async_wait(use_task);
    if (crowd_left_) break;
    co_await look(&truths_.front(), &sale);
    if (crowd_left_) break;
    show(Progress::Phase::rushing, *crowd, sale);
    send_home_who_has_enough(sale, crowd);
  }
  watching_ = false;
  watch_ended_.cancel();
}

// Waits until nothing is held or waits any more, or nothing changes any more. Whether one of these came true.
net::Task<bool> Rush::settle(Truth* truth, const Crowd* crowd) {
  const Milliseconds still = truth->before.hold + 2 * truth->before.tick + settle_spare;
  const Milliseconds charging = still + limits::payment_grace;  // a hold that is being charged may last longer
  bool there = co_await look(truth, &truth->left);
  if (!there) co_return false;
  truth->after = truth->left;
  auto changed = SteadyClock::now();
  const auto end = changed + options_.patience + charging;
  auto shown = changed;
  while (truth->after.held > 0 || truth->after.queued > 0) {
    if (SteadyClock::now() - changed > (truth->after.held > 0 ? charging : still)) co_return true;
    if (SteadyClock::now() > end) co_return false;
    tick_.expires_after(settle_look);
    co_await tick_.async_wait(use_task);
    SaleSeen sale;
    there = co_await look(truth, &sale);
    if (!there) co_return false;
    if (!same_units(sale, truth->after)) changed = SteadyClock::now();
    truth->after = std::move(sale);
    if (SteadyClock::now() - shown < every_) continue;
    shown = SteadyClock::now();
    show(Progress::Phase::settling, *crowd, truth->after);
  }
  co_return true;
}

void Rush::show(Progress::Phase phase, const Crowd& crowd, const SaleSeen& sale) {
  Progress now;
  now.phase = phase;
  now.elapsed = SteadyClock::now() - start_;
  now.clicks_in_all = crowd.size();
  const CrowdFigures& figures = crowd.figures();
  double seconds = std::chrono::duration<double>{now.elapsed - shown_at_}.count();
  if (seconds > 0) now.requests_per_second = static_cast<double>(figures.requests - shown_requests_) / seconds;
  now.figures = &figures;
  now.sale = &sale;
  shown_at_ = now.elapsed;
  shown_requests_ = figures.requests;
  if (progress_) progress_(now);
}

/// Returns why the crowd gave up before the server could show what it sells; nothing where it did not.
std::optional<std::string> problem_of_patience(const RushResult& result) {
  const Totals& totals = result.totals;
  if (totals.went_home == 0 || result.after.available <= 0 || result.verdict.oversold.count > 0) return std::nullopt;
  return fmt::format("patience was over: {} customers went home while {} units were left; give it more --patience",
                     totals.went_home, result.after.available);
}

/// The units of `more` added to those of `sale`.
void add_units(const SaleSeen& more, SaleSeen& sale) {
  sale.stock += more.stock;
  sale.available += more.available;
  sale.held += more.held;
  sale.sold += more.sold;
  sale.queued += more.queued;
}

// Each sale by itself.
void Rush::judge_all(const std::vector<Told>& told) {
  const SaleChoice choice(options_);
  std::vector<std::vector<Told>> told_of(truths_.size());
  for (const Told& click : told) told_of[choice.of(click.customer)].push_back(click);
  result_.before = truths_.front().before;
  result_.after = truths_.front().after;
  for (std::size_t i = 0; i < truths_.size(); ++i) {
    Truth& truth = truths_[i];
    truth.sent_home = result_.figures.sent_home;
    result_.settled = result_.settled && truth.settled;
    if (truth.audit.orders) result_.orders = result_.orders.value_or(0) + *truth.audit.orders;
    result_.totals.add(count(told_of[i], truth));
    result_.verdict.add(judge(told_of[i], truth));
    if (i == 0) continue;
    add_units(truth.before, result_.before);
    add_units(truth.after, result_.after);
  }
}

void Rush::conclude(const Crowd& crowd) {
  result_.options = options_;
  result_.run = run_;
  result_.connected = crowd.connected();
  result_.figures = crowd.figures();
  judge_all(crowd.told());
  for (const auto& [answer, latency] : result_.figures.reserve)
    if (answer != "no answer") result_.reservations.merge(latency);
  result_.generator = result_.figures.arriving;
  GeneratorFigures& generator = result_.generator;
  generator.rate_asked = options_.rate;
  double arriving = std::chrono::duration<double>{result_.figures.last_arrival}.count();
  if (arriving > 0) generator.rate_reached = static_cast<double>(options_.customers - 1) / arriving;
  generator.lag_p99 = result_.figures.lag.quantile(0.99);
  generator.lag_bound = options_.max_lag;
  result_.invalid = problem_of(generator);
  if (!result_.invalid) result_.invalid = problem_of(result_.totals);
  if (!result_.invalid) result_.invalid = problem_of_patience(result_);
  std::chrono::nanoseconds p99 = result_.reservations.quantile(0.99);
  if (options_.max_p99_ms && p99 > Milliseconds{*options_.max_p99_ms})
    result_.missed = fmt::format("p99 of reservations is {:.1f} ms, allowed are {}",
                                 std::chrono::duration<double, std::milli>{p99}.count(), *options_.max_p99_ms);
  if (result_.missed && !result_.invalid) result_.invalid = problem_of_closed_loop(generator);
}

}  // namespace

Grade RushResult::grade() const {
  if (!verdict.kept()) return Grade::promise_broken;
  if (invalid) return Grade::invalid;
  return missed ? Grade::threshold_missed : Grade::fine;
}

std::expected<RushResult, RushFailure> run_rush(const RushOptions& options,
                                                const std::function<void(const Progress&)>& progress,
                                                Milliseconds every) {
  if (auto failure = raise_open_files(connections_of(options))) return std::unexpected(std::move(*failure));
  Rush rush(options, progress, every);
  return rush.run();
}

}  // namespace firstcome::rush
