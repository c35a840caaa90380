#include "cli/sales_file.hpp"

#include "api/sale_body.hpp"
#include "api/views_json.hpp"
#include "cli/exit_code.hpp"
#include "net/json_writer.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <chrono>
#include <expected>
#include <fstream>
#include <semaphore>
#include <sstream>
#include <stdexcept>
#include <utility>

namespace firstcome::cli {

namespace {

namespace json = boost::json;

struct OneOperation final : Operation {
  void completed() noexcept override { done = true; }
  bool done = false;
};

/// Asks the engine before anybody serves, taking its turns here.
std::expected<Answer, Failure> ask_now(engine::DrivenEngine& engine, Command command) {
  OneOperation operation;
  std::binary_semaphore ready{0};
  engine.on_ready([&ready] { ready.release(); });
  operation.command = std::move(command);
  engine.submit(operation);
  while (!operation.done) {
    ready.try_acquire_for(std::chrono::milliseconds{10});
    engine.turn();
  }
  engine.on_ready([] {});
  return std::move(operation.answer);
}

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  if (!file) throw std::runtime_error("cannot read " + path);
  return text.str();
}

/// The terms as GET /v1/sales/{id} shows them.
json::object shown(const SaleTerms& terms) {
  SaleView view;
  view.terms = terms;
  std::string text;
  net::JsonWriter writer(text);
  api::write_sale(writer, view, "");
  return json::parse(text).as_object();
}

/// Tells of one sale that is there already. Returns an exit code.
int compare(const SaleTerms& file, const SaleTerms& stored, OtherTerms other_terms) {
  const std::vector<std::string> differences = differing_terms(file, stored);
  const bool warned = other_terms == OtherTerms::are_warned_of;
  for (const std::string& difference : differences) {
    spdlog::log(warned ? spdlog::level::warn : spdlog::level::err, "sale {}: {}; {}", file.id, difference,
                warned ? "the store's terms count" : "with --sales-strict the server does not start");
  }
  return differences.empty() || warned ? exit_fine : exit_refused;
}

/// Compares what is there already of the file, and creates nothing. Returns an exit code.
int compare_all(engine::DrivenEngine& engine, const std::vector<SaleTerms>& sales, OtherTerms other_terms) {
  int worst = exit_fine;
  for (const SaleTerms& terms : sales) {
    const auto present = ask_now(engine, GetSale{terms.id});
    if (!present || std::get<SaleAnswer>(*present).outcome != Outcome::done) continue;
    const int code = compare(terms, std::get<SaleAnswer>(*present).sale.terms, other_terms);
    if (code != exit_fine) worst = code;
  }
  return worst;
}

/// Creates one sale, or compares it. Returns an exit code.
int create_or_compare(engine::DrivenEngine& engine, const SaleTerms& terms, OtherTerms other_terms) {
  const auto present = ask_now(engine, GetSale{terms.id});
  if (present && std::get<SaleAnswer>(*present).outcome == Outcome::done)
    return compare(terms, std::get<SaleAnswer>(*present).sale.terms, other_terms);
  const auto answer = ask_now(engine, CreateSale{terms});
  if (!answer) {
    spdlog::error("sale {} was not created: {}", terms.id, answer.error().detail);
    return exit_unavailable;
  }
  const auto& said = std::get<SaleAnswer>(*answer);
  if (said.outcome == Outcome::sale_exists) return compare(terms, said.sale.terms, other_terms);
  if (said.outcome == Outcome::done) {
    spdlog::info("sale {} created", terms.id);
  } else {
    spdlog::info("sale {} was created by another server meanwhile", terms.id);
  }
  return exit_fine;
}

}  // namespace

std::vector<std::string> differing_terms(const SaleTerms& file, const SaleTerms& stored) {
  std::vector<std::string> found;
  const json::object there = shown(stored);
  for (const auto& member : shown(file)) {
    const json::value& other = there.at(member.key());
    if (member.value() == other) continue;
    found.push_back(fmt::format("{} is {} in the file and {} in the store",
                                std::string_view(member.key().data(), member.key().size()),
                                json::serialize(member.value()), json::serialize(other)));
  }
  return found;
}

int create_sales(engine::DrivenEngine& engine, const std::string& path, OtherTerms other_terms) {
  const auto sales = api::sales_from_json(read_file(path));
  if (!sales) {
    spdlog::error("{}: {}", path, sales.error());
    return exit_usage;
  }
  // A start that is refused has changed nothing.
  if (other_terms == OtherTerms::refuse_the_start) {
    if (const int code = compare_all(engine, *sales, other_terms); code != exit_fine) return code;
  }
  int worst = exit_fine;
  for (const SaleTerms& terms : *sales) {
    const int code = create_or_compare(engine, terms, other_terms);
    if (code == exit_unavailable) return code;
    if (code != exit_fine) worst = code;
  }
  return worst;
}

}  // namespace firstcome::cli
