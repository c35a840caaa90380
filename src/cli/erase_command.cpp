#include "cli/erase_command.hpp"

#include "cli/exit_code.hpp"
#include "cli/order_database.hpp"

#include <fmt/core.h>

#include <cstdio>
#include <memory>
#include <random>
#include <string>

namespace firstcome::cli {
namespace {

struct EraseOptions {
  std::string database;
  std::string customer;
};

/// One that nobody can lead back to the customer, not even who knows all customers.
std::string make_pseudonym() {
  std::random_device random;  // allowed: nobody may be able to make it again
  return fmt::format("{}{:08x}{:08x}", events::erased_customer, random(), random());
}

int erase(const EraseOptions& said) {
  const auto store = open_orders(said.database);
  if (!store) return store.error();
  const std::string pseudonym = make_pseudonym();
  const auto erased = (*store)->erase(said.customer, pseudonym);
  if (!erased) return troubled(erased.error());
  const std::size_t rows = erased->orders + erased->payments + erased->events;
  if (rows == 0) {
    fmt::print(stderr, "firstcome: the order database knows no such customer\n");
    return exit_refused;
  }
  fmt::print("{} stands in {} orders, {} payments and {} failed or discarded events now\n", pseudonym, erased->orders,
             erased->payments, erased->events);
  return exit_fine;
}

}  // namespace

void add_erase_command(CLI::App& app, Run& run) {
  const auto options = std::make_shared<EraseOptions>();
  CLI::App* command = app.add_subcommand("erase", "Put a pseudonym in the place of a customer, in the order database");
  add_database(*command, options->database);
  command->add_option("--customer", options->customer, "Whom, as the orders name them")->required();
  command->callback([options, &run] {
    if (options->customer.starts_with(events::erased_customer)) {
      throw CLI::ValidationError("--customer", "was erased already");
    }
    run = [options] { return erase(*options); };
  });
}

}  // namespace firstcome::cli
