#include "cli/failed_commands.hpp"

#include "cli/exit_code.hpp"
#include "cli/order_database.hpp"
#include "net/json_writer.hpp"
#include "net/rfc3339.hpp"

#include <fmt/core.h>
#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <memory>
#include <mutex>
#include <vector>

namespace firstcome::cli {

namespace {

using events::FailedEvent;
using events::OrderStore;

constexpr std::size_t page_rows = 1'000;
constexpr std::chrono::seconds patience_with_others{30};

struct FailedOptions {
  std::string database;
  std::vector<std::string> ids;
  bool all = false;
  bool json = false;
  std::string reason;
};

/// Calls `each` with every failed event. Returns an exit code.
template <typename Each>
int for_each_failed(OrderStore& store, Each each) {
  std::string after;
  do {
    const auto page = store.failed(after, page_rows);
    if (!page) return troubled(page.error());
    for (const FailedEvent& event : page->items) each(event);
    after = page->next;
  } while (!after.empty());
  return exit_fine;
}

/// Empty: it cannot be read, or is of a sale.
std::string customer_of(const FailedEvent& failed) {
  const auto event = events::event_from_json(failed.body);
  return event ? event->customer : std::string();
}

void print_json(const FailedEvent& event) {
  std::string line;
  net::JsonWriter json(line);
  const auto text = [&](const char* name, const std::string& value) {
    json.key(name);
    value.empty() ? json.null() : json.string(value);
  };
  json.begin_object();
  text("id", event.id);
  text("reservation", event.reservation);
  text("sale", event.sale);
  text("customer", customer_of(event));
  json.key("sequence");
  json.unsigned_integer(event.sequence);
  text("type", event.type);
  text("error", event.error);
  json.key("attempts");
  json.unsigned_integer(event.attempts);
  json.key("first_failed_at");
  json.instant(event.first_failed_at);
  json.key("last_failed_at");
  json.instant(event.last_failed_at);
  json.key("next_try_at");
  json.instant(event.next_try_at);
  text("source", event.source);
  text("body", event.body);
  json.end_object();
  fmt::print("{}\n", line);
}

std::string at(Instant instant) {
  const auto text = net::format_rfc3339(instant);
  return {text.data(), text.size()};
}

int list(OrderStore& store, const FailedOptions& said) {
  if (!said.json) {
    fmt::print("{:<20} {:<28} {:<16} {:<16} {:<38} {:>8} {:<24} {}\n", "id", "type", "sale", "customer", "reservation",
               "attempts", "next try", "error");
  }
  return for_each_failed(store, [&](const FailedEvent& event) {
    if (said.json) return print_json(event);
    fmt::print("{:<20} {:<28} {:<16} {:<16} {:<38} {:>8} {:<24} {}\n", event.id, event.type, event.sale,
               customer_of(event), event.reservation, event.attempts, at(event.next_try_at), event.error);
  });
}

int no_such_event(const std::string& id) {
  fmt::print(stderr, "firstcome: no event {} has failed\n", id);
  return exit_refused;
}

/// Waits for a part of a second.
void pause() {
  std::mutex mutex;
  std::condition_variable nobody;
  std::unique_lock guard(mutex);
  nobody.wait_for(guard, std::chrono::milliseconds{100});
}

/// Tries all that are due at `now`, once. An order service that runs may be trying some of them just now; those are
/// waited for.
int try_due(OrderStore& store, Instant now) {
  events::Retried all;
  std::uint64_t by_others = 0;
  const auto deadline = std::chrono::steady_clock::now() + patience_with_others;
  for (;;) {
    const auto some = store.retry_due(now, page_rows);
    if (!some) return troubled(some.error());
    all.stored += some->stored;
    all.failed += some->failed;
    if (some->stored + some->failed > 0) continue;
    const auto due = store.due_count(now);
    if (!due) return troubled(due.error());
    by_others = std::max(by_others, *due);
    if (*due == 0) break;
    if (std::chrono::steady_clock::now() >= deadline) {
      fmt::print("{} stored, {} failed again; somebody else holds {} of them, try again\n", all.stored, all.failed,
                 *due);
      return exit_try_again;
    }
    pause();
  }
  fmt::print("{} stored, {} failed again\n", all.stored, all.failed);
  if (by_others > 0)
    fmt::print("{} more were tried by the order service; `failed list` shows what is left\n", by_others);
  return all.failed == 0 ? exit_fine : exit_refused;
}

int retry(OrderStore& store, const FailedOptions& said) {
  if (said.all) {
    if (const auto done = store.retry_now(std::nullopt); !done) return troubled(done.error());
  }
  for (const std::string& id : said.ids) {
    const auto done = store.retry_now(id);
    if (!done) return troubled(done.error());
    if (*done == 0) return no_such_event(id);
  }
  return try_due(store, events::wall_clock());
}

std::string user() {
  const passwd* const entry = getpwuid(geteuid());
  return entry == nullptr ? std::to_string(geteuid()) : entry->pw_name;
}

int discard(OrderStore& store, const FailedOptions& said) {
  std::vector<std::string> ids = said.ids;
  if (said.all) {
    const int code = for_each_failed(store, [&](const FailedEvent& event) { ids.push_back(event.id); });
    if (code != exit_fine) return code;
  }
  std::uint64_t discarded = 0;
  for (const std::string& id : ids) {
    const auto done = store.discard(id, {said.reason, user()});
    if (!done) return troubled(done.error());
    if (*done == 0 && !said.all) return no_such_event(id);
    discarded += *done;
  }
  fmt::print("{} discarded\n", discarded);
  return exit_fine;
}

using Act = int (*)(OrderStore&, const FailedOptions&);

struct FailedCommand {
  CLI::App* command;
  std::shared_ptr<FailedOptions> options;
};

FailedCommand add(CLI::App& failed, Run& run, std::pair<const char*, const char*> name_and_help, Act act) {
  const auto options = std::make_shared<FailedOptions>();
  CLI::App* command = failed.add_subcommand(name_and_help.first, name_and_help.second);
  add_database(*command, options->database);
  command->callback([options, &run, act] {
    run = [options, act] {
      const auto store = open_orders(options->database);
      return store ? act(**store, *options) : store.error();
    };
  });
  return {command, options};
}

void add_choice(const FailedCommand& to) {
  CLI::Option_group* choice = to.command->add_option_group("choice", "Which");
  choice->add_option("--id", to.options->ids, "An event, as `failed list` shows it; may be given again");
  choice->add_flag("--all", to.options->all, "All of them");
  choice->require_option(1);
}

}  // namespace

void add_failed_commands(CLI::App& orders, Run& run) {
  CLI::App* failed = orders.add_subcommand("failed", "Events that could not be stored");
  failed->require_subcommand(1);
  const FailedCommand listed = add(*failed, run, {"list", "Those that wait"}, list);
  listed.command->add_flag("--json", listed.options->json, "One JSON object in each line, with the event itself");
  add_choice(add(*failed, run, {"retry", "Try again now"}, retry));
  const FailedCommand discarded =
      add(*failed, run, {"discard", "Give up; the table discarded_events keeps it"}, discard);
  add_choice(discarded);
  discarded.command->add_option("--reason", discarded.options->reason, "Why, for those who ask later")->required();
}

}  // namespace firstcome::cli
