#include "api/call.hpp"

#include "api/routes.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <array>
#include <cassert>
#include <charconv>
#include <cstdio>
#include <exception>
#include <memory>
#include <utility>

namespace firstcome::api {

namespace {

constexpr std::string_view json_type = "application/json";
constexpr std::size_t kept_bytes = 4'096;
constexpr std::size_t fields_max = 4;  // of one answer, beside those that every answer has

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

bool same_ignoring_case(std::string_view text, std::string_view lower) {
  if (text.size() != lower.size()) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i] >= 'A' && text[i] <= 'Z' ? static_cast<char>(text[i] + 32) : text[i];
    if (c != lower[i]) return false;
  }
  return true;
}

/// `application/json`, with any parameters but another charset than UTF-8.
bool is_json(std::string_view content_type) {
  if (content_type == json_type) return true;
  const std::size_t end = std::min(content_type.find(';'), content_type.size());
  if (!same_ignoring_case(trim(content_type.substr(0, end)), json_type)) return false;
  std::string_view rest = content_type.substr(end);
  while (!rest.empty()) {
    rest.remove_prefix(1);
    const std::string_view parameter = trim(rest.substr(0, rest.find(';')));
    rest.remove_prefix(std::min(rest.find(';'), rest.size()));
    const std::size_t equals = std::min(parameter.find('='), parameter.size());
    if (!same_ignoring_case(parameter.substr(0, equals), "charset")) continue;
    const std::string_view charset = parameter.substr(std::min(parameter.size(), equals + 1));
    if (!same_ignoring_case(charset, "utf-8") && !same_ignoring_case(charset, "\"utf-8\"")) return false;
  }
  return true;
}

}  // namespace

void Call::start() {
  began_ = context_.steady_now();
  out.clear();
}

void Call::begin() noexcept {
  guard([this] {
    start();
    route_and_handle();
  });
}

void Call::begin_refused(net::BadRequest why) noexcept {
  guard([this, why] {
    start();
    route_ = route_refused();
    const std::string_view repeated = request().repeated_field;
    if (repeated.empty()) return refuse(code_of(why));
    refuse(code_of(why), {.detail = fmt::format("The header {} may come once, and came again.", repeated)});
  });
}

void Call::route_and_handle() {
  const net::HttpRequest& asked = request();
  const Destination destination = find_route(asked.method, asked.path, decoded_path);
  route_ = destination.route.value_or(route_unmatched());
  if (asked.method == net::Method::options) return answer_options(destination.path_known);
  if (!destination.path_known) return refuse(Code::not_found);
  if (!destination.route) {
    const std::string allowed = allowed_methods(asked.path);
    const net::HttpField allow{"Allow", allowed};
    return refuse(Code::method_not_allowed, {}, {&allow, 1});
  }
  const Route& route = routes()[route_];
  if (route.query != no_parameters || !asked.query.empty())
    if (const auto bad = read_query(asked.query, route.query, query)) return refuse(*bad);
  parameter = destination.parameter;
  route.handle(*this);
}

/// Load balancers ask for `/` or `*` to see whether the server lives.
void Call::answer_options(bool path_known) {
  const std::string_view path = request().path;
  if (!path_known && path != "/" && path != "*") return refuse(Code::not_found);
  const std::string allowed = path == "*" ? "GET, HEAD, POST, PATCH, DELETE, OPTIONS" : allowed_methods(path);
  const net::HttpField allow{"Allow", allowed};
  respond_with(204, {}, {&allow, 1});
}

void Call::completed() noexcept {
  asked_ = false;
  guard([this] {
    if (!answer) {
      // Other details are for the log; this one says what to do instead.
      const bool tells = answer.error().code == FailureCode::not_supported;
      return refuse(code_of(answer.error().code), {.detail = tells ? answer.error().detail : std::string_view{}});
    }
    then_(*this);
  });
}

void Call::hurry() noexcept {
  /// Lives until it was completed, which may be after this call has gone.
  struct Leave final : Operation {
    void completed() noexcept override { delete this; }
  };
  guard([this] {
    const auto* const waits = asked_ ? std::get_if<AcquireLock>(&command) : nullptr;
    if (waits == nullptr) return;
    auto leave = std::make_unique<Leave>();
    leave->command = LeaveLock{waits->name, waits->lease, waits->request};
    context_.engine.submit(*leave.release());
  });
}

