#include "cli/order_database.hpp"

#include "cli/exit_code.hpp"
#include "engine/sql/database_url.hpp"

#include <fmt/core.h>

#include <cstdio>
#include <utility>

namespace firstcome::cli {

void add_database(CLI::App& command, std::string& url) {
  command.add_option("--database", url, "Where orders are: sqlite:///path, postgresql://..., mysql://...")
      ->envname("FIRSTCOME_DATABASE")
      ->required();
}

std::expected<std::unique_ptr<events::OrderStore>, int> open_orders(const std::string& url) {
  auto database = engine::parse_database_url(url, "order database");
  if (!database) throw CLI::ValidationError("--database", database.error());
  events::OrderStoreOptions options;
  options.database = std::move(*database);
  options.tables = events::OrderStoreOptions::Tables::expect;
  auto store = events::OrderStore::open(std::move(options));
  if (store) return std::move(*store);
  fmt::print(stderr, "firstcome: {}\n", store.error());
  return std::unexpected(exit_unavailable);
}

int troubled(const events::Trouble& trouble) {
  using Kind = events::Trouble::Kind;
  fmt::print(stderr, "firstcome: {}\n", trouble.sentence);
  const bool passes = trouble.kind == Kind::busy || trouble.kind == Kind::timeout || trouble.kind == Kind::overloaded;
  return passes ? exit_try_again : exit_unavailable;
}

}  // namespace firstcome::cli
