// The lock service: a name, held for a while by whoever names a lease.
//
// The engine decides and stores; a wait is an operation that is answered late. A client that goes away, or a server
// that drains, ends it (Call::hurry).
#include "api/call.hpp"
#include "api/handlers.hpp"
#include "api/text_rules.hpp"
#include "lock/identity.hpp"

#include <firstcome/limits.hpp>

#include <array>

namespace firstcome::api {

namespace {

enum AcquireMember : std::uint8_t { wait_ms, lease_ms, lease };

constexpr MemberRule lease_rule{
    .path = "lease", .rule = "16 to 64 of A-Z, a-z, 0-9, '-', '_' and '.'", .fits = fits_lease};

constexpr auto acquire_rules = std::to_array<MemberRule>({
    {.path = "wait_ms",
     .type = JsonType::integer,
     .rule = "an integer from 0 to 60000, in milliseconds",
     .max = limits::lock_wait.count()},
    {.path = "lease_ms",
     .type = JsonType::integer,
     .rule = "an integer from 1 to 31536000000, in milliseconds",
     .min = 1,
     .max = limits::lock_lease.count()},
    lease_rule,
});

constexpr auto lease_rules = [] {
  std::array<MemberRule, 1> rules{lease_rule};
  rules[0].need = Need::required;
  return rules;
}();

constexpr auto free_rules = std::to_array<MemberRule>({
    {.path = "token",
     .type = JsonType::integer,
     .need = Need::required,
     .rule = "an integer from 1 to 9007199254740991, the token of the grant",
     .min = 1,
     .max = 9'007'199'254'740'991},
});

constexpr Milliseconds default_lease{10'000};

/// False: no lock has such a name, and that was answered.
bool read_name(Call& call) {
  if (fits_lock_name(call.parameter)) return true;
  call.refuse(BadInput{Code::invalid_field, "name",
                       "name must be 1 to 512 bytes of UTF-8 without '{', '}' and control characters"});
  return false;
}

/// Null where nobody holds it, or where the locks have none.
void write_token(net::JsonWriter& json, const LockAnswer& said) {
  json.key("token");
  said.held&& said.token != 0 ? json.integer(static_cast<std::int64_t>(said.token)) : json.null();
}

void write_grant(Call& call, std::string_view name, std::string_view held_by, const LockAnswer& said) {
  net::JsonWriter json(call.out);
  json.begin_object();
  json.key("name");
  json.string(name);
  json.key("lease");
  json.string(held_by);
  write_token(json, said);
  json.key("expires_in_ms");
  json.integer(said.expires_in.count());
  json.end_object();
  call.respond(200);
}

void answer_grant(Call& call) {
  const auto& said = call.said<LockAnswer>();
  if (said.outcome != Outcome::done) return call.refuse(code_of(said.outcome), {.retry_after = said.retry_after});
  if (const auto* acquired = std::get_if<AcquireLock>(&call.command))
    return write_grant(call, acquired->name, acquired->lease, said);
  const auto& renewed = std::get<RenewLock>(call.command);
  write_grant(call, renewed.name, renewed.lease, said);
}

void answer_release(Call& call) {
  const auto& said = call.said<LockAnswer>();
  if (said.outcome != Outcome::done) return call.refuse(code_of(said.outcome));
  const auto& released = std::get<ReleaseLock>(call.command);
  net::JsonWriter json(call.out);
  json.begin_object();
  json.key("name");
  json.string(released.name);
  json.key("lease");
  json.string(released.lease);
  json.end_object();
  call.respond(200);
}

void answer_free(Call& call) {
  const auto& said = call.said<LockAnswer>();
  if (said.outcome != Outcome::done) return call.refuse(code_of(said.outcome));
  const auto& freed = std::get<FreeLock>(call.command);
  net::JsonWriter json(call.out);
  json.begin_object();
  json.key("name");
  json.string(freed.name);
  json.key("token");
  json.integer(static_cast<std::int64_t>(freed.token));
  json.end_object();
  call.respond(200);
}

void answer_inspect(Call& call) {
  const auto& said = call.said<LockAnswer>();
  net::JsonWriter json(call.out);
  json.begin_object();
  json.key("held");
  json.boolean(said.held);
  write_token(json, said);
  json.key("expires_in_ms");
  said.held ? json.integer(said.expires_in.count()) : json.null();
  json.key("waiting");
  json.integer(static_cast<std::int64_t>(said.waiting));
  json.end_object();
  call.respond(200);
}

}  // namespace

void acquire_lock(Call& call) {
  if (!read_name(call) || !call.read_body(acquire_rules, EmptyBody::is_empty_object)) return;
  AcquireLock command;
  command.name = call.parameter;
  command.lease = call.members[lease] ? std::string(call.members[lease].text) : lock::random_identity();
  command.length = call.members[lease_ms] ? Milliseconds{call.members[lease_ms].integer} : default_lease;
  command.wait = Milliseconds{call.members[wait_ms] ? call.members[wait_ms].integer : 0};
  command.request = ++call.context().last_acquisition;
  call.ask(std::move(command), answer_grant);
}

void renew_lock(Call& call) {
  if (!read_name(call) || !call.read_body(lease_rules, EmptyBody::is_empty_object)) return;
  call.ask(RenewLock{std::string(call.parameter), std::string(call.members[0].text)}, answer_grant);
}

void release_lock(Call& call) {
  if (!read_name(call) || !call.read_body(lease_rules, EmptyBody::is_empty_object)) return;
  call.ask(ReleaseLock{std::string(call.parameter), std::string(call.members[0].text)}, answer_release);
}

void free_lock(Call& call) {
  if (!read_name(call) || !call.read_body(free_rules, EmptyBody::is_empty_object)) return;
  call.ask(FreeLock{std::string(call.parameter), static_cast<std::uint64_t>(call.members[0].integer)}, answer_free);
}

void inspect_lock(Call& call) {
  if (read_name(call)) call.ask(InspectLock{std::string(call.parameter)}, answer_inspect);
}

}  // namespace firstcome::api