void Call::confess(std::string_view what) noexcept {
  try {
    std::array<char, 20> id{};
    std::snprintf(id.data(), id.size(), "r%llx", static_cast<unsigned long long>(++context_.last_mistake));
    spdlog::error("request {}: {} {}: {}", id.data(), name_of(request().method), request().target, what);
    const ProblemMember member{"request_id", std::string_view(id.data())};
    refuse(Code::internal, {.members = {&member, 1}});
  } catch (...) {
    exchange_.respond(500, {}, {});
  }
}

std::optional<BadInput> Call::look_at_body(std::span<const MemberRule> rules, EmptyBody empty) {
  const std::string_view body = request().body;
  if (!body.empty() && !is_json(request().content_type)) return BadInput{Code::unsupported_media_type, {}, {}};
  const std::string_view encoding = request().content_encoding;
  if (!body.empty() && !encoding.empty() && !same_ignoring_case(encoding, "identity"))
    return BadInput{Code::unsupported_media_type, {}, "A body must be sent as it is, without a Content-Encoding."};
  const bool nothing = body.empty() && empty == EmptyBody::is_empty_object;
  return members.read(nothing ? "{}" : body, rules);
}

bool Call::read_body(std::span<const MemberRule> rules, EmptyBody empty) {
  const auto bad = look_at_body(rules, empty);
  if (bad) refuse(*bad);
  return !bad;
}

void Call::with_reservation(OfReservation then) {
  const auto id = context_.ids.read(parameter);
  if (!id) return refuse(Code::reservation_not_found);
  const auto ref = context_.ids.find(*id);
  if (ref && !context_.ids.is_doubtful(*id)) return then(*this, *ref);
  of_reservation_ = then;
  // Whatever the sale answers, the engine then knows its incarnations.
  ask(GetReservation{{id->sale, Number{id->told.number}}}, [](Call& call) {
    const auto known = call.context_.ids.decode(call.parameter);
    if (!known) return call.refuse(Code::reservation_not_found);
    call.of_reservation_(call, *known);
  });
}

void Call::respond(unsigned status, std::span<const net::HttpField> fields) {
  respond_with(status, out.empty() ? std::string_view{} : json_type, fields);
}

void Call::respond_with(unsigned status, std::string_view content_type, std::span<const net::HttpField> fields) {
  context_.metrics.count_request(route_, status, context_.steady_now() - began_);
  // What is large does not stay with the connection. After the answer this may be gone.
  const std::string large = out.capacity() > kept_bytes ? std::exchange(out, {}) : std::string();
  members.shrink();
  sale_audit.reset();
  const std::string_view body = large.empty() ? out : large;
  const bool looks = request().method == net::Method::get || request().method == net::Method::head;
  if (!looks) return exchange_.respond(status, content_type, body, fields);
  // Numbers of a sale are of this instant: no cache may show them later.
  std::array<net::HttpField, fields_max + 1> all;
  assert(fields.size() <= fields_max);
  std::copy(fields.begin(), fields.end(), all.begin());
  all[fields.size()] = {"Cache-Control", "no-store"};
  exchange_.respond(status, content_type, body, std::span(all).first(fields.size() + 1));
}

void Call::refuse(Code code, const Refusal& refusal, std::span<const net::HttpField> fields) {
  const ProblemRow& row = row_of(code);
  out.clear();
  write_problem(out, code, refusal.detail, refusal.members);
  const std::int64_t seconds =
      refusal.retry_after.count() > 0 ? retry_after_seconds(refusal.retry_after) : row.retry_after_seconds;
  if (seconds == 0) return respond_with(row.status, problem_type, fields);
  std::array<char, 24> digits;
  const char* const end = std::to_chars(digits.data(), digits.data() + digits.size(), seconds).ptr;
  std::array<net::HttpField, fields_max> all;
  assert(fields.size() < all.size());
  std::copy(fields.begin(), fields.end(), all.begin());
  all[fields.size()] = {"Retry-After", {digits.data(), end}};
  respond_with(row.status, problem_type, std::span(all).first(fields.size() + 1));
}

void Call::refuse(const BadInput& bad) {
  const ProblemMember field{"field", bad.field};
  refuse(bad.code, {.detail = bad.detail, .members = {&field, bad.field.empty() ? 0U : 1U}});
}

}  // namespace firstcome::api
