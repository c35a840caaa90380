#include "cli/lock/lock_views.hpp"

#include "lock/named_lock.hpp"
#include "lock/redis/fifo.hpp"
#include "net/json_fields.hpp"
#include "net/redis/url.hpp"

#include <firstcome/lock_shares.hpp>

#include <fmt/core.h>

#include <future>
#include <optional>
#include <utility>

namespace firstcome::cli {
namespace {

/// How many permits a semaphore has plays no part in a look at it, but a handle wants to be told a number.
constexpr std::uint32_t any_capacity = 1;

/// Calls `ask` with a completion and waits for what it is called with.
template <typename Answer, typename Ask>
Answer wait_for(Ask ask) {
  std::promise<Answer> promise;
  ask([&promise](Answer answer) { promise.set_value(std::move(answer)); });
  return promise.get_future().get();
}

template <typename Number>
std::string or_dash(const std::optional<Number>& number) {
  return number ? fmt::format("{}", *number) : std::string("-");
}

std::string in_ms(const std::optional<Milliseconds>& time) {
  return time ? fmt::format("in {} ms", time->count()) : std::string("-");
}

void print(const std::string& name, const LockView& view) {
  fmt::print("name     {}\nheld     {}\nowner    {}\ntoken    {}\nexpires  {}\nwaiting  {}\n", name,
             view.held ? "yes" : "no", view.owner.empty() ? "-" : view.owner, or_dash(view.token),
             in_ms(view.expires_in), or_dash(view.waiting));
}

void print_json(const std::string& name, const LockView& view) {
  std::string line;
  net::JsonWriter json(line);
  json.begin_object();
  net::text(json, "kind", "lock");
  net::text(json, "name", name);
  json.key("held");
  json.boolean(view.held);
  net::text_or_null(json, "owner", view.owner);
  net::integer_or_null(json, "token", view.token);
  net::duration_or_null(json, "expires_in_ms", view.expires_in);
  net::integer_or_null(json, "waiting", view.waiting);
  json.end_object();
  fmt::print("{}\n", line);
}

/// A writer of a read-write lock has all of it, however many that is.
bool is_written(const SharesView& view) { return view.holders == 1 && view.used == view.capacity; }

void print_read_write(const std::string& name, const SharesView& view) {
  const std::string held = view.holders == 0 ? "no" : is_written(view) ? "by a writer" : "by readers";
  fmt::print("name     {}\nheld     {}\nreaders  {}\ntoken    {}\nexpires  {}\nwaiting  {}\n", name, held,
             is_written(view) ? 0 : view.holders, or_dash(view.token), in_ms(view.expires_in), view.waiting);
}

void print_semaphore(const std::string& name, const SharesView& view) {
  fmt::print("name     {}\npermits  {}\nused     {}\nholders  {}\ntoken    {}\nexpires  {}\nwaiting  {}\n", name,
             view.capacity == 0 ? "-" : std::to_string(view.capacity), view.used, view.holders, or_dash(view.token),
             in_ms(view.expires_in), view.waiting);
}

/// What a read-write lock and a semaphore have alike.
void add_common(net::JsonWriter& json, const SharesView& view) {
  net::integer_or_null(json, "token", view.token);
  net::duration_or_null(json, "expires_in_ms", view.expires_in);
  net::count(json, "waiting", view.waiting);
}

void print_read_write_json(const std::string& name, const SharesView& view) {
  std::string line;
  net::JsonWriter json(line);
  json.begin_object();
  net::text(json, "kind", "read-write");
  net::text(json, "name", name);
  json.key("writer");
  json.boolean(is_written(view));
  net::count(json, "readers", is_written(view) ? 0 : view.holders);
  add_common(json, view);
  json.end_object();
  fmt::print("{}\n", line);
}

void print_semaphore_json(const std::string& name, const SharesView& view) {
  std::string line;
  net::JsonWriter json(line);
  json.begin_object();
  net::text(json, "kind", "semaphore");
  net::text(json, "name", name);
  net::integer_or_null(json, "permits", view.capacity == 0 ? std::nullopt : std::optional(view.capacity));
  net::count(json, "used", view.used);
  net::count(json, "holders", view.holders);
  add_common(json, view);
  json.end_object();
  fmt::print("{}\n", line);
}

int show_read_write_lock(const LockOptionsGiven& given, LockSpace& space) {
  const auto both = space.read_write_lock(given.name);
  const auto view = wait_for<SharesViewed>([&](auto done) { both->inspect(std::move(done)); });
  if (!view) return complain(exit_unavailable, view.error().detail);
  given.json ? print_read_write_json(given.name, *view) : print_read_write(given.name, *view);
  return exit_fine;
}

int show_semaphore(const LockOptionsGiven& given, LockSpace& space) {
  const auto permits = space.semaphore(given.name, any_capacity);
  const auto view = wait_for<SharesViewed>([&](auto done) { permits->inspect(std::move(done)); });
  if (!view) return complain(exit_unavailable, view.error().detail);
  given.json ? print_semaphore_json(given.name, *view) : print_semaphore(given.name, *view);
  return exit_fine;
}

int show_plain_lock(const LockOptionsGiven& given, LockSpace& space) {
  const auto view =
      wait_for<std::expected<LockView, LockFailure>>([&](auto done) { space.inspect(given.name, std::move(done)); });
  if (!view) return complain(exit_unavailable, view.error().detail);
  given.json ? print_json(given.name, *view) : print(given.name, *view);
  return exit_fine;
}

std::string_view word_of(lock::Share::Of of) {
  switch (of) {
    case lock::Share::Of::lock:
      return "lock";
    case lock::Share::Of::read_write:
      return "read-write";
    case lock::Share::Of::semaphore:
      return "semaphore";
  }
  std::unreachable();
}

void print_name(const lock::ShareName& name) { fmt::print("{:<10} {}\n", word_of(name.of), name.name); }

void print_name_json(const lock::ShareName& name) {
  std::string line;
  net::JsonWriter json(line);
  json.begin_object();
  net::text(json, "kind", word_of(name.of));
  net::text(json, "name", name.name);
  json.end_object();
  fmt::print("{}\n", line);
}

}  // namespace

int show_lock(const LockOptionsGiven& given) {
  if (const auto refused = lock::refusal_of_name(given.name)) return not_acquired(given, *refused);
  auto space = open_lock_space(given);
  if (!space) return space.error();
  if (!given.shared && !given.semaphore) return show_plain_lock(given, **space);
  if (!(*space)->traits().shares)
    return complain(exit_usage, fmt::format("{} has no read-write locks and semaphores", (*space)->traits().kind));
  return given.shared ? show_read_write_lock(given, **space) : show_semaphore(given, **space);
}

int list_locks(const LockOptionsGiven& given) {
  const auto url = net::parse_redis_url(given.backend);
  if (!url) return complain(exit_usage, "--backend: " + url.error());
  const auto names = lock::list_fifo_locks(*url, Milliseconds{10'000});
  if (!names) return complain(exit_unavailable, names.error().detail);
  for (const lock::ShareName& name : *names) given.json ? print_name_json(name) : print_name(name);
  return exit_fine;
}

}  // namespace firstcome::cli
