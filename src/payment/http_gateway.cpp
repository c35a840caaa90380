#include "payment/http_gateway.hpp"

#include "net/json_writer.hpp"

#include <firstcome/limits.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>

#include <algorithm>
#include <deque>
#include <exception>
#include <optional>
#include <utility>
#include <variant>
#include <vector>

namespace firstcome::payment {

namespace asio = boost::asio;
namespace json = boost::json;
using net::ClientFailure;
using net::ClientRequest;
using net::ClientResult;
using net::HttpClient;

namespace {

struct ChargeJob {
  ChargeRequest request;
  std::move_only_function<void(ChargeResult)> done;
};

struct RefundJob {
  std::string key;
  std::move_only_function<void(RefundOutcome)> done;
};

struct Job {
  std::variant<ChargeJob, RefundJob> what;
  steady_clock::time_point deadline;
};

void add_fields(ClientRequest& request, const std::string& key, const std::string& authorization) {
  request.fields.push_back({"Idempotency-Key", '"' + key + '"'});
  if (!authorization.empty()) request.fields.push_back({"Authorization", authorization});
}

ClientRequest request_of(const ChargeRequest& charge, const std::string& authorization) {
  ClientRequest request;
  request.method = net::Method::post;
  request.target = "/charges";
  add_fields(request, charge.key, authorization);
  net::JsonWriter json(request.body);
  json.begin_object();
  json.key("key");
  json.string(charge.key);
  json.key("amount");
  json.integer(charge.amount);
  json.key("currency");
  json.string(charge.currency);
  json.end_object();
  return request;
}

ClientRequest refund_request_of(const std::string& key, const std::string& authorization) {
  ClientRequest request;
  request.method = net::Method::post;
  request.target = "/refunds";
  add_fields(request, key, authorization);
  net::JsonWriter json(request.body);
  json.begin_object();
  json.key("key");
  json.string(key);
  json.end_object();
  return request;
}

ChargeResult outcome_only(ChargeOutcome outcome, std::string detail) {
  ChargeResult result;
  result.outcome = outcome;
  result.detail = std::move(detail);
  return result;
}

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

/// A string of at most 128 bytes without control characters, which not every store takes; nothing where it is missing
/// or something else.
std::optional<std::string> short_text(const json::object& object, const char* name) {
  const json::value* member = object.if_contains(name);
  if (member == nullptr || !member->is_string()) return std::nullopt;
  const json::string& text = member->get_string();
  if (text.size() > limits::payment_id_bytes || std::ranges::any_of(text, is_control)) return std::nullopt;
  return std::string(text.begin(), text.end());
}

ChargeResult read_charged(const std::string& body) {
  json::error_code ec;
  const json::value answer = json::parse({body.data(), body.size()}, ec);
  if (ec || !answer.is_object()) return outcome_only(ChargeOutcome::unknown, "the provider's answer is not an object");
  const json::object& object = answer.get_object();
  std::optional<std::string> id = short_text(object, "payment_id");
  if (!id || id->empty()) return outcome_only(ChargeOutcome::unknown, "the provider's answer has no payment_id");
  ChargeResult result;
  result.outcome = ChargeOutcome::charged;
  result.payment_id = std::move(*id);
  if (object.contains("account_number") && !object.at("account_number").is_null()) {
    std::optional<std::string> account = short_text(object, "account_number");
    if (!account) return outcome_only(ChargeOutcome::unknown, "the provider's account_number is not a short string");
    result.account_number = std::move(*account);
  }
  return result;
}

/// Whether a body says `"tried": false`.
bool says_untried(const std::string& body) {
  json::error_code ec;
  const json::value answer = json::parse({body.data(), body.size()}, ec);
  if (ec || !answer.is_object()) return false;
  const json::value* tried = answer.get_object().if_contains("tried");
  return tried != nullptr && tried->is_bool() && !tried->get_bool();
}

ChargeResult read_charge(const ClientResult& answer) {
  if (!answer) {
    const bool unsent = answer.error().kind == ClientFailure::Kind::connect;
    return outcome_only(unsent ? ChargeOutcome::unreachable : ChargeOutcome::unknown, answer.error().detail);
  }
  const unsigned status = answer->status;
  const std::string detail = "the provider answered " + std::to_string(status);
  if (status == 200) return read_charged(answer->body);
  if (status == 402)
    return outcome_only(says_untried(answer->body) ? ChargeOutcome::refused : ChargeOutcome::declined, detail);
  const bool refused = status >= 300 && status < 500 && status != 408 && status != 409;
  return outcome_only(refused ? ChargeOutcome::unreachable : ChargeOutcome::unknown, detail);
}

void rethrow(std::exception_ptr failed) {
  if (failed) std::rethrow_exception(failed);
}

}  // namespace

// All on the executor's thread. Its coroutines hold it by a shared pointer.
struct HttpGateway::Impl : std::enable_shared_from_this<HttpGateway::Impl> {
  Impl(IoExecutor where, HttpGatewayOptions how) : executor(where), options(std::move(how)) {}

