#include "payment/simulated_gateway.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <limits>
#include <optional>
#include <set>
#include <utility>

namespace firstcome::payment {

namespace asio = boost::asio;

namespace {

/// FNV-1a over the key (http://www.isthe.com/chongo/tech/comp/fnv/), begun with the seed.
std::uint64_t hash_of(std::uint64_t seed, std::string_view key) {
  std::uint64_t hash = 0xCBF29CE484222325U ^ seed;
  for (const char c : key) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3U;
  return hash;
}

/// SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014): as many numbers as needed.
class Numbers {
 public:
  explicit Numbers(std::uint64_t state) : state_(state) {}

  std::uint64_t next() {
    std::uint64_t z = state_ += 0x9E3779B97F4A7C15U;
    z = (z ^ (z >> 30U)) * 0xBF58476D1CE4E5B9U;
    z = (z ^ (z >> 27U)) * 0x94D049BB133111EBU;
    return z ^ (z >> 31U);
  }

  /// Whether something with this share happens.
  bool happens(double share) { return static_cast<double>(next() >> 11U) * 0x1.0p-53 < share; }

 private:
  std::uint64_t state_;
};

template <typename T>
std::optional<T> number_from(std::string_view text) {
  T number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

/// Reads one member. Returns what is wrong with it.
std::optional<std::string> read_member(SimulatedGatewayOptions& options, std::string_view name, std::string_view text) {
  if (name == "before" || name == "during") {
    const auto share = number_from<double>(text);
    if (!share || !(*share >= 0 && *share <= 1)) return fmt::format("{} must be a share from 0 to 1", name);
    (name == "before" ? options.before : options.during) = *share;
    return std::nullopt;
  }
  if (name == "delay_ms") {
    const auto delay = number_from<std::int64_t>(text);
    if (!delay || *delay < 0 || *delay > 60'000) return "delay_ms must be an integer from 0 to 60000";
    options.delay = std::chrono::milliseconds{*delay};
    return std::nullopt;
  }
  if (name == "seed") {
    const auto seed = number_from<std::uint64_t>(text);
    if (!seed) return fmt::format("seed must be an integer from 0 to {}", std::numeric_limits<std::uint64_t>::max());
    options.seed = *seed;
    return std::nullopt;
  }
  return fmt::format("there is no member \"{}\"; there are before, during, delay_ms and seed", name);
}

/// `declined before` needs no delay.
enum class Reached : std::uint8_t { no, yes };

std::pair<ChargeResult, Reached> decide(const SimulatedGatewayOptions& options, std::string_view key) {
  Numbers numbers(hash_of(options.seed, key));
  ChargeResult result;
  result.outcome = ChargeOutcome::declined;
  if (numbers.happens(options.before)) {
    result.outcome = ChargeOutcome::refused;
    result.detail = "simulated: failed before payment";
    return {result, Reached::no};
  }
  if (numbers.happens(options.during)) {
    result.detail = "simulated: failed during payment";
    return {result, Reached::yes};
  }
  result.outcome = ChargeOutcome::charged;
  result.payment_id = fmt::format("sim-{:016x}", numbers.next());
  const std::uint64_t account = numbers.next() % 1'000'000'000'000U;
  result.account_number =
      fmt::format("{:03}-{:03}-{:06}", account / 1'000'000'000U, account / 1'000'000U % 1'000U, account % 1'000'000U);
  return {result, Reached::yes};
}

/// Calls `done` on the io_context's thread when `delay` has passed.
template <typename T>
void complete_after(IoExecutor executor, std::chrono::milliseconds delay, T result,
                    std::move_only_function<void(T)> done) {
  if (delay <= delay.zero()) {
    asio::post(executor, [done = std::move(done), result = std::move(result)]() mutable { done(std::move(result)); });
    return;
  }
  const auto timer = std::make_shared<Timer>(executor, delay);
  timer->async_wait([timer, done = std::move(done), result = std::move(result)](boost::system::error_code) mutable {
    done(std::move(result));
  });
}

}  // namespace

std::expected<SimulatedGatewayOptions, std::string> parse_simulated_gateway(std::string_view text) {
  SimulatedGatewayOptions options;
  std::set<std::string_view> seen;
  while (!text.empty()) {
    const std::string_view member = text.substr(0, text.find(','));
    const bool more = member.size() < text.size();
    text.remove_prefix(member.size() + (more ? 1 : 0));
    const std::size_t equals = member.find('=');
    const std::string_view name = member.substr(0, equals);
    if (equals == std::string_view::npos || (more && text.empty())) {
      return std::unexpected(fmt::format("\"{}\" is not NAME=VALUE[,NAME=VALUE...]", member));
    }
    if (!seen.insert(name).second) return std::unexpected(fmt::format("{} is given twice", name));
    if (auto wrong = read_member(options, name, member.substr(equals + 1))) return std::unexpected(std::move(*wrong));
  }
  return options;
}

ChargeResult simulated_outcome(const SimulatedGatewayOptions& options, std::string_view key) {
  return decide(options, key).first;
}

SimulatedGateway::SimulatedGateway(IoExecutor executor, SimulatedGatewayOptions options)
    : executor_(executor), options_(options) {}

void SimulatedGateway::charge(ChargeRequest request, std::move_only_function<void(ChargeResult)> done) {
  auto [result, reached] = decide(options_, request.key);
  const auto delay = reached == Reached::yes ? options_.delay : std::chrono::milliseconds{0};
  complete_after<ChargeResult>(executor_, delay, std::move(result), std::move(done));
}

void SimulatedGateway::refund(std::string, std::move_only_function<void(RefundOutcome)> done) {
  complete_after<RefundOutcome>(executor_, options_.delay, RefundOutcome::refunded, std::move(done));
}

}  // namespace firstcome::payment