  void take(Job job);
  static Task<void> work(std::shared_ptr<Impl> self);
  Task<void> perform(HttpClient& client, Job job);
  static void refuse(Job& job, std::string why);

  IoExecutor executor;
  HttpGatewayOptions options;
  std::optional<Job> next_job();

  std::deque<Job> charges, refunds;
  std::vector<HttpClient> idle;
  std::size_t working = 0;
};

void HttpGateway::Impl::refuse(Job& job, std::string why) {
  if (auto* charge = std::get_if<ChargeJob>(&job.what)) {
    charge->done(outcome_only(ChargeOutcome::unreachable, std::move(why)));
  } else {
    std::get<RefundJob>(job.what).done(RefundOutcome::failed);
  }
}

void HttpGateway::Impl::take(Job job) {
  auto& line = std::holds_alternative<RefundJob>(job.what) ? refunds : charges;
  if (line.size() >= options.waiting) return refuse(job, "too many requests wait for the payment provider");
  line.push_back(std::move(job));
  if (working >= options.connections) return;
  ++working;
  asio::co_spawn(executor, work(shared_from_this()), rethrow);
}

/// Refunds come first: they are few, and whoever waits for one has paid.
std::optional<Job> HttpGateway::Impl::next_job() {
  auto& line = refunds.empty() ? charges : refunds;
  if (line.empty()) return std::nullopt;
  std::optional<Job> job = std::move(line.front());
  line.pop_front();
  return job;
}

/// One connection at work, until nothing waits.
Task<void> HttpGateway::Impl::work(std::shared_ptr<Impl> self) {
  std::optional<HttpClient> client;
  if (!self->idle.empty()) {
    client.emplace(std::move(self->idle.back()));
    self->idle.pop_back();
  } else {
    client.emplace(self->executor, self->options.origin);
  }
  while (std::optional<Job> job = self->next_job()) {
    if (job->deadline <= steady_clock::now()) {
      refuse(*job, "the payment provider's connections were busy for too long");
      continue;
    }
    co_await self->perform(*client, std::move(*job));
  }
  self->idle.push_back(std::move(*client));
  --self->working;
}

Task<void> HttpGateway::Impl::perform(HttpClient& client, Job job) {
  if (auto* charge = std::get_if<ChargeJob>(&job.what)) {
    const ClientRequest request = request_of(charge->request, options.authorization);
    const ClientResult answer = co_await client.request(request, job.deadline);
    charge->done(read_charge(answer));
    co_return;
  }
  auto& refund = std::get<RefundJob>(job.what);
  const ClientRequest request = refund_request_of(refund.key, options.authorization);
  const ClientResult answer = co_await client.request(request, job.deadline);
  refund.done(answer && answer->status == 200 ? RefundOutcome::refunded : RefundOutcome::failed);
}

HttpGateway::HttpGateway(IoExecutor executor, HttpGatewayOptions options)
    : impl_(std::make_shared<Impl>(executor, std::move(options))) {}

HttpGateway::~HttpGateway() = default;

void HttpGateway::charge(ChargeRequest request, std::move_only_function<void(ChargeResult)> done) {
  Job job{ChargeJob{std::move(request), std::move(done)}, steady_clock::now() + impl_->options.timeout};
  asio::post(impl_->executor, [impl = impl_, job = std::move(job)]() mutable { impl->take(std::move(job)); });
}

void HttpGateway::refund(std::string key, std::move_only_function<void(RefundOutcome)> done) {
  Job job{RefundJob{std::move(key), std::move(done)}, steady_clock::now() + impl_->options.timeout};
  asio::post(impl_->executor, [impl = impl_, job = std::move(job)]() mutable { impl->take(std::move(job)); });
}

}  // namespace firstcome::payment
